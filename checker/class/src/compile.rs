//! Compiles the sources of one submission, and tells its mistakes from those of the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use harness::exercise::{Exercise, Target};
use harness::server::process::{self, Process};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::intake::Sources;
use crate::launch::confine::NOT_RUN;
use crate::launch::{Cgroup, Folders, Launcher};
use crate::libraries::Libraries;
use crate::machine::Refusals;
use crate::messages::CompilerOutput;
use crate::watchdog::{self, Ended, Limits, Watchdog};

/// After this long a build is given up.
const LIMIT: Duration = Duration::from_secs(150);
/// How much of the compiler's messages is read, in bytes. More ends the build: no compiler says so
/// much by itself.
const MESSAGES: usize = 2 << 20;
/// Processes and threads of one build.
const PROCESSES: usize = 256;

/// The outcome of compiling one exercise.
#[derive(Debug, Clone)]
pub(crate) enum Compiled {
    Program(PathBuf),
    Rejected(Rejected),
    /// The machine kept the compiler from an answer, for this reason.
    Unknown(String),
}

/// An exercise that does not compile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rejected {
    /// The compiler's words.
    pub(crate) words: String,
    /// The crates and modules that the compiler did not find.
    pub(crate) not_found: BTreeSet<String>,
}

impl From<String> for Rejected {
    fn from(words: String) -> Self {
        Rejected { words, ..Rejected::default() }
    }
}

#[derive(Debug, Error)]
pub(crate) enum CompileError {
    #[error("the submission cannot be laid out: {0}")]
    Io(#[from] io::Error),
    #[error("the compiler cannot be run: {0}")]
    NotRun(io::Error),
    #[error("{0}")]
    NoCanary(String),
}

/// The place in which one submission at a time is built.
pub(crate) struct Place {
    pub(crate) number: usize,
    pub(crate) folder: PathBuf,
}

pub(crate) struct Compiler<'a> {
    pub(crate) launcher: &'a Launcher,
    pub(crate) libraries: &'a Libraries,
    pub(crate) watchdog: &'a Watchdog,
    /// Seconds of processor time for one exercise.
    pub(crate) cpu: u64,
}

impl Compiler<'_> {
    /// Compiles each exercise of a submission. Its sources are below `files`.
    pub(crate) async fn compile(
        &self,
        place: &Place,
        cgroup: Option<&Cgroup>,
        sources: &Sources,
        files: &Path,
    ) -> Result<BTreeMap<Exercise, Compiled>, CompileError> {
        let folders = Folders {
            workspace: place.folder.join("workbook"),
            libraries: self.libraries.folder().to_path_buf(),
            output: place.folder.join("output"),
            toolchain: self.libraries.toolchain.clone(),
        };
        let uid = self.launcher.uid(place.number);
        fs::create_dir(&folders.workspace)?;
        let_user_read(&folders.workspace, uid)?;
        fs::create_dir(&folders.output)?;
        give_to_user(&folders.output, uid)?;
        for path in &sources.paths {
            let (from, to) = (files.join(path), folders.workspace.join(path));
            fs::create_dir_all(to.parent().unwrap_or(&folders.workspace))?;
            fs::copy(from, to)?;
        }
        let mut compiled = BTreeMap::new();
        for exercise in sources.exercises() {
            compiled.insert(exercise, self.one(exercise, &folders, place, cgroup).await?);
        }
        Ok(compiled)
    }

    /// Compiles a program that must compile, in the way of a submission. Otherwise a library that
    /// cannot be read would be taken for a mistake of every submission.
    pub(crate) async fn check(&self, folder: &Path) -> Result<(), CompileError> {
        let exercise = Exercise::Echo;
        let path = exercise.source(Target::Day1);
        let (files, place) =
            (folder.join("files"), Place { number: 0, folder: folder.to_path_buf() });
        let source = files.join(&path);
        fs::create_dir_all(source.parent().unwrap_or(&files))?;
        fs::write(&source, self.libraries.canary(exercise))?;
        let sources = Sources { paths: [path].into(), ..Sources::default() };
        match self.compile(&place, None, &sources, &files).await?.remove(&exercise) {
            Some(Compiled::Program(_)) => Ok(()),
            Some(Compiled::Rejected(Rejected { words, .. }) | Compiled::Unknown(words)) => {
                Err(CompileError::NoCanary(crate::text::block(&words, 2000)))
            }
            None => Err(CompileError::NoCanary(String::new())),
        }
    }

    async fn one(
        &self,
        exercise: Exercise,
        folders: &Folders,
        place: &Place,
        cgroup: Option<&Cgroup>,
    ) -> Result<Compiled, CompileError> {
        let before = Refusals::now();
        let (mut line, inside) = self.launcher.compiler(folders, cgroup, place.number, self.cpu);
        let call = self.libraries.call(exercise, &inside);
        line.run(&inside.toolchain.join("bin/rustc"), &call.args);
        let mut command = line.into_command();
        let temporary = match inside.output == folders.output {
            true => &inside.output,
            false => Path::new("/tmp"),
        };
        command
            .current_dir(&folders.workspace)
            .env_clear()
            .envs(&call.env)
            // With it the compiler's help is to use `cargo add`, which has no effect here.
            .env_remove("CARGO_CRATE_NAME")
            .envs(system_variables())
            .env("HOME", temporary)
            .env("TMPDIR", temporary)
            .env("TEMP", temporary)
            .env("TMP", temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mark = format!("build-{}-{}-{exercise}", std::process::id(), place.number);
        let (mut child, _, stderr) =
            Process::spawn(command, &mark).map_err(CompileError::NotRun)?;
        let limits =
            Limits { memory: watchdog::BUILD_MEMORY, processes: PROCESSES, first_too: true };
        let watch = self.watchdog.watch(child.id(), limits);
        let mut messages = Vec::new();
        let run = async {
            let talkative = match stderr {
                Some(stderr) => !read(stderr, &mut messages).await?,
                None => false,
            };
            if talkative {
                process::kill(child.id());
            }
            Ok((child.wait().await?, talkative))
        };
        let ended = tokio::time::timeout(LIMIT, run).await;
        process::kill(child.id());
        let (status, talkative) = match ended {
            Err(_) => {
                let words = format!("the compiler was ended after {} s", LIMIT.as_secs());
                return Ok(Compiled::Rejected(words.into()));
            }
            Ok(Err(error)) => return Ok(Compiled::Unknown(machine(&error))),
            Ok(Ok(ended)) => ended,
        };
        let output = CompilerOutput::from(&messages);
        if talkative {
            let words =
                format!("the compiler printed more than {MESSAGES} bytes\n{}", output.errors);
            return Ok(Compiled::Rejected(words.into()));
        }
        if status.success() {
            let program = folders.output.join(exercise.name());
            return Ok(Compiled::Program(program));
        }
        let refused = || Refusals::now().since(before).map(String::from);
        Ok(match (watch.ended(), output.machine_fault.clone().or_else(refused)) {
            (Some(ended @ Ended::Stalled), _) => {
                Compiled::Rejected(format!("the compiler was {ended}\n{}", output.errors).into())
            }
            (_, Some(reason)) => Compiled::Unknown(reason),
            (Some(ended), None) => {
                Compiled::Rejected(format!("the compiler was {ended}\n{}", output.errors).into())
            }
            (None, None) => self.judge(status, output),
        })
    }

    /// Interprets an exit status that neither the watchdog nor the machine caused.
    fn judge(&self, status: ExitStatus, output: CompilerOutput) -> Compiled {
        let CompilerOutput { errors, others, not_found, .. } = output;
        let signal = signal(status);
        let cpu = [libc_signal::XCPU];
        match signal {
            Some(signal) if cpu.contains(&signal) => Compiled::Rejected(
                format!("the compiler was ended after {} s of processor time\n{errors}", self.cpu)
                    .into(),
            ),
            Some(libc_signal::KILL) => Compiled::Unknown("the compiler was killed".to_string()),
            _ if !errors.trim().is_empty() => {
                Compiled::Rejected(Rejected { words: errors, not_found })
            }
            _ if status.code() == Some(NOT_RUN.into()) => Compiled::Unknown(others),
            // Without an error in Rust it is the compiler itself that failed, or what runs it.
            Some(_) => {
                Compiled::Rejected(format!("the compiler ended with {status}\n{others}").into())
            }
            None => Compiled::Unknown(format!("the compiler ended with {status}: {others}")),
        }
    }
}

/// The variables by which a compiler finds its linker. The instructor's `PATH` may name folders
/// that the user of a place cannot enter.
fn system_variables() -> Vec<(&'static str, std::ffi::OsString)> {
    if cfg!(target_os = "linux") {
        return vec![("PATH", "/usr/local/bin:/usr/bin:/bin".into())];
    }
    let names = ["PATH", "SystemRoot"].into_iter();
    names.filter_map(|name| Some((name, std::env::var_os(name)?))).collect()
}

mod libc_signal {
    pub(super) const KILL: i32 = 9;
    pub(super) const XCPU: i32 = 24;
}

/// The signal that ended the compiler. Bubblewrap reports it as an exit code above 128.
fn signal(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Some(signal);
    }
    status.code().filter(|code| (129..=192).contains(code)).map(|code| code - 128)
}

fn machine(error: &io::Error) -> String {
    format!("the compiler cannot be watched: {error}")
}

/// Reads at most [`MESSAGES`] bytes and returns whether that was all.
async fn read(mut from: impl AsyncRead + Unpin, messages: &mut Vec<u8>) -> io::Result<bool> {
    (&mut from).take(MESSAGES as u64 + 1).read_to_end(messages).await?;
    Ok(messages.len() <= MESSAGES)
}

/// Lets the user of a place read a folder, and no other user.
#[cfg(unix)]
fn let_user_read(folder: &Path, uid: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    if uid.is_some() {
        chown(folder, None, uid)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o750))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn let_user_read(_folder: &Path, _uid: Option<u32>) -> io::Result<()> {
    Ok(())
}

/// Makes the user of a place the owner of a folder, if the place has a user.
#[cfg(unix)]
pub(crate) fn give_to_user(folder: &Path, uid: Option<u32>) -> io::Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    if uid.is_some() {
        chown(folder, uid, uid)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn give_to_user(_folder: &Path, _uid: Option<u32>) -> io::Result<()> {
    Ok(())
}
