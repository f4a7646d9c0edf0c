//! Processes that don't outlive the checker. Each server leads a session and so a process group (on
//! Windows a job), which is killed as a whole.
//!
//! On Unix a guard process (`sh`) survives even a `kill -9` of the checker. It reads the groups
//! from a pipe, and kills the remaining ones at the pipe's end. On Windows a job ends with its last
//! handle.

use std::io;
use std::process::ExitStatus;

use tokio::process::{ChildStderr, ChildStdout, Command};

/// The variable that marks a server and its child processes, even those that left the group.
pub(super) const MARK: &str = "WORKBOOK_SERVER";

/// A running process and its child processes.
pub struct Process {
    child: platform::Child,
    id: u32,
}

impl Process {
    /// Starts the command in a session of its own. Its descendants are recognised by `mark`.
    pub fn spawn(
        mut command: Command,
        mark: &str,
    ) -> io::Result<(Self, Option<ChildStdout>, Option<ChildStderr>)> {
        command.env(MARK, mark).kill_on_drop(true);
        let mut child = platform::spawn(command, mark)?;
        let id = child.id().unwrap_or_default();
        let (stdout, stderr) = platform::pipes(&mut child);
        Ok((Process { child, id }, stdout, stderr))
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Waits until the process has ended by itself.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }
}

pub use platform::{kill, kill_all};

#[cfg(unix)]
mod platform {
    use std::collections::BTreeMap;
    #[cfg(target_os = "linux")]
    use std::collections::BTreeSet;
    use std::io::{self, Write};
    use std::os::unix::process::CommandExt;
    #[cfg(target_os = "linux")]
    use std::path::{Path, PathBuf};
    use std::process::{ChildStdin, Command as StdCommand, Stdio};
    use std::sync::{LazyLock, Mutex, MutexGuard};
    use std::time::{Duration, Instant};

    use memchr::memmem;
    use nix::sys::signal::{Signal, kill as signal, killpg};
    #[cfg(target_os = "linux")]
    use nix::sys::wait::{WaitPidFlag, waitpid};
    use nix::unistd::Pid;
    use tokio::process::{ChildStderr, ChildStdout, Command};

    #[cfg(target_os = "linux")]
    use crate::server::proc::Ancestry;
    use crate::server::proc::Before;
    use crate::server::{files, session};
    use crate::sync::lock;

    pub(super) type Child = tokio::process::Child;

    /// Kills the remaining groups when its input ends, which happens when the checker ends in any
    /// way.
    ///
    /// A server that is being started is announced with its mark and group 0. If the checker ends
    /// at that moment, the server may carry its mark only after `exec`, so the guard looks ten
    /// times.
    const GUARD: &str = r#"
        trap '' INT TERM HUP QUIT
        left=' '
        while read -r verb group mark; do
            case $verb in
                +) left="$left$group:$mark " ;;
                -) left="${left%% "$group":*} ${left#* "$group":"$mark" }" ;;
            esac
        done
        for entry in $left; do
            tries=1
            case $entry in
                0:*) tries=10 ;;
                *) kill -9 -- "-${entry%%:*}" 2>/dev/null ;;
            esac
            while [ $tries -gt 0 ]; do
                for environment in $(grep -ls "=${entry#*:}" /proc/[0-9]*/environ 2>/dev/null); do
                    process="${environment#/proc/}"
                    kill -9 "${process%/environ}" 2>/dev/null
                done
                tries=$((tries - 1))
                [ $tries -eq 0 ] || sleep 0.2
            done
        done
    "#;

    /// The longest wait for the end of killed processes.
    const GONE_WITHIN: Duration = Duration::from_secs(2);

    static GROUPS: LazyLock<Mutex<Groups>> = LazyLock::new(|| Mutex::new(Groups::new()));

    struct Groups {
        running: BTreeMap<u32, String>,
        /// The processes started here that may not be reaped yet. Tokio collects their status.
        #[cfg(target_os = "linux")]
        started: BTreeSet<u32>,
        /// The processes that existed before any server.
        before: Before,
        guard: Option<ChildStdin>,
        /// The checker is ending and starts no process any more.
        closed: bool,
    }

    impl Groups {
        fn new() -> Self {
            adopt_orphans();
            files::allow_many();
            let guard = StdCommand::new("sh")
                .args(["-c", GUARD])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn();
            // Without `sh`, servers outlive the checker only if it is killed with SIGKILL.
            Groups {
                running: BTreeMap::new(),
                #[cfg(target_os = "linux")]
                started: BTreeSet::new(),
                before: Before::now(),
                guard: guard.ok().and_then(|mut guard| guard.stdin.take()),
                closed: false,
            }
        }

        fn notify_guard(&mut self, verb: char, id: u32, mark: &str) {
            if let Some(guard) = &mut self.guard {
                let _ = guard.write_all(format!("{verb} {id} {mark}\n").as_bytes());
            }
        }
    }

    fn groups() -> MutexGuard<'static, Groups> {
        lock(&GROUPS)
    }

    pub(super) fn spawn(mut command: Command, mark: &str) -> io::Result<Child> {
        session::lead(&mut command);
        let mut groups = groups();
        if groups.closed {
            return Err(io::Error::other("the checker is ending"));
        }
        groups.notify_guard('+', 0, mark);
        let child = command.spawn();
        if let Ok(child) = &child {
            let id = child.id().unwrap_or_default();
            groups.running.insert(id, mark.to_string());
            #[cfg(target_os = "linux")]
            groups.started.insert(id);
            groups.notify_guard('+', id, mark);
        }
        groups.notify_guard('-', 0, mark);
        child
    }

    pub(super) fn pipes(child: &mut Child) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (child.stdout.take(), child.stderr.take())
    }

    /// Kills a process and its group, and on Linux everything else that it started.
    pub fn kill(id: u32) {
        let mut groups = groups();
        let Some(mark) = groups.running.remove(&id) else { return };
        groups.before.remove_exited();
        kill_family(id, &mark, &mut groups);
        groups.notify_guard('-', id, &mark);
    }

    /// Kills all remaining processes of [`Process::spawn`](super::Process::spawn), which fails from
    /// then on.
    pub fn kill_all() {
        let running: Vec<u32> = {
            let mut groups = groups();
            groups.closed = true;
            groups.running.keys().copied().collect()
        };
        running.iter().copied().for_each(kill);
        // `kill` returns before the process has ended, and the caller relies on its end.
        let since = Instant::now();
        while running.iter().any(|id| group_exists(*id)) && since.elapsed() < GONE_WITHIN {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Makes the checker the parent of orphaned descendants. So a daemon is found even if it
    /// cleared its environment.
    #[cfg(target_os = "linux")]
    fn adopt_orphans() {
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }

    #[cfg(not(target_os = "linux"))]
    fn adopt_orphans() {}

    /// Kills a server with its descendants, its session, all processes with its mark, and the
    /// adopted orphans of servers that no longer run.
    #[cfg(target_os = "linux")]
    fn kill_family(server: u32, mark: &str, groups: &mut Groups) {
        /// A process may fork between the look at `/proc` and its end.
        const PASSES: usize = 8;
        let mut killed = BTreeSet::new();
        for pass in 0..PASSES {
            let found = related(server, mark, groups);
            if pass == 0 {
                // After the look at `/proc`: descendants lose their parent with the server.
                kill_group(server);
            }
            let mut again = false;
            for (id, adopted) in found {
                let Some(pid) = group(id) else { continue };
                if killed.insert(id) {
                    again |= signal(pid, Signal::SIGKILL).is_ok() && id != server;
                }
                if adopted {
                    // Frees the zombie's place in the process table. A process that was killed just
                    // now may be reaped when the next server ends.
                    let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
                }
            }
            if !again {
                break;
            }
        }
    }

    /// Returns the processes to kill with this server, each with whether the checker adopted it.
    #[cfg(target_os = "linux")]
    fn related(server: u32, mark: &str, groups: &mut Groups) -> Vec<(u32, bool)> {
        let ours = std::process::id();
        let own = Ancestry::read(Path::new("/proc/self")).map(|ancestry| ancestry.session);
        let present: BTreeMap<u32, (Ancestry, PathBuf)> = groups
            .before
            .newer()
            .filter_map(|(id, path)| Some((id, (Ancestry::read(&path)?, path))))
            .collect();
        groups.started.retain(|id| present.contains_key(id));
        let descends = |mut id: u32| {
            // Bounded, since the tree may change while it is read.
            for _ in 0..present.len() {
                match present.get(&id) {
                    _ if id == server => return true,
                    Some((ancestry, _)) => id = ancestry.parent,
                    None => return false,
                }
            }
            false
        };
        let mut related = Vec::new();
        for (id, (ancestry, process)) in &present {
            // The checker's own children share its session. Servers never do.
            let adopted = ancestry.parent == ours
                && Some(ancestry.session) != own
                && !groups.started.contains(id);
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            let is_of = |server: u32, mark: &str| {
                ancestry.session == server || is_marked(&environment, mark)
            };
            // A mark can be forged. It protects a process only while the marked server runs.
            let of_another = || groups.running.iter().any(|(server, mark)| is_of(*server, mark));
            if is_of(server, mark) || descends(*id) || (adopted && !of_another()) {
                related.push((*id, adopted));
            }
        }
        related
    }

    #[cfg(not(target_os = "linux"))]
    fn kill_family(server: u32, mark: &str, groups: &mut Groups) {
        kill_group(server);
        for (id, process) in groups.before.newer() {
            let Ok(environment) = std::fs::read(process.join("environ")) else { continue };
            if let Some(id) = group(id).filter(|_| is_marked(&environment, mark)) {
                let _ = signal(id, Signal::SIGKILL);
            }
        }
    }

    fn is_marked(environment: &[u8], mark: &str) -> bool {
        memmem::find(environment, format!("{}={mark}\0", super::MARK).as_bytes()).is_some()
    }

    fn group_exists(id: u32) -> bool {
        group(id).is_some_and(|group| killpg(group, None).is_ok())
    }

    fn group(id: u32) -> Option<Pid> {
        i32::try_from(id).ok().filter(|id| *id > 0).map(Pid::from_raw)
    }

    fn kill_group(id: u32) {
        if let Some(group) = group(id) {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

#[cfg(windows)]
mod platform {
    use std::io;

    use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
    use tokio::process::{ChildStderr, ChildStdout, Command};

    pub(super) type Child = Box<dyn ChildWrapper>;

    pub(super) fn spawn(command: Command, _mark: &str) -> io::Result<Child> {
        CommandWrap::from(command).wrap(KillOnDrop).wrap(JobObject).spawn()
    }

    pub(super) fn pipes(child: &mut Child) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (child.stdout().take(), child.stderr().take())
    }

    /// Does nothing: the job ends when its [`Process`](super::Process) is dropped.
    pub fn kill(_id: u32) {}

    /// Does nothing: all jobs end with the checker.
    pub fn kill_all() {}
}
