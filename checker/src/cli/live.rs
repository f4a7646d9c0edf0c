//! Commands in packages of their own, so that `cargo checker grade` does not compile them.
//!
//! Their arguments are parsed here, so that help, errors and completions need no build.

use std::env::consts::EXE_SUFFIX;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use clap::{Args, ValueEnum};
use tokio::process::Command;

use super::{TargetArg, UNKNOWN, complain, exec, progress, with_spinner};
use harness::exercise::Exercise;
use harness::server::build::cargo;

/// Builds this package's program if necessary, and replaces this process by it, with its arguments.
pub(super) async fn hand_over(package: &str) -> ExitCode {
    let built = with_spinner(&format!("building the {package}"), build(package)).await;
    progress("");
    match built {
        Ok(program) => exec(std::process::Command::new(program).args(std::env::args_os().skip(1))),
        Err(why) => complain(UNKNOWN, &why),
    }
}

/// Builds the program with this program's profile, into the folder of this program.
///
/// The workbook that is graded may be another one, with another target folder.
async fn build(package: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe()
        .map_err(|error| format!("cannot find the path of this program: {error}"))?;
    let lost = || format!("no folder to build the {package} in, beside {}", own.display());
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
        return Err(format!(
            "cannot build the {package}: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(folder.join(format!("{package}{EXE_SUFFIX}")))
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
}

/// Arguments of `mistakes`.
#[derive(Args)]
pub struct MistakesArgs {
    /// Names of mistakes, or exercises; all if none is named
    pub mistakes: Vec<String>,
    /// How often to grade each mistake, each time with another seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub runs: u16,
    /// How many servers to grade at a time
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: u16,
    /// Repeat a run
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// Arguments of `quiz`.
#[derive(Args)]
pub struct QuizArgs {
    /// The number of the lesson
    #[arg(value_name = "LESSON", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub lesson: u8,
}

/// Arguments of `guess`.
#[derive(Args)]
pub struct GuessArgs {
    /// Only faults of this exercise (echo, heartbeat or broadcast)
    #[arg(long, value_name = "EXERCISE", value_parser = super::exercise)]
    pub exercise: Option<Exercise>,
    /// Only faults of this level, from 1 (easy) to 5
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub level: Option<u8>,
    /// Start the same server again
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// Arguments of `play`.
#[derive(Args)]
pub struct PlayArgs {
    /// The exercise to play with
    #[arg(value_enum, value_name = "EXERCISE", default_value_t = ExerciseArg::Broadcast)]
    pub exercise: ExerciseArg,
    /// The server to play with
    #[arg(long, value_enum, default_value_t = TargetArg::Day1)]
    pub target: TargetArg,
    /// Play with this program instead, in any language
    #[arg(long, value_name = "CMD ARGS", conflicts_with = "target")]
    pub command: Option<String>,
    /// Play with a server that runs already
    #[arg(long, value_name = "ws://HOST:PORT", conflicts_with_all = ["target", "command", "watch", "interval"])]
    pub url: Option<String>,
    /// The port of the page; 0 means any free one
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    pub port: u16,
    /// The server's heartbeat interval in milliseconds, short enough to watch
    #[arg(long, value_name = "MILLIS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub interval: u64,
    /// The address to listen on, for the page and the server; by default only this machine
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// Build and start the server again whenever its source is saved
    #[arg(long, conflicts_with = "command")]
    pub watch: bool,
}

/// An exercise.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum ExerciseArg {
    /// Sends each message back
    Echo,
    /// The same with heartbeats
    Heartbeat,
    /// Sends each message to all clients
    Broadcast,
}

/// Arguments of `race`.
#[derive(Args)]
pub struct RaceArgs {
    /// The `broadcast` server of the race
    #[arg(long, value_enum, default_value_t = TargetArg::Day1)]
    pub target: TargetArg,
    /// Race this program instead, in any language
    #[arg(long, value_name = "CMD ARGS", conflicts_with = "target")]
    pub command: Option<String>,
    /// Race a server that runs already
    #[arg(long, value_name = "ws://HOST:PORT", conflicts_with_all = ["target", "command"])]
    pub url: Option<String>,
    /// Race for 5 s instead of 20: less precise
    #[arg(long)]
    pub quick: bool,
    /// The round-trip time of all clients, in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=2_000))]
    pub rtt: u64,
    /// The average time between events, in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=1_000))]
    pub every: u64,
    /// Open a new connection for each polling request, instead of keeping one
    #[arg(long)]
    pub reconnect: bool,
    /// Repeat a race: all times and messages follow from its seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The format of the result
    #[arg(long, value_enum, default_value_t = RaceFormat::Human)]
    pub format: RaceFormat,
    /// Also draw a chart
    #[arg(long, value_name = "FILE.svg")]
    pub chart: Option<PathBuf>,
    /// Also write a page, which needs no network
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
}

/// The format of a race's result.
#[derive(Clone, Copy, ValueEnum)]
pub enum RaceFormat {
    /// For people
    Human,
    /// One JSON object on stdout
    Json,
    /// Every single message
    Csv,
}

/// Arguments of `polling`.
#[derive(Args)]
pub struct PollingArgs {
    /// Where to listen; port 0 means any free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    pub addr: String,
    /// Serve a TCP relay instead, the lower bound of the race
    #[arg(long, hide = true)]
    pub relay: bool,
}
