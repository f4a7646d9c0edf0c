//! What a submission is shut in, for building and for running.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ValueEnum;

use crate::confine;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wanted {
    /// The best that this machine has
    Auto,
    /// A sandbox, or nothing is graded
    Require,
    /// None: for submissions that are trusted
    Off,
}

/// What there is.
#[derive(Clone, PartialEq)]
pub(crate) enum Level {
    /// Namespaces of their own for each submission, by bubblewrap.
    Bubblewrap { root: bool, landlock: bool },
    /// Landlock only: files and TCP, but neither processes nor memory of all of them.
    Landlock,
    /// Nothing but limits and a cleared environment.
    Nothing,
}

/// Users of nobody, one a slot, where the grader is root.
const FIRST_UID: u32 = 61_000;
/// Folders of the system that a program needs to run, as far as they exist.
const SYSTEM: [&str; 6] =
    ["/usr", "/lib", "/lib64", "/bin", "/etc/alternatives", "/etc/ld.so.cache"];

const MIB: u64 = 1 << 20;
/// Private memory of one compiler, in bytes.
const BUILD_MEMORY: u64 = 3 << 30;
/// Private memory of one process of a server, in bytes.
const SERVER_MEMORY: u64 = 1 << 30;
/// Processor seconds of one server; the longest check lasts a minute.
const SERVER_CPU: u64 = 90;
/// Processes and threads of one server: room for a thread a client in a crowd.
const SERVER_PROCESSES: u64 = 512;
/// What a server may write in all, in bytes.
const SCRATCH: u64 = 64 * MIB;

impl Level {
    /// The best level here, or why `wanted` cannot be had.
    ///
    /// # Errors
    /// When a sandbox is required and there is none.
    pub(crate) fn probe(wanted: Wanted) -> Result<(Level, Vec<String>), String> {
        if wanted == Wanted::Off {
            return Ok((
                Level::Nothing,
                vec!["no sandbox, as asked for: whatever was submitted runs as you".to_string()],
            ));
        }
        let mut notes = Vec::new();
        let root = is_root();
        let landlock = confine::landlock_works();
        match bubblewrap_works(root) {
            Ok(()) => return Ok((Level::Bubblewrap { root, landlock }, notes)),
            Err(why) => notes.push(format!("bubblewrap cannot be used here: {why}")),
        }
        if landlock {
            notes.push(
                "Landlock alone: other processes can be seen, and UDP and forks stay open"
                    .to_string(),
            );
            return Ok((Level::Landlock, notes));
        }
        if wanted == Wanted::Require {
            return Err(format!(
                "--sandbox require: {}; and the kernel has no Landlock",
                notes.join("; ")
            ));
        }
        notes.push("no sandbox on this system: whatever was submitted runs as you".to_string());
        Ok((Level::Nothing, notes))
    }

    /// Its name, for the results.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Level::Bubblewrap { landlock: true, .. } => "bubblewrap and Landlock",
            Level::Bubblewrap { .. } => "bubblewrap",
            Level::Landlock => "Landlock",
            Level::Nothing => "none",
        }
    }

    /// What starts the grader of one submission: where possible with a loopback of its own.
    pub(crate) fn network(&self) -> Vec<String> {
        match self {
            Level::Bubblewrap { root, .. } => {
                let flags = if *root { "-n" } else { "-Urn" };
                words(&[
                    "unshare",
                    flags,
                    "--",
                    "sh",
                    "-c",
                    r#"ip link set lo up && exec "$@""#,
                    "sh",
                ])
            }
            _ => Vec::new(),
        }
    }

    /// The command line that runs a server; `shelf` holds the programs and our own, `scratch` is its own.
    pub(crate) fn server(
        &self,
        ours: &Path,
        program: &Path,
        scratch: &Path,
        slot: usize,
    ) -> Vec<String> {
        let limits = [
            "--cpu",
            &SERVER_CPU.to_string(),
            "--memory",
            &SERVER_MEMORY.to_string(),
            "--file-size",
            &SCRATCH.to_string(),
            "--open-files",
            "4096",
        ]
        .map(String::from);
        let processes = ["--processes".to_string(), SERVER_PROCESSES.to_string()];
        let mut line = vec![path(ours), "confine".to_string()];
        match self {
            Level::Bubblewrap { root, landlock } => {
                if *root {
                    line.extend(["--uid".to_string(), uid(slot).to_string()]);
                }
                line.extend(words(&["--", "bwrap"]));
                line.extend(walls(false));
                line.extend(["--size".to_string(), SCRATCH.to_string()]);
                line.extend(words(&["--tmpfs", "/tmp", "--chdir", "/tmp"]));
                line.extend(["--ro-bind".to_string(), path(ours), "/confine".to_string()]);
                line.extend(["--ro-bind".to_string(), path(program), "/server".to_string()]);
                line.extend(words(&["--remount-ro", "/", "--", "/confine", "confine"]));
                line.extend(limits);
                line.extend(processes);
                if *landlock {
                    for folder in SYSTEM
                        .iter()
                        .chain(&["/server", "/proc", "/dev"])
                        .filter(|path| Path::new(path).exists() || **path == "/server")
                    {
                        line.extend(words(&["--read", folder]));
                    }
                    line.extend(words(&[
                        "--write",
                        "/tmp",
                        "--write",
                        "/dev/null",
                        "--no-connect",
                    ]));
                }
                line.extend(words(&["--", "/server"]));
            }
            Level::Landlock => {
                line.extend(limits);
                for folder in SYSTEM.iter().filter(|path| Path::new(path).exists()) {
                    line.extend(words(&["--read", folder]));
                }
                line.extend([
                    "--read".to_string(),
                    path(program),
                    "--write".to_string(),
                    path(scratch),
                ]);
                line.extend(words(&["--write", "/dev/null", "--no-connect", "--"]));
                line.push(path(program));
            }
            Level::Nothing => {
                line.extend(limits);
                line.extend(["--".to_string(), path(program)]);
            }
        }
        line
    }

    /// The command line that runs cargo, each compiler with so many seconds of `cpu`, and the folders as cargo sees them.
    pub(crate) fn cargo(&self, ours: &Path, rooms: &Rooms, cpu: u64) -> (Vec<String>, Rooms) {
        // A compiler that is late is late; a heartbeat that is late may be taken for a fault, and is then listened to again.
        let mut line = words(&[&path(ours), "confine", "--patient"]);
        let limits = [
            "--cpu",
            &cpu.to_string(),
            "--memory",
            &BUILD_MEMORY.to_string(),
            "--file-size",
            &(512 * MIB).to_string(),
            "--open-files",
            "1024",
        ]
        .map(String::from);
        line.extend(limits);
        match self {
            Level::Bubblewrap { .. } => {
                let inside = Rooms {
                    workspace: "/workbook".into(),
                    target: "/target".into(),
                    toolchain: "/toolchain".into(),
                    cargo_home: "/cargo".into(),
                };
                line.extend(words(&["--", "bwrap"]));
                line.extend(walls(true));
                line.extend(words(&["--tmpfs", "/tmp", "--tmpfs", "/cargo"]));
                let registry =
                    (rooms.cargo_home.join("registry"), inside.cargo_home.join("registry"));
                for (outside, inside) in [
                    (&rooms.workspace, &inside.workspace),
                    (&rooms.toolchain, &inside.toolchain),
                    (&registry.0, &registry.1),
                ] {
                    line.extend(["--ro-bind".to_string(), path(outside), path(inside)]);
                }
                line.extend(["--bind".to_string(), path(&rooms.target), path(&inside.target)]);
                line.extend(words(&["--chdir", "/workbook", "--"]));
                (line, inside)
            }
            Level::Landlock => {
                for folder in SYSTEM.iter().filter(|path| Path::new(path).exists()) {
                    line.extend(words(&["--read", folder]));
                }
                let registry = rooms.cargo_home.join("registry");
                for folder in [&rooms.workspace, &rooms.toolchain, &registry] {
                    line.extend(["--read".to_string(), path(folder)]);
                }
                let lock = rooms.cargo_home.join(".package-cache");
                for folder in [&rooms.target, &lock, Path::new("/dev/null")] {
                    line.extend(["--write".to_string(), path(folder)]);
                }
                line.push("--".to_string());
                (line, rooms.clone())
            }
            Level::Nothing => {
                line.push("--".to_string());
                (line, rooms.clone())
            }
        }
    }
}

/// The folders that a build needs.
#[derive(Clone)]
pub(crate) struct Rooms {
    pub(crate) workspace: PathBuf,
    pub(crate) target: PathBuf,
    /// The compiler's own folder, as `rustc --print sysroot` names it.
    pub(crate) toolchain: PathBuf,
    pub(crate) cargo_home: PathBuf,
}

fn uid(slot: usize) -> u32 {
    FIRST_UID + u32::try_from(slot).unwrap_or(0)
}

/// A world with the system's programs and nothing else in it. The network is one's own for a build; a server
/// stays in that of its grader, which has nothing but a loopback.
fn walls(network: bool) -> Vec<String> {
    let mut walls = words(&[
        "--die-with-parent",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]);
    walls.extend(words(&["--cap-drop", "ALL", "--hostname", "workbook"]));
    if network {
        walls.push("--unshare-net".to_string());
    }
    for folder in SYSTEM {
        let link = std::fs::read_link(folder).ok();
        match link {
            Some(to) => walls.extend(["--symlink".to_string(), path(&to), folder.to_string()]),
            None => walls.extend(words(&["--ro-bind-try", folder, folder])),
        }
    }
    walls.extend(words(&["--proc", "/proc", "--dev", "/dev"]));
    walls
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn path(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Tries what a grading will do: distributions differ in what they allow.
fn bubblewrap_works(root: bool) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Err("it is for Linux only".to_string());
    }
    let level = Level::Bubblewrap { root, landlock: false };
    let ours = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut line = level.network();
    if root {
        line.extend([
            path(&ours),
            "confine".to_string(),
            "--uid".to_string(),
            uid(0).to_string(),
            "--".to_string(),
        ]);
    }
    line.push("bwrap".to_string());
    line.extend(walls(false));
    line.extend(words(&["--tmpfs", "/tmp", "--remount-ro", "/", "--", "/usr/bin/env", "true"]));
    let output = Command::new(&line[0]).args(&line[1..]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", line[0]))?;
    if output.status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().next().unwrap_or("it says nothing");
    Err(format!("{complaint} (wanted: bwrap, unshare and ip, and user namespaces for plain users)"))
}
