//! `cargo checker watch`: grades an exercise each time it is saved.
//!
//! [`files`] reports saves, [`round`] builds and grades, [`keys`] reads keys, [`screen`] draws, and
//! [`session`] connects them. [`board`] tells the instructor's board the verdicts, if asked to.

mod board;
mod files;
mod keys;
mod round;
mod screen;
mod session;

use std::process::ExitCode;

use checker::cli::live::WatchArgs;
use checker::cli::{UNKNOWN, USAGE, complain, fresh_seed, hint, until_interrupted};
use clap::Parser;
use harness::exercise::Exercise;

use session::Session;

#[derive(Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
enum Command {
    /// Grade an exercise again each time you save it
    Watch(WatchArgs),
}

fn main() -> ExitCode {
    let Command::Watch(args) = Command::parse();
    until_interrupted(run(args))
}

/// Runs the session until the student quits.
async fn run(args: WatchArgs) -> ExitCode {
    let exercises = args.exercise.map_or_else(|| Exercise::ALL.to_vec(), |exercise| vec![exercise]);
    let board = match board::join(&args).await {
        Ok(board) => board,
        Err(error) => return complain(USAGE, error),
    };
    let session = Session::new(exercises, args.seed.unwrap_or_else(fresh_seed), board);
    match session.run(|check, width| hint::next_hint(check, false, width)).await {
        Ok(()) => {
            println!();
            ExitCode::SUCCESS
        }
        Err(error) => complain(UNKNOWN, format!("cannot read keys from this terminal: {error}")),
    }
}
