//! The command line: parses the arguments and calls the library. One file for each command.

mod class;
mod completions;
mod explain;
mod grade;
pub mod hint;
mod journal;
mod list;
pub mod live;
mod museum;
mod reset;
mod soak;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use thiserror::Error;

use crate::interrupt::{INTERRUPTED, interrupted};
use crate::{plan, terminal};
use baseline::transports::remote::RemoteError;
use checks::{self, Check};
use harness::exercise::{Exercise, Target};
use harness::server::Program;

/// Exit code for an invalid command line.
pub const USAGE: u8 = 2;
/// Exit code if there is no verdict.
pub const UNKNOWN: u8 = 3;

#[derive(Parser)]
#[command(
    name = "cargo checker",
    bin_name = "cargo checker",
    about = "Grades the workbook's servers by talking to them",
    after_help = "A student needs `grade`, `watch` and `hint`. \
                  `cargo checker help COMMAND` explains each.",
    version
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print ASCII only, for a terminal without Unicode; so does CHECKER_ASCII=1
    // `take_ascii` takes it before this is parsed, since some commands parse their arguments
    // themselves. It stands here for the help and the completions.
    #[arg(long = "ascii", global = true)]
    _ascii: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Grade the exercises, or some of them
    ///
    /// Exit codes: 0 all passed, 1 a check failed, 2 invalid command line, 3 a check has no
    /// verdict.
    Grade(grade::GradeArgs),
    /// Grade an exercise again each time you save it
    ///
    /// Keys: h the next hint, l the lesson, a all failures or the first, r run again, q quit.
    Watch(live::WatchArgs),
    /// Give a hint for a check; ask again for the next one
    ///
    /// The first hint is a question, the next ones name places to look at, the last describes the
    /// code in words. None is the solution.
    Hint(hint::HintArgs),
    /// Explain a check: the contract, why it matters, a right and a wrong conversation
    Explain(explain::ExplainArgs),
    /// List exercises and checks with their last verdicts, points and lessons
    List(list::ListArgs),
    /// Keep a journal of grades and hints on this machine: show it, switch it, delete it
    Journal(journal::JournalArgs),
    /// Summarise the journal: how long each TODO took, and the answers to the quizzes
    Report,
    /// Put an exercise back to its skeleton; your file is kept beside it
    Reset(reset::ResetArgs),
    /// Print a completion script for your shell
    ///
    /// It completes the command `checker`. Add to your shell's startup file:
    /// alias checker='cargo checker'
    Completions(completions::CompletionsArgs),
    /// Grade many submissions in a sandbox
    Class(class::ClassArgs),
    /// Show that the checks find every known fault
    ///
    /// Exit codes: 0 the matrix holds, 1 it does not, 2 invalid command line, 3 no matrix.
    Museum(museum::MuseumArgs),
    /// Show that the checks catch what students write: each solution with one mistake
    ///
    /// Exit codes: 0 the named check caught each mistake first, 1 it did not, 2 invalid command
    /// line, 3 a check has no verdict.
    Mistakes(live::MistakesArgs),
    /// Grade right servers repeatedly: each failure is a fault of the checks
    ///
    /// Exit codes: 0 all passed, 1 a check failed, 2 invalid command line, 3 a check has no
    /// verdict.
    Soak(soak::SoakArgs),
    /// Play with a server on a page: see each frame live, and pull the cable
    #[command(disable_help_flag = true)]
    Play(live::ToolArgs),
    /// Show on a page where each student of a class stands, as they work
    #[command(disable_help_flag = true)]
    Board(live::ToolArgs),
    /// Serve the same chat over HTTP: polling and server-sent events, to try with curl
    #[command(disable_help_flag = true)]
    Polling(live::ToolArgs),
    /// Ask the questions of a lesson, from 1 to 5
    #[command(disable_help_flag = true)]
    Quiz(live::ToolArgs),
    /// Find the fault of a server that breaks one row of the contract
    #[command(disable_help_flag = true)]
    Guess(live::ToolArgs),
    /// Race push against polling, on your own broadcast server
    #[command(disable_help_flag = true)]
    Race(live::ToolArgs),
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object on stdout
    Json,
}

/// The servers to use.
#[derive(Clone, Copy, ValueEnum)]
pub enum TargetArg {
    /// Yours, in day1/
    Day1,
    /// The reference, in solutions/
    Solutions,
}

impl From<TargetArg> for Target {
    fn from(target: TargetArg) -> Self {
        match target {
            TargetArg::Day1 => Target::Day1,
            TargetArg::Solutions => Target::Solutions,
        }
    }
}

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    match Cli::parse_from(terminal::take_ascii(std::env::args_os())).command {
        Command::Class(args) => class::run(args),
        command => until_interrupted(run(command)),
    }
}

/// Runs a command to its end, or until Ctrl-C, and returns the exit code.
pub fn until_interrupted(running: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return complain(UNKNOWN, format!("cannot start the async runtime: {error}"));
        }
    };
    let code = runtime.block_on(async {
        tokio::select! {
            code = running => code,
            () = interrupted() => ExitCode::from(INTERRUPTED),
        }
    });
    // Blocking reads of standard input never end, so they are not waited for.
    runtime.shutdown_background();
    code
}

async fn run(command: Command) -> ExitCode {
    match command {
        Command::Class(args) => class::run(args),
        Command::Grade(args) => grade::run(args).await,
        Command::Watch(_) => live::hand_over("watch").await,
        Command::Hint(args) => hint::run(args),
        Command::Explain(args) => explain::run(args),
        Command::List(args) => list::run(args),
        Command::Journal(args) => journal::run(args),
        Command::Report => journal::report(),
        Command::Reset(args) => reset::run(args),
        Command::Completions(args) => completions::run(args),
        Command::Museum(args) => museum::run(args).await,
        Command::Mistakes(_) => live::hand_over("mistakes").await,
        Command::Quiz(_) => live::hand_over("quiz").await,
        Command::Guess(_) => live::hand_over("guess").await,
        Command::Soak(args) => soak::run(args).await,
        Command::Play(_) => live::hand_over("play").await,
        Command::Board(_) => live::hand_over("board").await,
        Command::Polling(_) | Command::Race(_) => live::hand_over("race").await,
    }
}

/// Finds the exercise with this name, for clap.
pub fn exercise(name: &str) -> Result<Exercise, String> {
    Exercise::named(name).ok_or_else(|| {
        did_you_mean(name, Exercise::ALL.into_iter().map(Exercise::name))
            .unwrap_or_else(|| "exercises are echo, heartbeat and broadcast".to_string())
    })
}

/// Finds the check with this id, or suggests one.
fn check(id: &str) -> Result<&'static Check, String> {
    checks::find(id).ok_or_else(|| {
        if let Some(exercise) = Exercise::named(id) {
            return format!(
                "`{id}` is an exercise; name one of its checks, \
                 which `cargo checker list {exercise}` shows"
            );
        }
        let help = did_you_mean(id, checks::all().into_iter().map(|check| check.id));
        let help = help.unwrap_or_else(|| {
            "`cargo checker list` names them all, as in echo::reply".to_string()
        });
        format!("there is no check `{id}`; {help}")
    })
}

/// The least similarity of a name that is suggested: two letters of four may have changed places.
const SIMILAR: f64 = 0.7;

/// Suggests the name that is most like this word, if one is.
///
/// The name of a check without its exercise is enough: `close` means `echo::close`.
fn did_you_mean(word: &str, names: impl Iterator<Item = &'static str>) -> Option<String> {
    let last = |name: &'static str| name.rsplit("::").next().unwrap_or(name);
    let similarity = |name: &'static str| {
        let whole = strsim::normalized_damerau_levenshtein(word, name);
        whole.max(strsim::normalized_damerau_levenshtein(word, last(name)))
    };
    let similar = names.map(|name| (similarity(name), name));
    // The first of equally similar names counts: it belongs to the easier exercise.
    let (similarity, name) =
        similar.reduce(|best, other| if other.0 > best.0 { other } else { best })?;
    (similarity >= SIMILAR).then(|| format!("did you mean `{name}`?"))
}

/// Returns the names of all exercises and checks.
fn all_names() -> impl Iterator<Item = &'static str> {
    let exercises = Exercise::ALL.into_iter().map(Exercise::name);
    exercises.chain(checks::all().into_iter().map(|check| check.id))
}

/// Returns the checks that these words select, with their prerequisites.
///
/// Prints an error and returns its exit code if a word selects nothing.
fn select(words: &[String]) -> Result<Vec<&'static Check>, ExitCode> {
    plan::select(words).map_err(|word| {
        let help = did_you_mean(&word, all_names()).unwrap_or_else(|| {
            "exercises are echo, heartbeat and broadcast, checks are named like echo::reply"
                .to_string()
        });
        complain(USAGE, format!("there is no exercise or check `{word}`; {help}"))
    })
}

/// Prints an error to stderr and returns this exit code.
pub fn complain(code: u8, message: impl Display) -> ExitCode {
    eprintln!("error: {}", terminal::shown(&message.to_string()));
    ExitCode::from(code)
}

/// An error of a command, with the exit code for it.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct CliError {
    /// The exit code.
    pub code: u8,
    /// The message for stderr.
    pub message: String,
}

impl CliError {
    /// Makes an error with this exit code.
    pub fn new(code: u8, message: impl ToString) -> Self {
        CliError { code, message: message.to_string() }
    }

    /// Prints the error to stderr and returns its exit code.
    pub fn exit(&self) -> ExitCode {
        complain(self.code, &self.message)
    }
}

impl From<RemoteError> for CliError {
    fn from(error: RemoteError) -> Self {
        let code = match error {
            RemoteError::Scheme(_) => USAGE,
            RemoteError::Host { .. } => UNKNOWN,
        };
        CliError::new(code, error)
    }
}

/// Returns the program that `--command` names, to be started in the current directory.
pub fn commanded(command: &str) -> Result<Program, CliError> {
    let argv = split(command).filter(|argv| !argv.is_empty());
    let argv = argv.ok_or_else(|| {
        let message = format!("--command `{command}` is not a command line: is a quote missing?");
        CliError::new(USAGE, message)
    })?;
    let directory = std::env::current_dir()
        .map_err(|error| CliError::new(UNKNOWN, format!("no current directory: {error}")))?;
    Ok(Program::new(argv, directory))
}

/// Splits a command line as a shell does.
#[cfg(not(windows))]
fn split(command: &str) -> Option<Vec<String>> {
    shlex::split(command)
}

/// Splits a command line as Windows programs do: a backslash separates folders.
#[cfg(windows)]
fn split(command: &str) -> Option<Vec<String>> {
    Some(winsplit::split(command))
}

/// Returns a random seed, for a run without `--seed`.
pub fn fresh_seed() -> u64 {
    // Six digits are easy to type.
    rand::random_range(100_000..1_000_000)
}

/// Replaces the progress line on a terminal.
pub fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        // Returns to the first column and erases the line.
        eprint!("\r\x1b[2K{}", terminal::shown(text));
        let _ = std::io::stderr().flush();
    }
}

/// Awaits a future, and shows the elapsed seconds on a terminal.
async fn with_spinner<F: Future>(text: &str, what: F) -> F::Output {
    let mut what = std::pin::pin!(what);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    let mut passed = 0;
    loop {
        tokio::select! {
            biased;
            output = &mut what => return output,
            _ = seconds.tick() => {
                match passed {
                    0 => progress(&format!("{text} …")),
                    _ => progress(&format!("{text} … {passed} s")),
                }
                passed += 1;
            }
        }
    }
}

/// Replaces this process by that program, which then also handles Ctrl-C.
#[cfg(unix)]
fn exec(command: &mut std::process::Command) -> ExitCode {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    complain(UNKNOWN, format!("cannot run {}: {error}", command.get_program().display()))
}

/// Runs that program and returns its exit code.
#[cfg(not(unix))]
fn exec(command: &mut std::process::Command) -> ExitCode {
    match command.status() {
        Ok(status) => ExitCode::from(
            status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(UNKNOWN),
        ),
        Err(error) => {
            complain(UNKNOWN, format!("cannot run {}: {error}", command.get_program().display()))
        }
    }
}
