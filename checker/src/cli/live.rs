//! Commands that live in packages of their own: what those are built from, nobody has to wait for who only grades.
//!
//! Their words are read here, so that help, complaints and completions need nothing to be built.

use std::env::consts::EXE_SUFFIX;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use clap::{Args, ValueEnum};
use tokio::process::Command;

use super::{TargetArg, UNKNOWN, become_it, complain, moving, progress};
use harness::exercise::Exercise;
use harness::server::build::cargo;

/// Builds this package's program if something changed, and becomes it, with this process's own words.
pub(super) async fn hand_over(package: &str) -> ExitCode {
    let built = moving(&format!("building the {package}"), built(package)).await;
    progress("");
    match built {
        Ok(program) => {
            become_it(std::process::Command::new(program).args(std::env::args_os().skip(1)))
        }
        Err(why) => complain(UNKNOWN, &why),
    }
}

/// The program, as this one was built and beside it: whatever workbook is graded, and wherever that builds to.
async fn built(package: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe()
        .map_err(|error| format!("where this program is can't be told: {error}"))?;
    let lost = || format!("no place to build the {package} to, beside {}", own.display());
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
            "the {package} can't be built: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(folder.join(format!("{package}{EXE_SUFFIX}")))
}

/// What `watch` is told.
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

/// What `play` is told.
#[derive(Args)]
pub struct PlayArgs {
    /// The exercise to play with
    #[arg(value_enum, value_name = "EXERCISE", default_value_t = ExerciseArg::Broadcast)]
    pub exercise: ExerciseArg,
    /// Whose server to play with
    #[arg(long, value_enum, default_value_t = TargetArg::Day1)]
    pub target: TargetArg,
    /// Play with this program instead, in whatever language
    #[arg(long, value_name = "CMD ARGS", conflicts_with = "target")]
    pub command: Option<String>,
    /// Play with a server that runs already
    #[arg(long, value_name = "ws://HOST:PORT", conflicts_with_all = ["target", "command", "watch", "interval"])]
    pub url: Option<String>,
    /// The port of the page; 0 means any free one
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    pub port: u16,
    /// The server's heartbeat interval in milliseconds: short, so that a beat is seen
    #[arg(long, value_name = "MILLIS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub interval: u64,
    /// The interface that others reach the page and the server by; only this machine if nobody says
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// Build and start the server again whenever its source is saved
    #[arg(long, conflicts_with = "command")]
    pub watch: bool,
}

/// An exercise.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum ExerciseArg {
    /// Says back what it hears
    Echo,
    /// The same with heartbeats
    Heartbeat,
    /// Says to everybody what it hears
    Broadcast,
}

/// What `race` is told.
#[derive(Args)]
pub struct RaceArgs {
    /// Whose `broadcast` server races
    #[arg(long, value_enum, default_value_t = TargetArg::Day1)]
    pub target: TargetArg,
    /// Let this program race instead, in whatever language
    #[arg(long, value_name = "CMD ARGS", conflicts_with = "target")]
    pub command: Option<String>,
    /// Let a server race that runs already
    #[arg(long, value_name = "ws://HOST:PORT", conflicts_with_all = ["target", "command"])]
    pub url: Option<String>,
    /// In 5 s instead of 20: rougher
    #[arg(long)]
    pub quick: bool,
    /// How far away everybody is: a round trip in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=2_000))]
    pub rtt: u64,
    /// How far events are apart, on the average, in milliseconds
    #[arg(long, value_name = "MILLIS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=1_000))]
    pub every: u64,
    /// A new connection for each request of those who ask, instead of one that is kept
    #[arg(long)]
    pub reconnect: bool,
    /// Repeat a race: all moments and messages follow from its seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How to tell what came out
    #[arg(long, value_enum, default_value_t = RaceFormat::Human)]
    pub format: RaceFormat,
    /// Draw it as well
    #[arg(long, value_name = "FILE.svg")]
    pub chart: Option<PathBuf>,
    /// Make a page of it as well; it needs no network
    #[arg(long, value_name = "FILE.html")]
    pub html: Option<PathBuf>,
}

/// A way of telling what came out of a race.
#[derive(Clone, Copy, ValueEnum)]
pub enum RaceFormat {
    /// For people
    Human,
    /// One JSON object on stdout
    Json,
    /// Every single message
    Csv,
}

/// What `polling` is told.
#[derive(Args)]
pub struct PollingArgs {
    /// Where to listen; port 0 means any free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    pub addr: String,
    /// Serve a bare TCP relay instead, the floor of the race
    #[arg(long, hide = true)]
    pub relay: bool,
}
