//! The server under test: built, started, watched and killed.

pub mod build;
pub(crate) mod files;
pub mod output;
mod owner;
pub mod proc;
pub mod process;
#[cfg(unix)]
mod session;
mod socket;
pub mod usage;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::process::Command;
use tokio::sync::{Mutex, watch};

use build::Warning;
use output::{Output, Stream};
use proc::Before;
use process::Process;
use socket::Listening;

use crate::uptime_cache::UptimeCache;

/// What the ready line begins with; the address follows.
pub const READY: &str = "WebSocket server running on ws://";
/// How long a server may take to print its ready line. Late is legal, never is not.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// In `ADDR`, any free port.
const ANY_PORT: u16 = 0;
/// For one of these `ADDR` asks the first server of a program. They are few enough to be allowed
/// one by one where servers are confined, and below those that the system gives to any connection
/// of any program (from 32,768 on Linux, 49,152 elsewhere).
pub const OWN_PORTS: Range<u16> = 20_000..20_512;
/// On which a server listens without `ADDR`.
pub const DEFAULT_PORT: u16 = 8080;
/// The time over which the server's share of a processor is measured.
const SHARE_WINDOW: Duration = Duration::from_millis(300);
/// How many ports are tried for the first server: another process may take one before it does.
const PORTS_TRIED: usize = 3;

/// A program that is a server when it is started.
#[derive(Clone)]
pub struct Program {
    argv: Vec<String>,
    directory: PathBuf,
    trial: Arc<Mutex<Trial>>,
    age: Option<UptimeCache>,
    /// The compiler's warnings about its source, if the checker built it.
    pub warnings: Vec<Warning>,
}

/// What the first server of a program has shown: whether it listens where `ADDR` says.
#[derive(Default)]
enum Trial {
    #[default]
    Ahead,
    Passed,
    Failed {
        at: Instant,
        error: StartError,
        output: Arc<Output>,
    },
}

/// What a server's environment says beside `ADDR`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment {
    /// `HEARTBEAT_INTERVAL_MS`; `None` leaves the server its default.
    pub interval: Option<Duration>,
    /// Whether `CI` is set, as on a build machine. The contract holds with it and without.
    pub ci: bool,
}

impl Program {
    /// The program at `argv[0]` with the arguments that follow, run in `directory`.
    pub fn new(argv: Vec<String>, directory: PathBuf) -> Self {
        Program { argv, directory, trial: Arc::default(), age: None, warnings: Vec::new() }
    }

    /// From now on it is remembered from run to run that this program was right after its first second.
    pub fn remember(&mut self) {
        self.age = UptimeCache::of(Path::new(&self.argv[0]));
    }

    /// What is remembered of it, if anything is to be.
    pub fn age(&self) -> Option<&UptimeCache> {
        self.age.as_ref()
    }

    /// How the program is started, as one would type it.
    pub fn command_line(&self) -> String {
        self.argv.join(" ")
    }
}

/// Why a server didn't come up.
#[derive(Debug, Clone)]
pub enum StartError {
    /// It can't be started at all: no such program, no permission.
    NoSuchProgram(String),
    /// It ended before its ready line.
    Ended(String),
    /// It runs, but printed no ready line in time.
    NotReady(Duration),
    /// Its ready line names no port.
    NoPort(String),
    /// Its ready line names a port on which another process listened before.
    AnothersPort(String),
    /// It listens on a port for which `ADDR` did not ask.
    IgnoresAddr {
        /// What `ADDR` was.
        addr: String,
        /// The port in its ready line; `None` if it found the port in use and ended.
        port: Option<u16>,
    },
    /// It listens where `ADDR` says, and its ready line names another port.
    WrongReadyLine {
        /// What `ADDR` was.
        addr: String,
        /// The line.
        line: String,
    },
}

/// A server that is running.
pub struct Server {
    /// The port that its ready line names.
    pub port: u16,
    /// What it prints.
    pub output: Arc<Output>,
    /// When its process was started.
    pub started: Instant,
    id: u32,
    before: Before,
    ended: watch::Receiver<Option<ExitStatus>>,
    /// Closed when its output is read to the end.
    reading: watch::Receiver<()>,
    /// Closed when its process is gone, after which there is room for another.
    going: watch::Receiver<()>,
}

impl Server {
    /// Starts the program and waits for its ready line.
    ///
    /// The first server of a program is given a port of its own in `ADDR`, which shows whether it
    /// listens there. All that are started meanwhile wait for that; later ones get any free port.
    ///
    /// # Errors
    /// See [`StartError`]; with it comes what the program printed.
    pub async fn start(
        program: &Program,
        environment: Environment,
    ) -> Result<Self, (StartError, Arc<Output>)> {
        let asked = Instant::now();
        let mut trial = program.trial.lock().await;
        match &*trial {
            Trial::Passed => {
                drop(trial);
                return Self::start_on(program, environment, ANY_PORT).await;
            }
            // Each of those that waited would fail in the same way, one after the other.
            Trial::Failed { at, error, output } if *at >= asked => {
                return Err((error.clone(), output.clone()));
            }
            Trial::Failed { .. } | Trial::Ahead => {}
        }
        let started = Self::start_on_its_port(program, environment).await;
        *trial = match &started {
            Ok(_) => Trial::Passed,
            Err((error, output)) => {
                Trial::Failed { at: Instant::now(), error: error.clone(), output: output.clone() }
            }
        };
        started
    }

    async fn start_on_its_port(
        program: &Program,
        environment: Environment,
    ) -> Result<Self, (StartError, Arc<Output>)> {
        let mut tries = 0;
        loop {
            tries += 1;
            // Where all are taken, nothing is found out.
            let port = socket::free_port().unwrap_or(ANY_PORT);
            let started = Self::start_on(program, environment, port).await;
            let in_use = match &started {
                Err((StartError::Ended(_), _)) => !socket::is_free(port),
                Err((StartError::IgnoresAddr { port: None, .. }, _)) => true,
                _ => false,
            };
            if !in_use || tries == PORTS_TRIED {
                return started;
            }
        }
    }

    /// Kills it, and waits until it is gone. How it ended, nobody can tell any more.
    pub async fn stop(&mut self) {
        process::kill(self.id);
        self.ended = watch::channel(None).1;
        self.gone().await;
    }

    /// Waits until its process is gone, which it is soon after this was dropped.
    pub fn gone(&self) -> impl Future<Output = ()> + use<> {
        closed(self.going.clone())
    }

    async fn start_on(
        program: &Program,
        environment: Environment,
        port: u16,
    ) -> Result<Self, (StartError, Arc<Output>)> {
        let addr = format!("127.0.0.1:{port}");
        let output = Output::new();
        let failed = |error| (error, output.clone());
        let (before, listening) = (Before::now(), Listening::now());
        let (mut process, stdout, stderr) =
            Process::spawn(command(program, environment, &addr), &mark()).map_err(|error| {
                failed(StartError::NoSuchProgram(format!(
                    "{}: {}",
                    program.command_line(),
                    files::explained(&error)
                )))
            })?;
        let started = Instant::now();
        let id = process.id();
        let (all_read, reading) = watch::channel(());
        let readers = [
            stdout.map(|stdout| tokio::spawn(output.clone().read(Stream::Stdout, stdout))),
            stderr.map(|stderr| tokio::spawn(output.clone().read(Stream::Stderr, stderr))),
        ];
        tokio::spawn(async move {
            join_all(readers.into_iter().flatten()).await;
            drop(all_read);
        });
        let (ended, watching) = watch::channel(None);
        let (gone, going) = watch::channel(());
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = ended.closed() => {}
                status = process.wait() => {
                    if let Ok(status) = status {
                        ended.send_replace(Some(status));
                    }
                    // On Windows the job lasts as long as the process is held.
                    ended.closed().await;
                }
            }
            // It was killed, or on Windows is now. Until it is gone it has its port.
            if cfg!(unix) {
                let _ = tokio::time::timeout(Duration::from_secs(2), process.wait()).await;
            }
            drop((process, gone));
        });
        let mut server = Server {
            port: 0,
            output: output.clone(),
            started,
            id,
            before,
            ended: watching,
            reading,
            going,
        };
        let ready = server.printed(|output| output.ready().is_some());
        match tokio::time::timeout(READY_WITHIN, ready).await {
            Err(_) => return Err(failed(StartError::NotReady(READY_WITHIN))),
            Ok(false) => {
                let status = server.exit_status().await;
                // Nothing else wants an address, and the one in `ADDR` is free.
                let ignores_addr =
                    output.found_address_in_use() && (port == ANY_PORT || socket::is_free(port));
                return Err(failed(if ignores_addr {
                    StartError::IgnoresAddr { addr, port: None }
                } else {
                    StartError::Ended(status.to_string())
                }));
            }
            Ok(true) => {}
        }
        let line = output.ready().unwrap_or_default();
        server.port = port_of(&line).ok_or_else(|| failed(StartError::NoPort(line.clone())))?;
        if port != ANY_PORT && server.port != port {
            let error = match socket::first_to_accept([port, server.port]).await {
                Some(accepts) if accepts == port => StartError::WrongReadyLine { addr, line },
                Some(_) if socket::is_of_another(server.port, &listening) => {
                    StartError::AnothersPort(line)
                }
                Some(accepts) => StartError::IgnoresAddr { addr, port: Some(accepts) },
                // The first client finds out that the port in the ready line refuses connections.
                None => return Ok(server),
            };
            return Err(failed(error));
        }
        if socket::is_of_another(server.port, &listening)
            || owner::is_another(server.id, server.port, &server.before)
        {
            return Err(failed(StartError::AnothersPort(line)));
        }
        Ok(server)
    }

    /// Waits until it has printed what is wanted. Ends, with `false`, only when the process does and never printed it.
    pub async fn printed(&self, wanted: impl Fn(&Output) -> bool) -> bool {
        let over = async {
            self.exit_status().await;
            // Its last words may be on their way still; a child that keeps the pipes open keeps us no longer.
            let _ =
                tokio::time::timeout(Duration::from_secs(1), closed(self.reading.clone())).await;
        };
        self.output.wait_for(wanted, over).await
    }

    /// Waits until the process has ended.
    pub async fn exit_status(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let Ok(status) = ended.wait_for(Option::is_some).await.map(|status| *status) else {
            // Nobody can tell any more whether it ended: treat it as running.
            return std::future::pending().await;
        };
        status.expect("waited for it")
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How the process ended, if it has.
    pub fn ended(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// How long the server's threads have waited for a processor, all together, `None` where the system doesn't tell.
    pub fn waited(&self) -> Option<Duration> {
        usage::waited(self.id, &self.before)
    }

    /// Measures the share of one processor that the server uses or waits for; `None` where it is
    /// unknown. A server that waits for its clients uses nearly nothing.
    pub async fn processor_share(&self) -> Option<f64> {
        let busy = || usage::cpu_time(self.id)?.checked_add(self.waited()?);
        let (since, before) = (Instant::now(), busy()?);
        tokio::time::sleep(SHARE_WINDOW).await;
        let used = busy()?.saturating_sub(before);
        Some(used.as_secs_f64() / since.elapsed().as_secs_f64())
    }

    /// Resident memory of the server in bytes, `None` where the system doesn't tell.
    pub fn memory(&self) -> Option<u64> {
        usage::memory(self.id, &self.before)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        process::kill(self.id);
    }
}

/// Waits until nobody can send on this channel any more.
async fn closed(mut channel: watch::Receiver<()>) {
    while channel.changed().await.is_ok() {}
}

fn command(program: &Program, environment: Environment, addr: &str) -> Command {
    let mut command = Command::new(&program.argv[0]);
    command
        .args(&program.argv[1..])
        .current_dir(&program.directory)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| inherited(&name.to_string_lossy())))
        .env("ADDR", addr)
        .env("RUST_BACKTRACE", "0")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(interval) = environment.interval {
        command.env("HEARTBEAT_INTERVAL_MS", interval.as_millis().to_string());
    }
    if environment.ci {
        command.env("CI", "true");
    }
    command
}

/// Whether a server gets this variable from the checker's own environment: what programs need to be found and to run,
/// whatever language they are written in. Tokens and other secrets are none of its business.
fn inherited(name: &str) -> bool {
    const NAMES: [&str; 22] = [
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "TZ",
        "TMPDIR",
        "TEMP",
        "TMP",
        "SHELL",
        "SystemRoot",
        "SystemDrive",
        "windir",
        "PATHEXT",
        "ComSpec",
        "APPDATA",
        "LOCALAPPDATA",
        "USERPROFILE",
        "ProgramData",
        "ProgramFiles",
        "DOCKER_HOST",
        "XDG_RUNTIME_DIR",
        "NUMBER_OF_PROCESSORS",
    ];
    const PREFIXES: [&str; 4] = ["LC_", "LD_", "DYLD_", "PYENV_"];
    const SUFFIXES: [&str; 3] = ["_HOME", "_PATH", "_ROOT"];
    // Windows does not tell `Path` from `PATH`.
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// A mark that no other server has, of this checker or of another.
fn mark() -> String {
    static SERVERS: AtomicU32 = AtomicU32::new(0);
    let number = SERVERS.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}-{:08x}", std::process::id(), rand::random::<u32>())
}

/// The port that a ready line ends with.
fn port_of(line: &str) -> Option<u16> {
    let (_, port) =
        line.trim_end_matches(|c: char| c.is_whitespace() || c == '/').rsplit_once(':')?;
    port.parse().ok().filter(|port| *port != 0)
}
