//! The command line: it parses and calls.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio::sync::mpsc;

use crate::exercise::Target;
use crate::grade::{self, Graded, Outcome, Plan};
use crate::interrupt::{INTERRUPTED, interrupted};
use crate::museum;
use crate::report;
use crate::report::json::Totals;
use crate::report::{human, json, timings};
use crate::server::Program;

/// Exit code for a command line that makes no sense.
const USAGE: u8 = 2;
/// Exit code for what could not be judged.
const UNKNOWN: u8 = 3;

#[derive(Parser)]
#[command(name = "cargo checker", about = "Grades the workbook's servers by talking to them", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Grade the exercises, or some of them
    ///
    /// Exit codes: 0 all passed, 1 something failed, 2 the command line makes no sense, 3 something could not be judged.
    Grade(GradeArgs),
    /// Show that the checks find what they should: every known mistake against every check
    ///
    /// Exit codes: 0 the matrix holds, 1 it does not, 2 the command line makes no sense, 3 it could not be made.
    Museum(MuseumArgs),
}

#[derive(Args)]
struct MuseumArgs {
    /// Names of faults; all if none is named
    fault: Vec<String>,
    /// How to show the matrix
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// How many faulty servers to grade at a time
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Repeat a run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

#[derive(Args)]
struct GradeArgs {
    /// Exercises (echo, heartbeat, broadcast) or checks (echo::reply); all if none is named
    #[arg(value_name = "EXERCISE|CHECK")]
    what: Vec<String>,
    /// Whose servers to grade
    #[arg(long, value_enum, default_value_t = TargetArg::Day1)]
    target: TargetArg,
    /// Grade this program instead, in whatever language, against one exercise
    #[arg(long, value_name = "CMD ARGS", conflicts_with = "target")]
    command: Option<String>,
    /// How to tell the verdicts
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Repeat a run: all payloads, sizes and numbers of clients follow from its seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Say afterwards where the time went
    #[arg(long)]
    timings: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum TargetArg {
    /// Yours, in day1/
    Day1,
    /// The reference, in solutions/
    Solutions,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object on stdout
    Json,
}

/// Runs the command line and says with what to exit.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return complain(UNKNOWN, &format!("this machine does not let the checker work: {error}")),
    };
    let code = runtime.block_on(async {
        tokio::select! {
            code = run(command) => code,
            () = interrupted() => ExitCode::from(INTERRUPTED),
        }
    });
    // Whatever still reads or waits has nothing more to say.
    runtime.shutdown_background();
    code
}

async fn run(command: Command) -> ExitCode {
    match command {
        Command::Grade(args) => run_grade(args).await,
        Command::Museum(args) => run_museum(args).await,
    }
}

fn complain(code: u8, message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::from(code)
}

/// What all chance in a run follows from, if nobody says.
pub fn fresh_seed() -> u64 {
    // Six digits can be typed.
    rand::random_range(100_000..1_000_000)
}

async fn run_grade(args: GradeArgs) -> ExitCode {
    let checks = match grade::select(&args.what) {
        Ok(checks) => checks,
        Err(word) => {
            return complain(
                USAGE,
                &format!("there is no exercise or check `{word}`; exercises are echo, heartbeat and broadcast, checks are named like echo::reply"),
            );
        }
    };
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let began = Instant::now();
    let plan = match &args.command {
        Some(command) => command_plan(checks, command, seed),
        None => {
            let target = match args.target {
                TargetArg::Day1 => Target::Day1,
                TargetArg::Solutions => Target::Solutions,
            };
            progress("building …");
            grade::built_plan(checks, target, seed).await.map_err(|error| (UNKNOWN, error))
        }
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err((code, message)) => return complain(code, &message),
    };
    let target = plan.target;
    let built = began.elapsed();
    let graded = with_progress(plan).await;
    let totals = Totals::of(&graded);
    let mut out = anstream::stdout().lock();
    let written = match args.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&json::result(&graded, seed)).expect("results can be written as JSON");
            writeln!(out, "{text}")
        }
        Format::Human => {
            let failures = graded.iter().filter_map(|graded| match &graded.outcome {
                Outcome::Failed(report) => Some(human::failure(graded, report)),
                _ => None,
            });
            let failures: Vec<String> = failures.collect();
            let failures = failures.join("\n");
            let overview = human::overview(&graded);
            write!(out, "{overview}{failures}{}{}", if failures.is_empty() { "" } else { "\n" }, human::next_step(&graded, target, seed))
        }
    };
    if args.timings {
        let mut err = anstream::stderr().lock();
        let _ = write!(err, "\n{}", timings::table(&graded, built, began.elapsed()));
    }
    match written {
        // Whoever closed the pipe has read enough.
        Ok(()) | Err(_) => ExitCode::from(totals.exit_code()),
    }
}

async fn run_museum(args: MuseumArgs) -> ExitCode {
    progress("building …");
    let (program, catalogue) = match museum::open().await {
        Ok(museum) => museum,
        Err(error) => return complain(UNKNOWN, &error),
    };
    let faults = catalogue.faults;
    if let Some(name) = args.fault.iter().find(|name| faults.iter().all(|fault| fault.name != **name)) {
        return complain(USAGE, &format!("the museum has no fault `{name}`; `cargo checker museum` names them all"));
    }
    let whole = args.fault.is_empty();
    let faults: Vec<_> = faults.into_iter().filter(|fault| whole || args.fault.contains(&fault.name)).collect();
    let (done, mut rows) = mpsc::unbounded_channel();
    let all = faults.len();
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let grading = tokio::spawn(museum::matrix(program, faults, args.jobs.into(), seed, done));
    let mut count = 0;
    while let Some(name) = rows.recv().await {
        count += 1;
        progress(&format!("{count} of {all} faults, last {name}"));
    }
    progress("");
    let Ok(matrix) = grading.await else { return complain(UNKNOWN, "the matrix could not be made") };
    let text = match args.format {
        Format::Json => serde_json::to_string_pretty(&matrix).expect("a matrix can be written as JSON"),
        Format::Human => report::matrix::matrix(&matrix, whole),
    };
    let _ = writeln!(anstream::stdout(), "{text}");
    ExitCode::from(u8::from(!matrix.complaints(whole).is_empty()))
}

fn command_plan(checks: Vec<&'static crate::checks::Check>, command: &str, seed: u64) -> Result<Plan, (u8, String)> {
    let exercise = checks[0].exercise;
    if checks.iter().any(|check| check.exercise != exercise) {
        let message = "--command grades one program against one exercise: name it, as in `cargo checker grade echo --command …`";
        return Err((USAGE, message.to_string()));
    }
    let argv = shlex::split(command).filter(|argv| !argv.is_empty());
    let argv = argv.ok_or_else(|| (USAGE, format!("--command `{command}` is no command line: is a quote missing?")))?;
    let directory = std::env::current_dir().map_err(|error| (UNKNOWN, format!("no current directory: {error}")))?;
    let programs = BTreeMap::from([(exercise, Ok(Program::new(argv, directory)))]);
    Ok(Plan { checks, programs, target: None, seed })
}

/// Grades, and on a terminal shows that it moves.
async fn with_progress(plan: Plan) -> Vec<Graded> {
    let order: Vec<&str> = plan.checks.iter().map(|check| check.id).collect();
    let (done, mut verdicts) = mpsc::unbounded_channel();
    let grading = tokio::spawn(grade::grade(plan, done));
    let mut graded: Vec<Graded> = Vec::new();
    progress(&format!("0 of {} checks", order.len()));
    while let Some(verdict) = verdicts.recv().await {
        progress(&format!("{} of {} checks, last {}", graded.len() + 1, order.len(), verdict.check.id));
        graded.push(verdict);
    }
    let _ = grading.await;
    progress("");
    graded.sort_by_key(|graded| order.iter().position(|id| *id == graded.check.id));
    graded
}

fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        // Back to the first column, and what was there is erased.
        eprint!("\r\x1b[2K{text}");
        let _ = std::io::stderr().flush();
    }
}
