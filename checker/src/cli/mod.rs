//! The command line: it parses and calls. One file a command.

mod class;
mod grade;
mod museum;
mod polling;
mod race;
mod soak;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::interrupt::{INTERRUPTED, interrupted};

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
    Grade(grade::GradeArgs),
    /// Grade many submissions, which need not be trusted
    Class(class::ClassArgs),
    /// Show that the checks find what they should: every known mistake against every check
    ///
    /// Exit codes: 0 the matrix holds, 1 it does not, 2 the command line makes no sense, 3 it could not be made.
    Museum(museum::MuseumArgs),
    /// Grade right servers again and again: whatever fails is a fault of the checks
    ///
    /// Exit codes: 0 all passed, 1 something failed, 2 the command line makes no sense, 3 something could not be judged.
    Soak(soak::SoakArgs),
    /// Serve the same chat over HTTP: polling and server-sent events, to try with curl
    ///
    /// Exit codes: 2 the command line makes no sense, 3 it could not listen.
    Polling(polling::PollingArgs),
    /// Race push against polling, on your own broadcast server
    ///
    /// Exit codes: 0 measured, 1 the server failed, 2 the command line makes no sense, 3 it could not be measured.
    Race(race::RaceArgs),
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
    let command = match Cli::parse().command {
        Command::Class(args) => return class::run(args),
        command => command,
    };
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
        Command::Class(args) => class::run(args),
        Command::Grade(args) => grade::run(args).await,
        Command::Museum(args) => museum::run(args).await,
        Command::Soak(args) => soak::run(args).await,
        Command::Polling(args) => polling::run(args).await,
        Command::Race(args) => race::run(args).await,
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

fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        // Back to the first column, and what was there is erased.
        eprint!("\r\x1b[2K{text}");
        let _ = std::io::stderr().flush();
    }
}
