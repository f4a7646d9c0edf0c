//! `cargo checker race` and `polling`: the checker hands its arguments over to this program.

mod cli;

use std::process::ExitCode;

use checker::cli::until_interrupted;
use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
enum Command {
    /// Race push against polling, on your own broadcast server
    ///
    /// Exit codes: 0 measured, 1 the server failed, 2 invalid command line, 3 not measured.
    Race(cli::race::RaceArgs),
    /// Serve the same chat over HTTP: polling and server-sent events, to try with curl
    ///
    /// Exit codes: 2 invalid command line, 3 cannot listen.
    Polling(cli::polling::PollingArgs),
}

fn main() -> ExitCode {
    until_interrupted(async {
        match Command::parse() {
            Command::Race(args) => cli::race::run(args).await,
            Command::Polling(args) => cli::polling::run(args).await,
        }
    })
}
