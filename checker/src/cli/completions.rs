//! `cargo checker completions`.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

#[derive(Args)]
pub(super) struct CompletionsArgs {
    /// The shell to complete in
    shell: Shell,
}

/// Prints the completion script.
pub(super) fn run(args: CompletionsArgs) -> ExitCode {
    // Cargo completes only its own subcommands, so the script is for the program itself.
    generate(args.shell, &mut super::Cli::command(), "checker", &mut std::io::stdout());
    ExitCode::SUCCESS
}
