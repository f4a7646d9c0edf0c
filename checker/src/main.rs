//! `cargo checker`: see [`checker::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    checker::cli::main()
}
