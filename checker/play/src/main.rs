//! `cargo checker play`: the checker hands its arguments over to this program.

mod cli;

use std::process::ExitCode;

use checker::cli::until_interrupted;
use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
enum Command {
    /// Play with a server on a page: see each frame live, and pull the cable
    ///
    /// Exit codes: 2 invalid command line, 3 cannot listen.
    Play(cli::PlayArgs),
}

fn main() -> ExitCode {
    let Command::Play(args) = Command::parse();
    until_interrupted(cli::run(args))
}
