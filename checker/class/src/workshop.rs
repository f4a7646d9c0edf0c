//! Where submissions are built: a pristine workspace, and dependencies that are compiled once for all.

use std::collections::{BTreeMap, BTreeSet, hash_map::DefaultHasher};
use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use harness::exercise::{Exercise, Target};
use harness::server::build::{self, CompileError};
use harness::server::process::{self, Process};
use tokio::io::AsyncReadExt;

use crate::collect::Sources;
use crate::sandbox::{Level, Rooms};

/// After this long a build is given up.
const BUILD_LIMIT: Duration = Duration::from_secs(150);
/// How much of a compiler's words is kept, in bytes.
const WORDS: u64 = 16 << 20;
/// How much of them is shown, in bytes.
const SHOWN: usize = 8 << 10;
/// What stands in for an exercise that is not built.
const STUB: &str = "fn main() {}\n";

/// The pristine workspace, its compiled dependencies, and how cargo is run.
pub(crate) struct Workshop {
    level: Level,
    ours: PathBuf,
    /// Processor seconds for one compiler.
    cpu: u64,
    /// The pristine manifests, by their paths in the workspace.
    manifests: BTreeMap<String, String>,
    toolchain: PathBuf,
    cargo_home: PathBuf,
    /// Holds the compiled dependencies in `target` and one folder a slot.
    house: PathBuf,
}

/// What a build gave: a program for each exercise, or the compiler's words.
pub(crate) type Built = BTreeMap<Exercise, Result<PathBuf, String>>;

impl Workshop {
    /// Makes the workspace and compiles what all submissions share, unless that was done before.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(crate) async fn open(level: Level, ours: PathBuf, cpu: u64) -> Result<Self, String> {
        let house = build_folder()?.join("class");
        let toolchain = printed("rustc", &["--print", "sysroot"])?;
        let version = printed("rustc", &["-vV"])?;
        let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| {
            let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"))?;
            Some(PathBuf::from(home).join(".cargo"))
        });
        let mut workshop = Workshop {
            level,
            ours,
            cpu,
            manifests: manifests()
                .map_err(|error| format!("the workspace cannot be read: {error}"))?,
            toolchain: toolchain.trim().into(),
            cargo_home: cargo_home.ok_or("there is no home folder, and so no CARGO_HOME")?,
            house: PathBuf::new(),
        };
        let mut hash = DefaultHasher::new();
        (&workshop.manifests, &version, workshop.level.name()).hash(&mut hash);
        workshop.house = house.join(format!("{:016x}", hash.finish()));
        let told =
            |error: io::Error| format!("cannot prepare {}: {error}", workshop.house.display());
        if workshop.house.join("ready").is_file() {
            let lock = fs::read_to_string(workshop.house.join("Cargo.lock")).map_err(told)?;
            workshop.manifests.insert("Cargo.lock".to_string(), lock);
            return Ok(workshop);
        }
        let rooms = workshop.rooms("first");
        workshop.lay(&rooms, &Sources::default()).map_err(told)?;
        // The packages that only the checker needs leave the lock file; no version changes.
        // Of those that stay, the ones for other systems need never have been downloaded.
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .ok_or("rustc -vV names no host")?;
        let metadata = [
            "metadata",
            "--offline",
            "--format-version",
            "1",
            "--filter-platform",
            host,
            "--manifest-path",
        ];
        let manifest = rooms.workspace.join("Cargo.toml");
        printed("cargo", &[&metadata[..], &[&manifest.to_string_lossy()]].concat())?;
        let lock = fs::read_to_string(rooms.workspace.join("Cargo.lock")).map_err(told)?;
        fs::write(workshop.house.join("Cargo.lock"), &lock).map_err(told)?;
        workshop.manifests.insert("Cargo.lock".to_string(), lock);
        fs::create_dir_all(&rooms.target).map_err(told)?;
        for (exercise, outcome) in workshop.compile(&rooms, &BTreeSet::from(Exercise::ALL)).await? {
            outcome.map_err(|words| {
                format!("the dependencies of {exercise} cannot be compiled: {words}")
            })?;
        }
        cleared(&rooms.target).map_err(told)?;
        let compiled = workshop.house.join("target");
        let _ = fs::remove_dir_all(&compiled);
        fs::rename(&rooms.target, compiled).map_err(told)?;
        fs::write(workshop.house.join("ready"), "").map_err(told)?;
        Ok(workshop)
    }

    /// Builds these sources in a slot that nobody else uses, and puts the programs into `shelf`.
    ///
    /// # Errors
    /// When it is the grader that fails.
    pub(crate) async fn build(
        &self,
        slot: &str,
        sources: &Sources,
        shelf: &Path,
    ) -> Result<Built, String> {
        let rooms = self.rooms(slot);
        let told = |error: io::Error| format!("cannot lay out the submission: {error}");
        self.lay(&rooms, sources).map_err(told)?;
        let built = self.built_in(&rooms, sources, shelf).await;
        // What the submission left goes. The libraries stay, hundreds of files that need not be put there for each; but
        // a build that failed may have been killed, and then nobody knows what lies about.
        let whole = built.as_ref().is_ok_and(|built| built.values().all(Result::is_ok));
        if !(whole && cleared(&rooms.target).is_ok()) && rooms.target.exists() {
            fs::remove_dir_all(&rooms.target).map_err(told)?;
        }
        built
    }

    async fn built_in(
        &self,
        rooms: &Rooms,
        sources: &Sources,
        shelf: &Path,
    ) -> Result<Built, String> {
        if !rooms.target.is_dir() {
            let told = |error: io::Error| format!("cannot bring the libraries: {error}");
            linked(&self.house.join("target"), &rooms.target).map_err(told)?;
        }
        keep(self.compile(rooms, &sources.exercises()).await?, shelf)
    }

    fn rooms(&self, slot: &str) -> Rooms {
        let slot = self.house.join(format!("{}-{slot}", std::process::id()));
        Rooms {
            workspace: slot.join("workbook"),
            target: slot.join("target"),
            toolchain: self.toolchain.clone(),
            cargo_home: self.cargo_home.clone(),
        }
    }

    fn lay(&self, rooms: &Rooms, sources: &Sources) -> io::Result<()> {
        let _ = fs::remove_dir_all(&rooms.workspace);
        let write = |path: &str, bytes: &[u8]| {
            let path = rooms.workspace.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&rooms.workspace))?;
            fs::write(path, bytes)
        };
        for (path, text) in &self.manifests {
            write(path, text.as_bytes())?;
        }
        let submitted = sources.exercises();
        for exercise in Exercise::ALL.into_iter().filter(|exercise| !submitted.contains(exercise)) {
            write(&exercise.source(Target::Day1), STUB.as_bytes())?;
        }
        sources.files.iter().try_for_each(|(path, bytes)| write(path, bytes))
    }

    async fn compile(
        &self,
        rooms: &Rooms,
        exercises: &BTreeSet<Exercise>,
    ) -> Result<Built, String> {
        let names: Vec<&str> = exercises.iter().map(|exercise| exercise.name()).collect();
        let (mut line, inside) = self.level.cargo(&self.ours, rooms, self.cpu);
        let bin = inside.toolchain.join("bin");
        line.push(bin.join("cargo").to_string_lossy().into_owned());
        line.extend(
            ["build", "--offline", "--locked", "--quiet", "--keep-going", "--message-format=json"]
                .map(String::from),
        );
        line.extend(names.iter().map(|name| format!("--package={name}")));
        let mut command = tokio::process::Command::new(&line[0]);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([bin].into_iter().chain(std::env::split_paths(&path)))
            .unwrap_or(path);
        command
            .args(&line[1..])
            .current_dir(&rooms.workspace)
            .env_clear()
            .env("PATH", path)
            .env("HOME", &inside.target)
            .env("TMPDIR", &inside.target)
            .env("CARGO_HOME", &inside.cargo_home)
            .env("CARGO_TARGET_DIR", &inside.target)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .envs(
                ["SystemRoot", "TEMP", "TMP"]
                    .into_iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mark = format!("build-{}-{}", std::process::id(), rooms.target.display());
        let (mut child, stdout, stderr) = Process::spawn(command, &mark.replace(['/', ' '], "-"))
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (stdout, stderr) =
            (stdout.ok_or("cargo has no output")?, stderr.ok_or("cargo has no output")?);
        let run = async {
            let (mut stdout, mut stderr) = (stdout.take(WORDS), stderr.take(WORDS));
            let _ = tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err));
            child.wait().await
        };
        let ended = tokio::time::timeout(BUILD_LIMIT, run).await;
        process::kill(child.id());
        let status = match &ended {
            Err(_) => format!("building was given up after {} s", BUILD_LIMIT.as_secs()),
            Ok(Ok(status)) => format!("the compiler ended with {status}"),
            Ok(Err(error)) => return Err(format!("cargo cannot be watched: {error}")),
        };
        let mut outcomes = build::outcomes(&out, &err, &names);
        let outcome = |exercise: &Exercise| {
            let outcome = outcomes
                .remove(exercise.name())
                .unwrap_or_else(|| Err(CompileError(String::new())));
            // The path that cargo names is one inside the sandbox.
            let program = rooms
                .target
                .join("debug")
                .join(format!("{exercise}{}", std::env::consts::EXE_SUFFIX));
            let outcome = outcome.map(|_| program).map_err(|CompileError(words)| {
                shown(if words.trim().is_empty() { &status } else { &words })
            });
            (*exercise, outcome)
        };
        Ok(exercises.iter().map(outcome).collect())
    }

    /// Removes the slots.
    pub(crate) fn close(&self) {
        let ours = format!("{}-", std::process::id());
        let slots = fs::read_dir(&self.house).into_iter().flatten().flatten();
        for slot in slots.filter(|slot| slot.file_name().to_string_lossy().starts_with(&ours)) {
            let _ = fs::remove_dir_all(slot.path());
        }
    }
}

/// Puts the programs into `shelf`.
fn keep(mut built: Built, shelf: &Path) -> Result<Built, String> {
    for (exercise, outcome) in &mut built {
        if let Ok(program) = outcome {
            let kept = shelf.join(exercise.name());
            fs::copy(&*program, &kept)
                .map_err(|error| format!("cannot keep {}: {error}", kept.display()))?;
            *program = kept;
        }
    }
    Ok(built)
}

/// Removes what cargo made of the exercises, so that nothing is left but the libraries.
fn cleared(target: &Path) -> io::Result<()> {
    let made = |name: &str| {
        let crate_name = name.split(['-', '.']).next().unwrap_or(name);
        Exercise::ALL.iter().any(|exercise| exercise.name() == crate_name)
    };
    for folder in ["debug", "debug/deps", "debug/.fingerprint"] {
        for entry in fs::read_dir(target.join(folder))? {
            let entry = entry?;
            if !made(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?
            } else {
                fs::remove_file(entry.path())?
            }
        }
    }
    Ok(())
}

/// The compiler's words, as many as anybody reads.
fn shown(words: &str) -> String {
    match words.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_string(),
    }
}

/// Where cargo builds the workspace.
fn build_folder() -> Result<PathBuf, String> {
    let exe = std::env::current_exe().map_err(|error| format!("no path to myself: {error}"))?;
    exe.ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .ok_or_else(|| "my own program lies in no folder".to_string())
}

fn printed(program: &str, args: &[&str]) -> Result<String, String> {
    let output =
        std::process::Command::new(program).args(args).current_dir(build::workspace()).output();
    let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "{program} {}: {}",
            args[0],
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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

/// A copy of a folder that shares the contents of compiled libraries with it.
fn linked(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            linked(&path, &copy)?;
        } else {
            // What cargo writes to is copied; a library is only read.
            let library = path.extension().is_some_and(|extension| {
                extension == "rlib" || extension == "rmeta" || extension == "so"
            });
            if !library || fs::hard_link(&path, &copy).is_err() {
                fs::copy(&path, &copy)?;
                // By these times cargo sees that nothing has to be compiled again.
                let modified = entry.metadata()?.modified()?;
                fs::File::options().write(true).open(&copy)?.set_modified(modified)?;
            }
        }
    }
    Ok(())
}
