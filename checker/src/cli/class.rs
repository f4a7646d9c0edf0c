//! `cargo checker class`: a package of its own, so that students do not compile its dependencies.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use clap::Args;

use super::exec;
use harness::server::build::{cargo, workspace};

#[derive(Args)]
#[command(disable_help_flag = true)]
pub(super) struct ClassArgs {
    /// Submissions and options; see `cargo checker class --help`
    #[arg(value_name = "SUBMISSIONS|OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<std::ffi::OsString>,
}

/// Replaces this process by the other program, which then also handles Ctrl-C.
pub(super) fn run(args: ClassArgs) -> ExitCode {
    let named = args.words.first().and_then(|word| {
        ["adjust", "merge", "rehearse", "sample"].into_iter().find(|verb| word == verb)
    });
    let (verb, words) = named.map_or(("class", &args.words[..]), |verb| (verb, &args.words[1..]));
    // The first build takes minutes, so cargo shows its progress.
    exec(class_command(&["--profile", "grading"]).arg(verb).args(words))
}

/// Converts these verdicts to a platform's format.
pub(super) fn convert(format: &str, verdicts: &[u8]) -> Result<Vec<u8>, String> {
    let mut command = class_command(&["--quiet"]);
    command.args(["convert", "--format", format]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut run = || {
        let mut child = command.spawn()?;
        // Dropping the pipe ends the other program's standard input.
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

/// Returns the cargo command that builds and runs the other program, with these options of cargo.
fn class_command(options: &[&str]) -> Command {
    let mut command = Command::new(cargo());
    let manifest = workspace().join("Cargo.toml");
    command
        .args(["run", "--package", "class"])
        .args(options)
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--");
    command
}
