//! `cargo checker play`, `race` and `polling`: the checker hands its own words over to this program.

mod cli;

use std::process::ExitCode;

use checker::cli::live::{PlayArgs, PollingArgs, RaceArgs};
use checker::cli::until_interrupted;
use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
enum Command {
    /// Play with a server on a page
    Play(PlayArgs),
    /// Serve the same chat over HTTP
    Polling(PollingArgs),
    /// Race push against polling
    Race(RaceArgs),
}

fn main() -> ExitCode {
    let command = Command::parse();
    until_interrupted(async {
        match command {
            Command::Play(args) => cli::play::run(args).await,
            Command::Polling(args) => cli::polling::run(args).await,
            Command::Race(args) => cli::race::run(args).await,
        }
    })
}
