//! Starts everything that touches a submission, inside this machine's sandbox.
//!
//! All such processes start through `confine`, which fails closed: it does not run the program if
//! it cannot set one of the limits.

mod cgroup;
pub(crate) mod confine;
#[cfg(target_os = "linux")]
mod filter;
mod probe;
#[cfg(target_os = "linux")]
mod rules;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use harness::exercise::Exercise;

pub(crate) use cgroup::{Cgroup, Cgroups};
pub(crate) use probe::{print_landlock_abi, probe};

/// The Landlock ABI that the threat model needs: 6 keeps signals and abstract sockets inside, 4
/// TCP, 3 truncation.
pub(crate) const LANDLOCK_ABI: i32 = 6;
/// The first kernel that has it.
pub(crate) const LANDLOCK_KERNEL: &str = "Linux 6.12";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wanted {
    /// The best sandbox of this machine; without one nothing is graded
    Require,
    /// Namespaces by bubblewrap, or nothing is graded
    Bubblewrap,
    /// Landlock without namespaces, or nothing is graded
    Landlock,
    /// No walls, only limits: for submissions that are trusted
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Namespaces for each server and each compiler, by bubblewrap.
    Bubblewrap,
    /// Landlock only: files, TCP and signals, but no process table or network of its own.
    Landlock,
    /// Limits, a filter of system calls, and another user where the grader is root.
    Off,
}

/// The parts of the sandbox that this machine has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sandbox {
    pub(crate) level: Level,
    /// The ABI of the kernel's Landlock, if it has the one that is needed.
    pub(crate) landlock: Option<i32>,
    /// The grader is root and runs submissions as other users.
    pub(crate) root: bool,
    /// The most processes and threads that this user may have, where no other limit applies.
    pub(crate) user_processes: Option<u64>,
}

impl Sandbox {
    /// The name for results.
    pub(crate) fn name(&self) -> &'static str {
        match (self.level, self.landlock) {
            (Level::Bubblewrap, Some(_)) => "bubblewrap and Landlock",
            (Level::Bubblewrap, None) => "bubblewrap",
            (Level::Landlock, _) => "Landlock",
            (Level::Off, _) => "none",
        }
    }
}

/// The first of the users that own nothing, one for each place, where the grader is root.
pub(crate) const FIRST_UID: u32 = 61_000;
/// Folders of the system that a program needs to run, where they exist.
const SYSTEM: [&str; 6] =
    ["/usr", "/lib", "/lib64", "/bin", "/etc/alternatives", "/etc/ld.so.cache"];

const MIB: u64 = 1 << 20;
/// Memory of the process that unpacks, in bytes. A submission of the largest size takes a tenth of
/// it.
const UNPACK_MEMORY: u64 = 96 * MIB;
const UNPACK_CPU: u64 = 30;
/// Memory of the process that grades, in bytes: what a server sends is kept in part.
const WORKER_MEMORY: u64 = 1 << 30;
/// Private memory of one compiler, in bytes.
const BUILD_MEMORY: u64 = 3 << 30;
/// Private memory of one process of a server, in bytes.
const SERVER_MEMORY: u64 = 1 << 30;
/// Processor seconds of one server. The longest check lasts a minute.
const SERVER_CPU: u64 = 90;
/// Processes and threads of one server: room for a thread for each client of a crowd.
pub(crate) const SERVER_PROCESSES: u64 = 512;
/// The largest file that a server may write, and where possible all of them, in bytes.
const SCRATCH: u64 = 64 * MIB;

/// A command line.
pub(crate) struct Line(Vec<OsString>);

impl Line {
    fn add<W: Into<OsString>>(&mut self, words: impl IntoIterator<Item = W>) {
        self.0.extend(words.into_iter().map(Into::into));
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.extend([name.into(), value.into()]);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.option(name, value.to_string());
    }

    /// Ends the line with the program to run and its arguments.
    pub(crate) fn run(&mut self, program: &Path, args: &[String]) {
        self.0.push(program.into());
        self.add(args);
    }

    pub(crate) fn into_command(self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.0[0]);
        command.args(&self.0[1..]);
        command
    }

    pub(crate) fn into_strings(self) -> Vec<String> {
        self.0.into_iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }
}

/// The folders of a build: as they are here, or as they are called inside the walls.
#[derive(Clone)]
pub(crate) struct Folders {
    /// The submission's sources.
    pub(crate) workspace: PathBuf,
    /// The compiled libraries, which a build only reads.
    pub(crate) libraries: PathBuf,
    /// Where the program is put.
    pub(crate) output: PathBuf,
    /// The compiler's own folder, as `rustc --print sysroot` names it.
    pub(crate) toolchain: PathBuf,
}

pub(crate) struct Launcher {
    pub(crate) sandbox: Sandbox,
    /// Our own program, where every user may run it.
    pub(crate) ours: PathBuf,
}

impl Launcher {
    fn confine(&self) -> Line {
        Line(vec![self.ours.clone().into(), "confine".into()])
    }

    /// The user of a place, if the grader must not lend its own.
    pub(crate) fn uid(&self, place: usize) -> Option<u32> {
        self.sandbox.root.then(|| FIRST_UID + u32::try_from(place).unwrap_or(0))
    }

    /// Builds the command that unpacks a submission. It is our own code and keeps the user, which
    /// can read the submission.
    pub(crate) fn unpack(&self, submission: &Path, folder: &Path, only: Option<Exercise>) -> Line {
        let mut line = self.confine();
        line.number("--memory", UNPACK_MEMORY);
        line.number("--cpu", UNPACK_CPU);
        line.number("--file-size", SCRATCH);
        line.add(["--victim", "--filter"]);
        if self.sandbox.landlock.is_some() {
            self.read_system(&mut line);
            line.option("--read", submission);
            line.option("--read", &self.ours);
            line.option("--write", folder);
        }
        line.add(["--".as_ref(), self.ours.as_os_str(), "unpack".as_ref()]);
        line.add([submission, folder]);
        if let Some(only) = only {
            line.option("--exercise", only.name());
        }
        line
    }

    /// Builds the command that grades one submission. It is our own code outside of the sandbox,
    /// where possible with a loopback of its own.
    pub(crate) fn worker(&self, cgroup: Option<&Cgroup>, task: &Path) -> Line {
        let mut line = self.confine();
        line.number("--memory", WORKER_MEMORY);
        self.join(&mut line, cgroup);
        line.add(["--"]);
        if self.sandbox.level == Level::Bubblewrap {
            line.add(network(self.sandbox.root));
        }
        line.add([self.ours.as_os_str(), "worker".as_ref(), task.as_os_str()]);
        line
    }

    /// Builds the command that runs a server. The server may write to `scratch`, where it has no
    /// file system of its own.
    pub(crate) fn server(&self, program: &Path, scratch: &Path, place: usize) -> Line {
        let mut line = self.confine();
        if self.sandbox.level == Level::Bubblewrap {
            line.add(["--victim", "--", "bwrap"]);
            self.add_root(&mut line, SCRATCH);
            line.add(["--chdir", "/tmp"]);
            bind(&mut line, "--ro-bind", program, "/server");
            line.add(["--remount-ro", "/", "--", "/confine", "confine"]);
        }
        line.number("--cpu", SERVER_CPU);
        line.number("--memory", SERVER_MEMORY);
        line.number("--file-size", SCRATCH);
        line.number("--open-files", 4096);
        line.add(["--victim", "--filter"]);
        self.give_up_user(&mut line, place);
        let inside = match self.sandbox.level {
            Level::Bubblewrap => Path::new("/server"),
            Level::Landlock | Level::Off => program,
        };
        if self.sandbox.landlock.is_some() && self.sandbox.level != Level::Off {
            self.read_system(&mut line);
            line.option("--read", inside);
            if self.sandbox.level == Level::Bubblewrap {
                line.add(["--read", "/proc", "--write", "/tmp"]);
            } else {
                line.option("--write", scratch);
            }
            line.add(["--no-connect"]);
        }
        line.add(["--".as_ref(), inside.as_os_str()]);
        line
    }

    /// Builds the command that runs a compiler for `cpu` seconds, up to the compiler itself. The
    /// folders are returned as the compiler sees them.
    pub(crate) fn compiler(
        &self,
        folders: &Folders,
        cgroup: Option<&Cgroup>,
        place: usize,
        cpu: u64,
    ) -> (Line, Folders) {
        let mut line = self.confine();
        self.join(&mut line, cgroup);
        let mut inside = folders.clone();
        if self.sandbox.level == Level::Bubblewrap {
            line.add(["--", "bwrap", "--unshare-net"]);
            self.add_root(&mut line, 4 * SCRATCH);
            inside = Folders {
                workspace: "/workbook".into(),
                libraries: "/libraries".into(),
                output: "/output".into(),
                toolchain: "/toolchain".into(),
            };
            bind(&mut line, "--ro-bind", &folders.workspace, "/workbook");
            bind(&mut line, "--ro-bind", &folders.libraries, "/libraries");
            bind(&mut line, "--ro-bind", &folders.toolchain, "/toolchain");
            bind(&mut line, "--bind", &folders.output, "/output");
            line.add(["--remount-ro", "/", "--chdir", "/workbook", "--", "/confine", "confine"]);
        }
        line.number("--cpu", cpu);
        line.number("--memory", BUILD_MEMORY);
        line.number("--file-size", 512 * MIB);
        line.number("--open-files", 1024);
        // A compiler that is late is only late. A server that is late may be taken for a faulty
        // one.
        line.add(["--victim", "--patient", "--filter"]);
        self.give_up_user(&mut line, place);
        if self.sandbox.landlock.is_some() && self.sandbox.level != Level::Off {
            // Not `/proc`: some of its files never end.
            self.read_system(&mut line);
            for folder in [&inside.workspace, &inside.libraries, &inside.toolchain] {
                line.option("--read", folder);
            }
            line.option("--write", &inside.output);
            if self.sandbox.level == Level::Bubblewrap {
                line.option("--write", "/tmp");
            }
            line.add(["--no-connect"]);
        }
        line.add(["--"]);
        (line, inside)
    }

    fn join(&self, line: &mut Line, cgroup: Option<&Cgroup>) {
        if let Some(cgroup) = cgroup {
            line.option("--cgroup", cgroup.path());
        }
    }

    fn give_up_user(&self, line: &mut Line, place: usize) {
        if let Some(uid) = self.uid(place) {
            line.option("--uid", uid.to_string());
        }
        // A user of its own, or a user namespace, counts this submission alone.
        if self.sandbox.root || self.sandbox.level == Level::Bubblewrap {
            line.number("--processes", SERVER_PROCESSES);
        } else if let Some(most) = self.sandbox.user_processes {
            line.number("--processes", most);
        }
    }

    fn read_system(&self, line: &mut Line) {
        for folder in SYSTEM.iter().filter(|folder| Path::new(folder).exists()) {
            line.option("--read", *folder);
        }
        line.add(["--write", "/dev/null", "--read", "/dev/urandom"]);
    }

    /// A root directory with the system's programs and a `/tmp` of `size` bytes. As root, the
    /// mounts are made first, and `confine` gives up the user inside.
    fn add_root(&self, line: &mut Line, size: u64) {
        line.add(["--die-with-parent", "--new-session", "--unshare-pid", "--unshare-ipc"]);
        line.add(["--unshare-uts", "--unshare-cgroup-try", "--hostname", "workbook"]);
        line.add(["--cap-drop", "ALL"]);
        if self.sandbox.root {
            line.add(["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]);
        }
        // Parents that bubblewrap makes by itself are closed to other users.
        line.add(["--dir", "/etc"]);
        for folder in SYSTEM {
            match std::fs::read_link(folder) {
                Ok(to) => bind(line, "--symlink", &to, folder),
                Err(_) => line.add(["--ro-bind-try", folder, folder]),
            }
        }
        line.add(["--proc", "/proc", "--dir", "/dev"]);
        line.add(["--dev-bind", "/dev/null", "/dev/null"]);
        line.add(["--dev-bind", "/dev/urandom", "/dev/urandom"]);
        line.add(["--perms", "1777"]);
        line.number("--size", size);
        line.add(["--tmpfs", "/tmp"]);
        bind(line, "--ro-bind", &self.ours, "/confine");
    }
}

fn bind(line: &mut Line, kind: &str, outside: &Path, inside: &str) {
    line.add([kind.as_ref(), outside.as_os_str(), inside.as_ref()]);
}

/// The command that starts a program with only a loopback for a network.
fn network(root: bool) -> [&'static str; 7] {
    let flags = if root { "-n" } else { "-Urn" };
    ["unshare", flags, "--", "sh", "-c", r#"ip link set lo up && exec "$@""#, "sh"]
}
