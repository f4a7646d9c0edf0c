//! The compiled dependencies that all submissions share, and the compiler's command lines.
//!
//! Cargo builds empty programs once, with the workbook's own manifests and lock file. A wrapper
//! around the compiler records the calls. After that a submission is compiled by the same calls,
//! without cargo, so that everything but its output can be read-only.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use harness::exercise::{Exercise, Target};
use harness::server::build;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::intake;
use crate::launch::Folders;

/// Stands in for an exercise while the libraries are compiled.
const STUB: &str = "fn main() {}\n";
/// Names the folder for recorded calls, and so makes this program the wrapper.
const RECORD: &str = "WORKBOOK_RECORD";
/// Stand for folders in recorded calls, since these are called otherwise inside of the walls, and
/// may be moved.
const LIBRARIES: &str = "{libraries}";
const WORKSPACE: &str = "{workspace}";
/// Which way of keeping libraries a folder was made by.
const VERSION: u32 = 3;

#[derive(Debug, Error)]
pub(crate) enum LibrariesError {
    #[error("cannot prepare {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("cannot run {program}: {error}")]
    NotRun { program: String, error: io::Error },
    #[error("{program} ended with {status}: {words}")]
    Failed { program: String, status: std::process::ExitStatus, words: String },
    #[error("{0}: {1}")]
    Record(PathBuf, serde_json::Error),
}

/// One call of the compiler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Call {
    /// Without those that name the output.
    pub(crate) args: Vec<String>,
    /// The variables that cargo sets.
    pub(crate) env: BTreeMap<String, String>,
}

/// The compiled dependencies.
pub(crate) struct Libraries {
    /// Holds what cargo made, and is only read from now on.
    folder: PathBuf,
    pub(crate) toolchain: PathBuf,
    calls: BTreeMap<String, Call>,
}

impl Libraries {
    /// Compiles the dependencies below `build_cache`, unless that was done before.
    pub(crate) fn open(build_cache: &Path, ours: &Path) -> Result<Self, LibrariesError> {
        let toolchain = run_program("rustc", &["--print", "sysroot"])?.trim().into();
        let version = run_program("rustc", &["-vV"])?;
        let manifests = manifests().map_err(|error| io_error(&build::workspace(), error))?;
        let mut hash = DefaultHasher::new();
        (VERSION, &manifests, &version).hash(&mut hash);
        let home = build_cache.join(format!("{:016x}", hash.finish()));
        if !home.join("ready").is_file() {
            // Two runs on one machine, or two jobs of a cluster, may begin together.
            let _lock = lock(&home).map_err(|error| io_error(&home, error))?;
            if !home.join("ready").is_file() {
                compile(&home, &manifests, &version, ours)?;
            }
        }
        let folder = home.join("target");
        let read = |exercise: &Exercise| {
            let path = home.join("calls").join(format!("{exercise}.json"));
            let text = fs::read(&path).map_err(|error| io_error(&path, error))?;
            let call = serde_json::from_slice(&text)
                .map_err(|error| LibrariesError::Record(path, error))?;
            Ok((exercise.name().to_string(), call))
        };
        let calls = Exercise::ALL.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Libraries { folder, toolchain, calls })
    }

    /// The dependencies that the workbook's manifest of an exercise names.
    pub(crate) fn dependencies(&self, exercise: Exercise) -> Option<BTreeMap<String, Value>> {
        let manifest = build::workspace().join(format!("day1/{exercise}/Cargo.toml"));
        intake::dependencies(&fs::read_to_string(manifest).ok()?).ok()
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program that does nothing, and needs every dependency of the exercise to compile.
    pub(crate) fn canary(&self, exercise: Exercise) -> String {
        let args = &self.calls[exercise.name()].args;
        let named = args.windows(2).filter(|pair| pair[0] == "--extern");
        let names = named.filter_map(|pair| pair[1].split_once('='));
        names.map(|(name, _)| format!("use {name} as _;\n")).collect::<String>() + STUB
    }

    /// The call that compiles this exercise into `output`, with folders as they are called inside
    /// of the walls.
    pub(crate) fn call(&self, exercise: Exercise, inside: &Folders) -> Call {
        let mut call = self.calls[exercise.name()].clone();
        let moved = |text: &str| {
            let text = text.replace(LIBRARIES, &inside.libraries.to_string_lossy());
            text.replace(WORKSPACE, &inside.workspace.to_string_lossy())
        };
        call.args.iter_mut().for_each(|arg| *arg = moved(arg));
        call.env.values_mut().for_each(|value| *value = moved(value));
        let program = inside.output.join(exercise.name());
        call.args.extend(["--emit=link".to_string(), "-o".to_string()]);
        call.args.push(program.to_string_lossy().into_owned());
        call
    }
}

fn io_error(path: &Path, error: io::Error) -> LibrariesError {
    LibrariesError::Io { path: path.to_path_buf(), error }
}

/// Waits until no other run compiles into this folder. Dropping the file unlocks it.
fn lock(home: &Path) -> io::Result<fs::File> {
    fs::create_dir_all(home)?;
    let file = fs::File::create(home.join("lock"))?;
    #[cfg(unix)]
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
    Ok(file)
}

/// Builds stubs of all exercises, and so their dependencies, while the calls of the compiler are
/// recorded.
fn compile(
    home: &Path,
    manifests: &BTreeMap<String, String>,
    version: &str,
    ours: &Path,
) -> Result<(), LibrariesError> {
    let failed = |error| io_error(home, error);
    let (workspace, calls) = (home.join("workbook"), home.join("calls"));
    for folder in [&workspace, &calls, &home.join("target")] {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    fs::create_dir_all(&calls).map_err(failed)?;
    let stubs = Exercise::ALL.map(|exercise| (exercise.source(Target::Day1), STUB.to_string()));
    for (path, text) in manifests.clone().into_iter().chain(stubs) {
        let path = workspace.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&workspace)).map_err(failed)?;
        fs::write(path, text).map_err(failed)?;
    }
    // The packages that only the checker needs leave the lock file. No version changes, and what
    // other systems need is never asked for: it may not have been downloaded.
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    let manifest = workspace.join("Cargo.toml");
    let manifest = manifest.to_string_lossy();
    let metadata = ["metadata", "--offline", "--format-version", "1", "--filter-platform", host];
    run_program("cargo", &[&metadata[..], &["--manifest-path", &manifest]].concat())?;
    let mut command = Command::new("cargo");
    command
        .args(["build", "--offline", "--locked", "--quiet", "--manifest-path", &manifest])
        .args(Exercise::ALL.map(|exercise| format!("--package={exercise}")))
        .current_dir(&workspace)
        // The instructor's shell may set these for other builds.
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env("RUSTC_WORKSPACE_WRAPPER", ours)
        .env(RECORD, &calls)
        .env("CARGO_TARGET_DIR", home.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .stdin(Stdio::null());
    output("cargo build", command)?;
    open_to_all(home).map_err(failed)?;
    fs::write(home.join("ready"), "").map_err(failed)
}

/// Lets every user read what is compiled: compilers run as users that own nothing.
#[cfg(unix)]
fn open_to_all(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let mode = if kind.is_dir() { 0o755 } else { 0o644 };
        if !kind.is_symlink() {
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))?;
        }
        if kind.is_dir() {
            open_to_all(&entry.path())?;
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn open_to_all(_folder: &Path) -> io::Result<()> {
    Ok(())
}

fn run_program(program: &str, args: &[&str]) -> Result<String, LibrariesError> {
    let mut command = Command::new(program);
    command.args(args).current_dir(build::workspace()).stdin(Stdio::null());
    output(&format!("{program} {}", args[0]), command)
}

fn output(name: &str, mut command: Command) -> Result<String, LibrariesError> {
    let output = command
        .output()
        .map_err(|error| LibrariesError::NotRun { program: name.to_string(), error })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(LibrariesError::Failed {
        program: name.to_string(),
        status: output.status,
        words: words.trim().to_string(),
    })
}

/// The manifests of the exercises' packages, and a root that has no other members.
fn manifests() -> io::Result<BTreeMap<String, String>> {
    let root = build::workspace();
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let members = |line: &str| match line {
        line if line.starts_with("members =") => {
            "members = [\"day1/*\", \"checker/workspace-hack\"]".to_string()
        }
        line if line.starts_with("default-members =") => String::new(),
        line => line.to_string(),
    };
    let manifest: Vec<String> = manifest.lines().map(members).collect();
    let mut manifests = BTreeMap::from([("Cargo.toml".to_string(), manifest.join("\n") + "\n")]);
    manifests.insert("Cargo.lock".to_string(), fs::read_to_string(root.join("Cargo.lock"))?);
    let hack = ["Cargo.toml", "src/lib.rs"].map(|name| format!("checker/workspace-hack/{name}"));
    let servers = Exercise::ALL.map(|exercise| format!("day1/{exercise}/Cargo.toml"));
    for path in hack.into_iter().chain(servers) {
        let text = fs::read_to_string(root.join(&path))?;
        manifests.insert(path, text);
    }
    Ok(manifests)
}

/// Records the compiler's command line and runs the compiler, if cargo called this program in place
/// of it. Returns `None` otherwise.
pub(crate) fn wrapper() -> Option<ExitCode> {
    let folder = PathBuf::from(std::env::var_os(RECORD)?);
    let mut words = std::env::args_os().skip(1);
    let compiler = words.next()?;
    let words: Vec<_> = words.collect();
    let args: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let name = args.iter().position(|arg| arg == "--crate-name").and_then(|at| args.get(at + 1));
    let exercise = name.and_then(|name| Exercise::named(name));
    // Cargo also asks the compiler about itself, by calls without an output.
    if let Some(exercise) = exercise.filter(|_| args.iter().any(|arg| arg == "--out-dir")) {
        let variables = std::env::vars().filter(|(name, _)| {
            name.starts_with("CARGO_PKG_")
                || [
                    "CARGO_MANIFEST_DIR",
                    "CARGO_MANIFEST_PATH",
                    "CARGO_BIN_NAME",
                    "CARGO_CRATE_NAME",
                ]
                .contains(&name.as_str())
        });
        let home = folder.parent().unwrap_or(&folder);
        let (libraries, workspace) = (home.join("target"), home.join("workbook"));
        let kept = |text: String| {
            let text = text.replace(&*libraries.to_string_lossy(), LIBRARIES);
            text.replace(&*workspace.to_string_lossy(), WORKSPACE)
        };
        let call = Call {
            args: without_output(&args).into_iter().map(kept).collect(),
            env: variables.map(|(name, value)| (name, kept(value))).collect(),
        };
        let path = folder.join(format!("{exercise}.json"));
        let text = serde_json::to_vec_pretty(&call).map_err(io::Error::other);
        if let Err(error) = text.and_then(|text| fs::write(&path, text)) {
            eprintln!("error: {}: {error}", path.display());
            return Some(ExitCode::FAILURE);
        }
    }
    match Command::new(&compiler).args(words).status() {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        Ok(_) => Some(ExitCode::FAILURE),
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", compiler.display());
            Some(ExitCode::FAILURE)
        }
    }
}

/// The arguments without those that say what to write, and with messages in plain text.
fn without_output(args: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut args = args.iter().peekable();
    while let Some(arg) = args.next() {
        let follows = args.peek().map(|next| next.as_str()).unwrap_or_default();
        match arg.as_str() {
            "--out-dir" => {
                let _ = args.next();
            }
            "-C" if follows.starts_with("extra-filename=")
                || follows.starts_with("incremental=") =>
            {
                let _ = args.next();
            }
            arg if arg.starts_with("--emit=") || arg.starts_with("--json=") => {}
            arg => kept.push(arg.to_string()),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_output;

    #[test]
    fn a_call_loses_what_names_its_output() {
        let call = "--crate-name echo --emit=dep-info,link -C metadata=1 -C extra-filename=-1 \
                    --out-dir /t/debug --json=artifacts -L dependency=/t/debug/deps";
        let args: Vec<String> = call.split_whitespace().map(String::from).collect();
        let kept = without_output(&args).join(" ");
        assert_eq!(kept, "--crate-name echo -C metadata=1 -L dependency=/t/debug/deps");
    }
}
