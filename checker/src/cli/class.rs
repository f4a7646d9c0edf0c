//! `cargo checker class`, which lives in a package of its own: what it is built from, no student has to wait for.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use clap::Args;

use super::become_it;
use harness::server::build::{cargo, workspace};

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(super) struct ClassArgs {
    /// Submissions and options; `cargo checker class --help` tells of them
    #[arg(value_name = "SUBMISSIONS|OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<std::ffi::OsString>,
}

/// Hands over to the other program, Ctrl-C included.
pub(super) fn run(args: ClassArgs) -> ExitCode {
    let named = args
        .words
        .first()
        .and_then(|word| ["merge", "sample"].into_iter().find(|verb| word == verb));
    let (verb, words) = named.map_or(("class", &args.words[..]), |verb| (verb, &args.words[1..]));
    // The first time this builds for minutes, and cargo tells so.
    become_it(classroom(&["--profile", "grading"]).arg(verb).args(words))
}

/// These verdicts in a platform's format.
pub(super) fn converted(format: &str, verdicts: &[u8]) -> Result<Vec<u8>, String> {
    let mut command = classroom(&["--quiet"]);
    command.args(["convert", "--format", format]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut run = || {
        let mut child = command.spawn()?;
        // Its standard input ends where this does.
        child.stdin.take().map_or(Ok(()), |mut input| input.write_all(verdicts))?;
        child.wait_with_output()
    };
    let output = run().map_err(|error| format!("cannot run cargo: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("no result in the format {format}"))
    }
}

/// Cargo's command that builds the other program, with these options, and runs it.
fn classroom(options: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    let manifest = workspace().join("Cargo.toml");
    command
        .args(["run", "--package", "classroom"])
        .args(options)
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--");
    command
}
