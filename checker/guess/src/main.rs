//! `cargo checker guess`: the student tests a server with one fault, and names the row of the
//! contract that it breaks.

use std::io::{self, IsTerminal, Write};
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
use tokio::sync::watch;

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
    match play(&program, fault, &same_server(&args, seed), seed).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(UNKNOWN, error),
    }
}

/// Returns the arguments that start the same server again.
fn same_server(args: &GuessArgs, seed: u64) -> String {
    let exercise = args.exercise.map(|exercise| format!(" --exercise {exercise}"));
    let level = args.level.map(|level| format!(" --level {level}"));
    format!("--seed {seed}{}{}", exercise.unwrap_or_default(), level.unwrap_or_default())
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

async fn play(program: &Path, fault: &Fault, same_server: &str, seed: u64) -> io::Result<()> {
    let (_server, url, mut log) = start(program, &fault.name).await?;
    let rows: Vec<&Check> =
        checks::all().into_iter().filter(|check| check.exercise.name() == fault.exercise).collect();
    let level = check(fault).map_or(0, Check::points);
    show(&introduction(&fault.exercise, &url, level, same_server, &rows))?;
    // The server must not block on a full pipe. Its log is part of the contract.
    let (answered, is_answered) = watch::channel(false);
    tokio::spawn(async move {
        while let Ok(Some(line)) = log.next_line().await {
            if !*is_answered.borrow() {
                let _ = show(&logged(&line));
            }
        }
    });
    loop {
        show(PROMPT)?;
        let line = read_line().await?;
        let answer = line.trim();
        if !line.is_empty() && answer != GIVE_UP {
            let Some(row) = named(&rows, answer) else {
                show(&format!("Type the number of a row, from 1 to {}.\n", rows.len()))?;
                continue;
            };
            if !fault.violates.iter().any(|id| id == row.id) {
                show(&format!("The check {} passes. Look again.\n\n", row.id))?;
                continue;
            }
            show("\nRight.\n")?;
        }
        answered.send_replace(true);
        return explain(program, fault, seed).await;
    }
}

const GIVE_UP: &str = "give up";
const PROMPT: &str = "Which row does it break? (a number, or `give up`) ";

/// Returns the row with this number, or with this check's name.
fn named<'a>(rows: &[&'a Check], answer: &str) -> Option<&'a Check> {
    let by_number =
        answer.parse::<usize>().ok().and_then(|number| rows.get(number.checked_sub(1)?));
    let is_named = |row: &&&Check| {
        row.id == answer || row.id.rsplit("::").next().is_some_and(|last| last == answer)
    };
    by_number.or_else(|| rows.iter().find(is_named)).copied()
}

/// Renders a line of the server's log. On a terminal it stands above the prompt.
fn logged(line: &str) -> String {
    const WIDEST: usize = 100;
    let cut = if line.chars().count() > WIDEST { " …" } else { "" };
    let line: String = line.chars().take(WIDEST).collect();
    if io::stdout().is_terminal() {
        format!("\r\x1b[2K  [server] {line}{cut}\n{PROMPT}")
    } else {
        format!("  [server] {line}{cut}\n")
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

fn introduction(
    exercise: &str,
    url: &str,
    level: u32,
    same_server: &str,
    rows: &[&Check],
) -> String {
    let interval = match exercise {
        "echo" => String::new(),
        _ => format!("Its heartbeat interval is {INTERVAL_MS} ms. "),
    };
    let mut text = format!(
        "A server of the exercise {exercise} with one fault, of level {level}, runs on\n\n  \
         {url}\n\n{interval}Talk to it from a browser's console, with curl, or with\n\n  \
         cargo checker play {exercise} --url {url}\n\n\
         `{same_server}` starts the same one again. Rows of the contract:\n\n"
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
