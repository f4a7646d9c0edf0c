//! Commands in packages of their own, so that `cargo checker grade` does not compile them.
//!
//! `play`, `board`, `race`, `polling`, `quiz` and `guess` parse their arguments themselves. The arguments of
//! the others are parsed here, so that their help, errors and completions need no build.

use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use clap::Args;
use tokio::process::Command;

use super::{UNKNOWN, complain, exec, progress, with_spinner};
use crate::terminal;
use harness::exercise::Exercise;
use harness::server::build::cargo;

/// Builds this package's program if necessary, and replaces this process by it, with its arguments.
pub(super) async fn hand_over(package: &str) -> ExitCode {
    let built = with_spinner(&announcement(package), build(package)).await;
    progress("");
    match built {
        Ok(program) => {
            let mut command = std::process::Command::new(program);
            command.args(terminal::take_ascii(std::env::args_os().skip(1)));
            if terminal::is_ascii() {
                command.env(terminal::VARIABLE, "1");
            }
            exec(&mut command)
        }
        Err(why) => complain(UNKNOWN, &why),
    }
}

/// Says what is built, and how long it takes if nothing of it was built before.
fn announcement(package: &str) -> String {
    let what = match package {
        "play" => "the playground",
        other => other,
    };
    let program = || Some(std::env::current_exe().ok()?.with_file_name(program_name(package)));
    match program().is_some_and(|program| program.exists()) {
        true => format!("building {what}"),
        false => format!("building {what}, about a minute"),
    }
}

fn program_name(package: &str) -> String {
    format!("{package}{EXE_SUFFIX}")
}

/// Builds the program with this program's profile, into the folder of this program.
///
/// The workbook that is graded may be another one, with another target folder.
async fn build(package: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe()
        .map_err(|error| format!("cannot find the path of this program: {error}"))?;
    let lost = || format!("no folder to build {package} in, beside {}", own.display());
    let folder = own.parent().ok_or_else(lost)?;
    let (Some(profile), Some(target)) = (folder.file_name(), folder.parent()) else {
        return Err(lost());
    };
    let profile = if profile == "debug" { "dev".into() } else { profile.to_os_string() };
    let cargo = cargo();
    let mut command = Command::new(&cargo);
    command.args(["build", "--quiet", "--package", package, "--profile"]).arg(profile);
    command.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    command.arg("--target-dir").arg(target).stdin(Stdio::null()).kill_on_drop(true);
    let output = command
        .output()
        .await
        .map_err(|error| format!("cannot run {}: {error}", cargo.display()))?;
    if !output.status.success() {
        return Err(format!("cannot build {package}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(folder.join(program_name(package)))
}

/// Arguments of `watch`.
#[derive(Args)]
pub struct WatchArgs {
    /// Only this exercise (echo, heartbeat or broadcast)
    #[arg(value_name = "EXERCISE", value_parser = super::exercise)]
    pub exercise: Option<Exercise>,
    /// All payloads, sizes and numbers of clients follow from this
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Show the instructor's board your name and the verdict on each check, never your source
    #[arg(long, value_name = "ws://HOST:PORT/ROOM")]
    pub board: Option<String>,
    /// Your name on the board; asked for if it is missing
    #[arg(long, value_name = "NAME", requires = "board")]
    pub name: Option<String>,
}

/// Arguments of `mistakes`.
#[derive(Args)]
pub struct MistakesArgs {
    /// Names of mistakes, or exercises; all if none is named
    pub mistakes: Vec<String>,
    /// How often to grade each mistake, each time with another seed
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// How many servers to grade at a time
    #[arg(long, value_name = "N", default_value_t = 6,
        value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: u16,
    /// Repeat a run
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// The arguments of a tool that parses them itself.
#[derive(Args)]
pub struct ToolArgs {
    /// `--help` lists them
    #[arg(value_name = "OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}
