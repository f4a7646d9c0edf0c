//! `cargo checker completions`.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

#[derive(Args)]
pub(super) struct CompletionsArgs {
    /// The shell to complete in
    shell: Shell,
}

/// Prints the completion script.
pub(super) fn run(args: CompletionsArgs) -> ExitCode {
    let all: Vec<&str> = super::all_names().collect();
    let checks: Vec<&str> = all.iter().copied().filter(|name| name.contains("::")).collect();
    let exercises: Vec<&str> = all.iter().copied().filter(|name| !name.contains("::")).collect();
    // The names are offered here only: a prefix of them is a valid argument as well.
    let mut command = super::Cli::command();
    for (subcommand, argument, names) in [
        ("grade", "what", &all),
        ("hint", "check", &checks),
        ("explain", "check", &checks),
        ("list", "exercise", &exercises),
        ("reset", "exercise", &exercises),
    ] {
        let offered = PossibleValuesParser::new(names);
        command = command.mut_subcommand(subcommand, |subcommand| {
            subcommand.mut_arg(argument, |argument| argument.value_parser(offered))
        });
    }
    // Cargo completes only its own subcommands, so the script is for the program itself.
    generate(args.shell, &mut command, "checker", &mut std::io::stdout());
    ExitCode::SUCCESS
}
