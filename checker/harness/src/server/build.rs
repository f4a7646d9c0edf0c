//! Builds the packages to be graded with cargo.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStderr, Command};

/// The result of each package: the path of its program, or why it did not compile.
pub type Built = HashMap<String, Result<PathBuf, CompileError>>;

/// The compiler's warnings about each package.
pub type Warnings = HashMap<String, Vec<Warning>>;

/// The lint about a value that must be used, such as a future that nothing awaits.
pub const UNUSED_MUST_USE: &str = "unused_must_use";

/// A warning of the compiler about a package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The lint, such as `unused_must_use`. Empty if the warning is no lint.
    pub lint: String,
    /// The warning as rustc prints it, with file and line.
    pub rendered: String,
}

/// A package did not compile. Holds the compiler's errors, or cargo's if rustc never ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CompileError(pub String);

/// Cargo can't be run at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot run {}: {error}", cargo.display())]
pub struct CargoError {
    cargo: OsString,
    error: io::Error,
}

/// Returns the root of the workbook's workspace.
pub fn workspace() -> PathBuf {
    // `cargo run` and `cargo test` set the variable. The constant serves a checker that is run by
    // hand.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let ours = manifest.filter(|dir| dir.join("tests/day1.rs").is_file());
    let checker = ours.as_deref().or(Path::new(env!("CARGO_MANIFEST_DIR")).parent());
    checker
        .and_then(Path::parent)
        .expect("the checker lies in the workspace, and this crate in the checker")
        .to_path_buf()
}

/// Returns the cargo that runs this process, or the one in `PATH`.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Builds these packages of the workspace in one run of cargo. A package that doesn't compile does
/// not stop the others.
pub async fn build(packages: &[&str]) -> Result<Built, CargoError> {
    Ok(build_with_warnings(packages).await?.0)
}

/// Builds these packages, and returns the compiler's warnings about them as well.
pub async fn build_with_warnings(packages: &[&str]) -> Result<(Built, Warnings), CargoError> {
    let cargo = cargo();
    let mut command = Command::new(&cargo);
    command.args(["build", "--keep-going", "--message-format=json"]);
    for package in packages {
        command.args(["--package", package]);
    }
    let cargo_error = |error| CargoError { cargo: cargo.clone(), error };
    let mut child = command
        .current_dir(workspace())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(cargo_error)?;
    let stderr = child.stderr.take().expect("it is piped");
    let reading_stderr = tokio::spawn(read_stderr(stderr));
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut messages = CargoMessages::default();
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line).await.map_err(cargo_error)? > 0 {
        messages.read(&line);
        if messages.finished {
            // Everything is built. Cargo takes some more time to exit, and need not be waited for.
            tokio::spawn(async move { child.wait().await });
            let warnings = std::mem::take(&mut messages.warnings);
            return Ok((messages.outcomes(b"", packages), warnings));
        }
        line.clear();
    }
    let warnings = std::mem::take(&mut messages.warnings);
    Ok((messages.outcomes(&reading_stderr.await.unwrap_or_default(), packages), warnings))
}

/// Returns what cargo says besides its status, and reports at once that it waits for another cargo.
async fn read_stderr(stderr: ChildStderr) -> Vec<u8> {
    let mut lines = BufReader::new(stderr);
    let (mut words, mut line) = (Vec::new(), Vec::new());
    let mut waits = false;
    // A read error keeps the part that was read.
    while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        // Cargo says it once for each lock.
        if !waits && String::from_utf8_lossy(&line).contains("Blocking waiting for file lock") {
            waits = true;
            // On a terminal, it replaces the progress line.
            let erase = if io::stderr().is_terminal() { "\r\x1b[2K" } else { "" };
            eprintln!("{erase}waiting for another cargo to finish …");
        }
        // Status lines are aligned to the right: "   Compiling echo".
        if !line.starts_with(b"   ") {
            words.extend_from_slice(&line);
        }
        line.clear();
    }
    words
}

/// Parses the output of `cargo build --message-format=json` into the result of each package.
pub fn outcomes(stdout: &[u8], stderr: &[u8], packages: &[&str]) -> Built {
    let mut messages = CargoMessages::default();
    stdout.split(|byte| *byte == b'\n').for_each(|line| messages.read(line));
    messages.outcomes(stderr, packages)
}

/// The messages of cargo so far.
#[derive(Default)]
struct CargoMessages {
    programs: HashMap<String, PathBuf>,
    errors: HashMap<String, String>,
    warnings: Warnings,
    /// Everything has been built.
    finished: bool,
}

impl CargoMessages {
    fn read(&mut self, line: &[u8]) {
        // A build script may print lines of its own between cargo's.
        let Ok(message) = serde_json::from_slice::<Value>(line) else { return };
        self.finished |= message["reason"] == "build-finished" && message["success"] == true;
        let Some(target) = message["target"]["name"].as_str() else { return };
        if let Some(path) = message["executable"].as_str() {
            self.programs.insert(target.to_string(), PathBuf::from(path));
        }
        let diagnostic = &message["message"];
        let rendered = diagnostic["rendered"].as_str().unwrap_or_default();
        if diagnostic["level"] == "error" {
            self.errors.entry(target.to_string()).or_default().push_str(rendered);
        }
        // Without a place it is the number of the other warnings.
        let has_place = diagnostic["spans"].as_array().is_some_and(|spans| !spans.is_empty());
        if diagnostic["level"] == "warning" && has_place {
            let lint = diagnostic["code"]["code"].as_str().unwrap_or_default().to_string();
            let warning = Warning { lint, rendered: rendered.trim_end().to_string() };
            self.warnings.entry(target.to_string()).or_default().push(warning);
        }
    }

    fn outcomes(mut self, stderr: &[u8], packages: &[&str]) -> Built {
        let result = |package: &&str| {
            let outcome = match (self.programs.remove(*package), self.errors.remove(*package)) {
                (Some(path), _) => Ok(path),
                (None, Some(error)) => Err(CompileError(error)),
                (None, None) => Err(CompileError(String::from_utf8_lossy(stderr).into_owned())),
            };
            (package.to_string(), outcome)
        };
        packages.iter().map(result).collect()
    }
}
