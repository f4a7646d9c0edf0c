//! `cargo checker board`: the live board of a class.
//!
//! A real server, in the parts that lesson 6 names: [`server`] accepts connections, [`student`] and
//! [`viewer`] each serve one, [`heartbeat`] finds dead ones, [`room`] has the state and sends its
//! changes to all pages, and [`save`] keeps events in a file.

mod cli;
mod heartbeat;
mod room;
mod save;
mod server;
mod student;
mod viewer;

use std::process::ExitCode;

use checker::cli::{UNKNOWN, complain};
use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo checker", bin_name = "cargo checker", version)]
enum Command {
    /// Show on a page where each student of a class stands, as they work
    ///
    /// Exit codes: 2 invalid command line, 3 cannot listen, 130 ended by Ctrl-C.
    Board(cli::BoardArgs),
}

fn main() -> ExitCode {
    let Command::Board(args) = Command::parse();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(cli::run(args)),
        Err(error) => complain(UNKNOWN, format!("cannot start the async runtime: {error}")),
    }
}
