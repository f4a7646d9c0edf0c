//! `cargo checker guess`: the student tests a server with one fault, and names the row of the
//! contract that it breaks.

use std::io::{self, Write};
use std::path::Path;
use std::process::{ExitCode, Stdio};

use checker::cli::{UNKNOWN, USAGE, complain, fresh_seed, progress, until_interrupted};
use checker::grade::Outcome;
use checker::museum::{self, Fault};
use checker::report;
use checker::terminal;
use checks::Check;
use clap::{Args, Parser};
use harness::exercise::Exercise;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Long enough to answer a ping by hand, and short enough to wait for.
const INTERVAL_MS: &str = "3000";

#[derive(Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
enum Cli {
    /// Find the fault of a server that breaks one row of the contract
    ///
    /// The level of a fault is the points of its check. Exit codes: 0 found or given up, 2 invalid
    /// command line, 3 no server.
    Guess(GuessArgs),
}

#[derive(Args)]
struct GuessArgs {
    /// Only faults of this exercise (echo, heartbeat or broadcast)
    #[arg(long, value_name = "EXERCISE", value_parser = exercise)]
    exercise: Option<Exercise>,
    /// Only faults of this level, from 1 (easy) to 5
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=5))]
    level: Option<u8>,
    /// Start the same server again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

fn exercise(name: &str) -> Result<Exercise, String> {
    Exercise::named(name).ok_or_else(|| "exercises are echo, heartbeat and broadcast".to_string())
}

fn main() -> ExitCode {
    let Cli::Guess(args) = Cli::parse();
    until_interrupted(run(args))
}

async fn run(args: GuessArgs) -> ExitCode {
    progress("building …");
    let museum = museum::open().await;
    progress("");
    let (program, catalogue) = match museum {
        Ok(museum) => museum,
        Err(error) => return complain(UNKNOWN, error),
    };
    let suitable: Vec<&Fault> =
        catalogue.faults.iter().filter(|fault| suits(fault, &args)).collect();
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let Some(fault) = suitable.choose(&mut StdRng::seed_from_u64(seed)) else {
        return complain(USAGE, "no fault has this level in this exercise");
    };
    match play(&program, fault, seed).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(UNKNOWN, error),
    }
}

/// Returns the check that must catch this fault.
fn check(fault: &Fault) -> Option<&'static Check> {
    checks::find(fault.violates.first()?)
}

/// A fault's level is the points of its check.
fn suits(fault: &Fault, args: &GuessArgs) -> bool {
    let exercise = args.exercise.is_none_or(|exercise| exercise.name() == fault.exercise);
    // The median of many latencies cannot be seen by hand.
    let by_hand = !fault.violates.iter().any(|id| id.starts_with("latency::"));
    let level = |level| check(fault).is_some_and(|check| check.points() == u32::from(level));
    exercise && by_hand && args.level.is_none_or(level)
}

async fn play(program: &Path, fault: &Fault, seed: u64) -> io::Result<()> {
    let (_server, url, mut log) = start(program, &fault.name).await?;
    // The server must not block on a full pipe. Its log is part of the contract.
    tokio::spawn(async move {
        while let Ok(Some(line)) = log.next_line().await {
            let _ = writeln!(terminal::stdout(), "  [server] {line}");
        }
    });
    let rows: Vec<&Check> =
        checks::all().into_iter().filter(|check| check.exercise.name() == fault.exercise).collect();
    let level = check(fault).map_or(0, Check::points);
    show(&introduction(&fault.exercise, &url, level, seed, &rows))?;
    loop {
        show("Which row does it break? (a number; an empty line gives up) ")?;
        let line = read_line().await?;
        let number = line.trim().parse::<usize>().ok();
        let named = number.and_then(|number| rows.get(number.checked_sub(1)?));
        let right = named.is_some_and(|row| fault.violates.iter().any(|id| id == row.id));
        match named {
            _ if line.trim().is_empty() => {}
            None => {
                show("Type the number of a row.\n")?;
                continue;
            }
            Some(_) if right => show("\nRight.\n")?,
            Some(row) => {
                show(&format!("{} holds. Look again.\n\n", row.id))?;
                continue;
            }
        }
        return explain(program, fault, seed).await;
    }
}

async fn read_line() -> io::Result<String> {
    let read = || {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map(|_| line)
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}

/// Starts the server. Returns its process, its address and the rest of its log.
async fn start(
    program: &Path,
    fault: &str,
) -> io::Result<(Child, String, Lines<BufReader<ChildStdout>>)> {
    let mut server = Command::new(program)
        .args(["--fault", fault])
        .env("ADDR", "127.0.0.1:0")
        .env("HEARTBEAT_INTERVAL_MS", INTERVAL_MS)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let lost = || io::Error::other("the server ended before it was ready");
    let mut log = BufReader::new(server.stdout.take().ok_or_else(lost)?).lines();
    while let Some(line) = log.next_line().await? {
        if let Some(url) = line.split_whitespace().find(|word| word.starts_with("ws://")) {
            return Ok((server, url.to_string(), log));
        }
    }
    Err(lost())
}

fn introduction(exercise: &str, url: &str, level: u32, seed: u64, rows: &[&Check]) -> String {
    let mut text = format!(
        "A server of the exercise {exercise} with one fault, of level {level}, runs on\n\n  \
         {url}\n\nIts heartbeat interval is {INTERVAL_MS} ms. Talk to it from a browser's console, \
         with curl, or with\n\n  cargo checker play {exercise} --url {url}\n\n\
         `--seed {seed}` starts the same one again. Rows of the contract:\n\n"
    );
    for (number, row) in rows.iter().enumerate() {
        let options = textwrap::Options::new(90).subsequent_indent("      ");
        let line = format!("  {:>2}  {}: {}", number + 1, row.id, row.row());
        text.push_str(&textwrap::fill(&line, options));
        text.push('\n');
    }
    text.push('\n');
    text
}

/// Prints what the fault is, and the conversation that shows it.
async fn explain(program: &Path, fault: &Fault, seed: u64) -> io::Result<()> {
    show(&format!("\n{}\n\n{}\n\n", fault.name, textwrap::fill(&fault.sentence, 80)))?;
    progress("grading …");
    let graded = museum::grade_server(program, "--fault", &fault.name, &fault.exercise, seed).await;
    progress("");
    let graded = graded.map_err(io::Error::other)?;
    let failed = graded.iter().find_map(|graded| match &graded.outcome {
        Outcome::Failed(report) => Some((graded, report)),
        _ => None,
    });
    match failed {
        Some((graded, report)) => show(&report::human::failure(graded, report)),
        None => show("The checks could not show it on this machine now.\n"),
    }
}

fn show(text: &str) -> io::Result<()> {
    let mut out = terminal::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}
