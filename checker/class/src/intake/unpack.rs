//! Unpacks a submission in a process of its own, so that its crash or its memory is that
//! submission's alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use clap::Args;
use harness::exercise::Exercise;
use harness::server::process::{self, Process};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::AsyncReadExt;

use super::fingerprints::{Fingerprints, programs, runs};
use super::sources::{Sources, collect};
use crate::launch::Launcher;

/// After this long unpacking is given up. It takes milliseconds for a submission of the usual size.
const LIMIT: Duration = Duration::from_secs(60);
/// How much of the process's error output is kept, in bytes.
const WORDS: u64 = 4 << 10;

#[derive(Args)]
pub(crate) struct UnpackArgs {
    submission: PathBuf,
    folder: PathBuf,
    /// The only exercise that is graded
    #[arg(long, value_parser = crate::args::exercise)]
    exercise: Option<Exercise>,
}

/// The process's answer about a submission.
#[derive(Serialize, Deserialize)]
enum Outcome {
    Sources(Sources),
    Unreadable(String),
}

/// A submission has no sources.
#[derive(Debug, Error)]
pub(crate) enum UnpackError {
    /// The fault of the submission.
    #[error("{0}")]
    Unreadable(String),
    /// The process ended before it had an answer.
    #[error("unpacking it ended with {status}{words}")]
    Crashed { status: String, words: String },
    #[error("unpacking it came to no end in {} s", LIMIT.as_secs())]
    TimedOut,
    #[error("it could not be unpacked: {0}")]
    Io(#[from] std::io::Error),
}

impl UnpackError {
    /// Returns whether the submission is at fault, and not the grader.
    pub(crate) fn is_of_the_submission(&self) -> bool {
        matches!(self, UnpackError::Unreadable(_))
    }
}

/// The process: writes `outcome.json`, `files/` and `programs/` into the folder, and
/// `fingerprints.json` last.
pub(crate) fn run(args: &UnpackArgs) -> anyhow::Result<ExitCode> {
    let write = |name: &str, value: Vec<u8>| fs::write(args.folder.join(name), value);
    let (sources, texts) = match collect(&args.submission, &args.folder, args.exercise) {
        Ok(collected) => collected,
        Err(error) => {
            let outcome = Outcome::Unreadable(error.to_string());
            write("outcome.json", serde_json::to_vec(&outcome)?)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    for (path, bytes) in &texts {
        let path = args.folder.join("files").join(path);
        fs::create_dir_all(path.parent().unwrap_or(&args.folder))?;
        fs::write(path, bytes)?;
    }
    write("outcome.json", serde_json::to_vec(&Outcome::Sources(sources))?)?;
    // Last, since a crash here costs the comparison only.
    let programs = programs(&texts);
    fs::create_dir_all(args.folder.join("programs"))?;
    for (exercise, text) in &programs {
        write(&format!("programs/{exercise}.rs"), text.clone().into_bytes())?;
    }
    let fingerprints: Fingerprints =
        programs.into_iter().map(|(exercise, text)| (exercise, runs(&text))).collect();
    write("fingerprints.json", serde_json::to_vec(&fingerprints)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Starts the process for one submission, and reads what it found.
pub(crate) async fn unpack(
    launcher: &Launcher,
    submission: &Path,
    folder: &Path,
    only: Option<Exercise>,
) -> Result<(Sources, Fingerprints), UnpackError> {
    fs::create_dir_all(folder)?;
    let mut command = launcher.unpack(submission, folder, only).into_command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mark = format!("unpack-{}-{:x}", std::process::id(), hash_path(folder));
    let (mut child, _, stderr) = Process::spawn(command, &mark)?;
    let mut words = Vec::new();
    let run = async {
        if let Some(stderr) = stderr {
            let _ = stderr.take(WORDS).read_to_end(&mut words).await;
        }
        child.wait().await
    };
    let ended = tokio::time::timeout(LIMIT, run).await;
    process::kill(child.id());
    let status = ended.map_err(|_| UnpackError::TimedOut)??;
    let outcome = fs::read(folder.join("outcome.json")).ok();
    match outcome.and_then(|text| serde_json::from_slice(&text).ok()) {
        Some(Outcome::Sources(mut sources)) => {
            let fingerprints = fs::read(folder.join("fingerprints.json")).ok();
            let fingerprints = fingerprints.and_then(|text| serde_json::from_slice(&text).ok());
            if fingerprints.is_none() {
                let note = format!("no comparison with others: that ended with {status}");
                sources.left_out.push(note);
            }
            Ok((sources, fingerprints.unwrap_or_default()))
        }
        Some(Outcome::Unreadable(reason)) => Err(UnpackError::Unreadable(reason)),
        None => {
            // A backtrace follows the first line.
            let words = String::from_utf8_lossy(&words);
            let words = words.lines().next().unwrap_or_default().trim().to_string();
            let words = if words.is_empty() { words } else { format!(": {words}") };
            Err(UnpackError::Crashed { status: status.to_string(), words })
        }
    }
}

/// A number that tells the folders of a class apart.
fn hash_path(folder: &Path) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hash = DefaultHasher::new();
    folder.hash(&mut hash);
    hash.finish()
}
