//! Right servers in other languages: Node's `ws` and Python's `websockets`.
//!
//! Their sources and lock files are in `checker/proof/others/`. On first use, the package
//! manager of each language installs their dependencies in `target/others/`.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::exercise::Exercise;
use harness::server::Program;
use harness::server::build::workspace;
use thiserror::Error;

/// An error while installing the servers of a language.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The sources cannot be copied.
    #[error("cannot copy the servers: {0}")]
    Copy(#[from] io::Error),
    /// The package manager cannot be run.
    #[error("cannot run `{command}`: {error}")]
    Run {
        /// Its command line.
        command: String,
        /// The reason.
        error: io::Error,
    },
    /// The package manager failed.
    #[error("`{command}` failed: {message}")]
    Failed {
        /// Its command line.
        command: String,
        /// The last line that it printed.
        message: String,
    },
}

/// A language in which there are right servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// JavaScript on Node, by `ws`.
    Node,
    /// Python, by `websockets`.
    Python,
}

impl Language {
    /// All languages.
    pub const ALL: [Language; 2] = [Language::Node, Language::Python];

    /// Returns the language's name, as the servers' names contain it.
    pub fn name(self) -> &'static str {
        match self {
            Language::Node => "node",
            Language::Python => "python",
        }
    }

    fn files(self) -> &'static [&'static str] {
        match self {
            Language::Node => &["package.json", "package-lock.json", "server.mjs"],
            Language::Python => &["requirements.txt", "server.py"],
        }
    }
}

/// A right server in another language.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// Its name: the language and the exercise.
    pub name: String,
    /// The exercise.
    pub exercise: Exercise,
    /// The command line that starts it.
    pub argv: Vec<String>,
}

impl Foreign {
    /// Returns the program to grade.
    pub fn program(&self) -> Program {
        Program::new(self.argv.clone(), workspace())
    }
}

/// Installs the dependencies of this language's servers and returns the servers.
///
/// Fails if the language is not installed, or its package manager fails.
pub fn servers(language: Language) -> Result<Vec<Foreign>, InstallError> {
    let home = install(language)?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let start = match language {
        Language::Node => vec!["node".to_string(), text(home.join("server.mjs"))],
        Language::Python => vec![text(venv_python(&home)), text(home.join("server.py"))],
    };
    let exercises = [Exercise::Echo, Exercise::Heartbeat, Exercise::Broadcast];
    Ok(exercises
        .map(|exercise| Foreign {
            name: format!("{}-{exercise}", language.name()),
            exercise,
            argv: start.iter().cloned().chain([exercise.name().to_string()]).collect(),
        })
        .into())
}

fn install(language: Language) -> Result<PathBuf, InstallError> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), PathBuf::from);
    let home = target.join("others").join(language.name());
    let sources = workspace().join("checker/proof/others").join(language.name());
    let manifest = language.files()[language.files().len() - 2];
    let up_to_date = same(&sources.join(manifest), &home.join("installed"));
    std::fs::create_dir_all(&home)?;
    for file in language.files() {
        std::fs::copy(sources.join(file), home.join(file))?;
    }
    if !up_to_date {
        match language {
            Language::Node => {
                // On Windows npm is a script, which only a shell can start.
                let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
                run(npm, &home, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
            }
            Language::Python => {
                let python = if cfg!(windows) { "python" } else { "python3" };
                run(python, &home, ["-m", "venv", "--clear", "venv"])?;
                run(
                    venv_python(&home),
                    &home,
                    ["-m", "pip", "install", "--quiet", "-r", "requirements.txt"],
                )?;
            }
        }
        std::fs::copy(sources.join(manifest), home.join("installed"))?;
    }
    Ok(home)
}

fn venv_python(home: &Path) -> PathBuf {
    home.join(if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" })
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((std::fs::read(one), std::fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

fn run<const N: usize>(
    program: impl AsRef<OsStr>,
    directory: &Path,
    args: [&str; N],
) -> Result<(), InstallError> {
    let command = format!("{} {}", program.as_ref().to_string_lossy(), args.join(" "));
    let output = Command::new(&program).args(args).current_dir(directory).output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return Err(InstallError::Run { command, error }),
    };
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(InstallError::Failed { command, message: last.to_string() })
}
