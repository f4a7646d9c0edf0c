//! Processes that don't outlive the checker: each server leads a session, and so a process group
//! (on Windows a job), that is killed whole.
//!
//! On Unix a guard, one `sh` a checker, outlives even a `kill -9` of the checker: it reads the
//! groups from a pipe, and when that pipe ends it kills those that are left. On Windows the system
//! does this, since a job ends with its last handle.

use std::io;
use std::process::ExitStatus;

use tokio::process::{ChildStderr, ChildStdout, Command};

/// The variable that marks a server and every process it starts, even one that left the group.
pub const MARK: &str = "WORKBOOK_SERVER";

/// A running process and all that it starts.
pub struct Process {
    child: platform::Child,
    id: u32,
}

impl Process {
    /// Starts the command in a session of its own; `mark` tells its descendants from all others.
    ///
    /// # Errors
    /// When the program can't be started.
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

    /// The process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    /// When the system can't tell.
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
    use std::process::{ChildStdin, Command as StdCommand, Stdio};
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
    use std::time::{Duration, Instant};

    use memchr::memmem;
    use nix::sys::signal::{Signal, kill as signal, killpg};
    use nix::unistd::Pid;
    use tokio::process::{ChildStderr, ChildStdout, Command};

    use crate::server::proc::Before;
    use crate::server::{files, session};

    pub(super) type Child = tokio::process::Child;

    /// Kills what is left when its input ends, which it does with the checker, however that ends.
    ///
    /// Of a server that is being started only the mark is known yet, and its group is 0: should the
    /// checker end right then, the server may not carry its mark for a moment, so it is looked for
    /// more than once.
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

    /// How long the end of the killed is waited for.
    const GONE_WITHIN: Duration = Duration::from_secs(2);

    static GROUPS: LazyLock<Mutex<Groups>> = LazyLock::new(|| Mutex::new(Groups::new()));

    struct Groups {
        living: BTreeMap<u32, String>,
        /// Processes that were started here and may not have been reaped yet: their status is
        /// another's to collect.
        #[cfg(target_os = "linux")]
        started: BTreeSet<u32>,
        /// What was there before any server.
        before: Before,
        guard: Option<ChildStdin>,
        /// Set when the checker is about to end: nothing is started any more.
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
            // Without `sh` servers still end with the checker, unless it is killed with signal 9.
            Groups {
                living: BTreeMap::new(),
                #[cfg(target_os = "linux")]
                started: BTreeSet::new(),
                before: Before::now(),
                guard: guard.ok().and_then(|mut guard| guard.stdin.take()),
                closed: false,
            }
        }

        fn tell(&mut self, verb: char, id: u32, mark: &str) {
            if let Some(guard) = &mut self.guard {
                let _ = guard.write_all(format!("{verb} {id} {mark}\n").as_bytes());
            }
        }
    }

    /// A panic elsewhere must not keep anything from being killed.
    fn groups() -> MutexGuard<'static, Groups> {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spawn(mut command: Command, mark: &str) -> io::Result<Child> {
        session::lead(&mut command);
        let mut groups = groups();
        if groups.closed {
            return Err(io::Error::other("the checker is ending"));
        }
        groups.tell('+', 0, mark);
        let child = command.spawn();
        if let Ok(child) = &child {
            let id = child.id().unwrap_or_default();
            groups.living.insert(id, mark.to_string());
            #[cfg(target_os = "linux")]
            groups.started.insert(id);
            groups.tell('+', id, mark);
        }
        groups.tell('-', 0, mark);
        child
    }

    pub(super) fn pipes(child: &mut Child) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (child.stdout.take(), child.stderr.take())
    }

    /// Kills a process, its group, and on Linux its session, what carries its mark, and adopted
    /// orphans.
    pub fn kill(id: u32) {
        let mut groups = groups();
        let Some(mark) = groups.living.remove(&id) else { return };
        kill_group(id);
        groups.before.remove_exited();
        kill_related(id, &mark, &mut groups);
        groups.tell('-', id, &mark);
    }

    /// Kills all that [`Process::spawn`](super::Process::spawn) started and nobody has killed yet;
    /// from then on it starts nothing more.
    pub fn kill_all() {
        let living: Vec<u32> = {
            let mut groups = groups();
            groups.closed = true;
            groups.living.keys().copied().collect()
        };
        living.iter().copied().for_each(kill);
        // A signal is sent sooner than a process is gone, and whoever asked wants it gone.
        let since = Instant::now();
        while living.iter().any(|id| exists(*id)) && since.elapsed() < GONE_WITHIN {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// From now on a daemon's parent is the checker, and so it can be found whatever it did to its
    /// environment.
    #[cfg(target_os = "linux")]
    fn adopt_orphans() {
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }

    #[cfg(not(target_os = "linux"))]
    fn adopt_orphans() {}

    /// Kills what is left of this server, and orphans that belong to no living one.
    #[cfg(target_os = "linux")]
    fn kill_related(server: u32, mark: &str, groups: &mut Groups) {
        use nix::sys::wait::{WaitPidFlag, waitpid};

        use crate::server::proc::Ancestry;

        let ours = std::process::id();
        let own = Ancestry::read(std::path::Path::new("/proc/self")).map(|kin| kin.session);
        let present: BTreeMap<_, _> = groups.before.newer().collect();
        groups.started.retain(|id| present.contains_key(id));
        for (id, process) in present {
            let (Some(kin), Some(pid)) = (Ancestry::read(&process), group(id)) else { continue };
            // Children in the session of the checker are its own. All servers and their descendants
            // are in others.
            let adopted =
                kin.parent == ours && Some(kin.session) != own && !groups.started.contains(&id);
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            // A mark can be forged: it protects only if it is that of a server that still runs,
            // which takes the process with it in the end.
            let of_another = groups
                .living
                .iter()
                .any(|(other, mark)| kin.session == *other || carries(&environment, mark));
            let of_this = kin.session == server || carries(&environment, mark);
            if of_this || (adopted && !of_another) {
                let _ = signal(pid, Signal::SIGKILL);
            }
            if adopted {
                // Reaps it if it has ended, so that no zombie takes up room in the table of
                // processes. What has just been killed is reaped when the next server ends.
                let _ = waitpid(pid, Some(WaitPidFlag::WNOHANG));
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn kill_related(_server: u32, mark: &str, groups: &mut Groups) {
        kill_marked(mark, &groups.before);
    }

    fn exists(id: u32) -> bool {
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

    #[cfg(not(target_os = "linux"))]
    fn kill_marked(mark: &str, before: &Before) {
        for (id, process) in before.newer() {
            let Ok(environment) = std::fs::read(process.join("environ")) else { continue };
            if let Some(id) = group(id).filter(|_| carries(&environment, mark)) {
                let _ = signal(id, Signal::SIGKILL);
            }
        }
    }

    /// Whether a process with this environment was started with this mark.
    fn carries(environment: &[u8], mark: &str) -> bool {
        memmem::find(environment, format!("{}={mark}\0", super::MARK).as_bytes()).is_some()
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

    /// Nothing to do: the job ends when its [`Process`](super::Process) is dropped.
    pub fn kill(_id: u32) {}

    /// Nothing to do: all jobs end with the checker.
    pub fn kill_all() {}
}
