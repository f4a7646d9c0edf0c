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

/// The start of the ready line; the address follows.
pub const READY: &str = "WebSocket server running on ws://";
/// The timeout for the ready line. A late line is legal, a missing one is not.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// The port in `ADDR` that lets the system choose a free one.
const ANY_PORT: u16 = 0;
/// The first server of a program gets one of these ports in `ADDR`. They are below the ephemeral
/// ports (from 32,768 on Linux, from 49,152 elsewhere).
const OWN_PORTS: Range<u16> = 20_000..20_512;
/// The period over which the server's share of a processor is measured.
const SHARE_WINDOW: Duration = Duration::from_millis(300);
/// The number of ports tried for the first server: another process may take a port before it does.
const PORTS_TRIED: usize = 3;

/// The command that starts a server.
#[derive(Clone)]
pub struct Program {
    argv: Vec<String>,
    directory: PathBuf,
    trial: Arc<Mutex<Trial>>,
    uptime: Option<UptimeCache>,
    /// The compiler's warnings about its source, if the checker built it.
    pub warnings: Vec<Warning>,
}

/// The result of a program's first start, which shows if it listens on the address in `ADDR`.
#[derive(Default)]
enum Trial {
    #[default]
    Pending,
    Passed,
    Failed {
        at: Instant,
        error: StartError,
        output: Arc<Output>,
    },
}

/// A server's environment variables beside `ADDR`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment {
    /// `HEARTBEAT_INTERVAL_MS`; `None` leaves the server its default.
    pub interval: Option<Duration>,
    /// True if `CI` is set, as on a build machine. The contract holds with and without it.
    pub ci: bool,
}

impl Program {
    /// Creates the program at `argv[0]` with the arguments that follow, run in `directory`.
    pub fn new(argv: Vec<String>, directory: PathBuf) -> Self {
        Program { argv, directory, trial: Arc::default(), uptime: None, warnings: Vec::new() }
    }

    /// Caches from run to run that this program has passed after the minimum uptime.
    pub fn cache_uptime(&mut self) {
        self.uptime = UptimeCache::of(Path::new(&self.argv[0]));
    }

    /// Returns the program's cache entry, if its uptime is cached.
    pub fn uptime_cache(&self) -> Option<&UptimeCache> {
        self.uptime.as_ref()
    }

    /// Returns the command line, with spaces between the arguments.
    pub fn command_line(&self) -> String {
        self.argv.join(" ")
    }
}

/// The reason why a server did not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartError {
    /// The program cannot be run: it does not exist, or permission is denied.
    NoSuchProgram(String),
    /// The process ended before its ready line, with this exit status.
    Ended(String),
    /// The process runs, but printed no ready line within this timeout.
    NotReady(Duration),
    /// This ready line names no port.
    NoPort(String),
    /// This ready line names a port on which another process listens.
    AnothersPort(String),
    /// The server does not listen on the port in `ADDR`.
    IgnoresAddr {
        /// The value of `ADDR`.
        addr: String,
        /// The port on which it listens; `None` if it found that port in use and ended.
        port: Option<u16>,
    },
    /// The server listens on the address in `ADDR`, but its ready line names another port.
    WrongReadyLine {
        /// The value of `ADDR`.
        addr: String,
        /// The ready line.
        line: String,
    },
}

/// A server that is running.
pub struct Server {
    /// The port that its ready line names.
    pub port: u16,
    /// The output of the process.
    pub output: Arc<Output>,
    /// The start of the process.
    pub started: Instant,
    id: u32,
    before: Before,
    ended: watch::Receiver<Option<ExitStatus>>,
    /// Closed when both output streams have ended.
    reading: watch::Receiver<()>,
    /// Closed when the process is gone and its port is free.
    going: watch::Receiver<()>,
}

impl Server {
    /// Starts the program and waits for its ready line.
    ///
    /// The first server of a program gets a fixed port in `ADDR`, which shows if it listens there.
    /// Servers that are started meanwhile wait for the result. Later ones get port 0.
    ///
    /// # Errors
    /// See [`StartError`]. The error includes the program's output.
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
            // The starts that waited for this result would fail in the same way.
            Trial::Failed { at, error, output } if *at >= asked => {
                return Err((error.clone(), output.clone()));
            }
            Trial::Failed { .. } | Trial::Pending => {}
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
            // If no port is free, the server's use of `ADDR` is not checked.
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

    /// Kills the process and waits until it is gone. Its exit status stays unknown.
    pub async fn stop(&mut self) {
        process::kill(self.id);
        self.ended = watch::channel(None).1;
        self.wait_until_gone().await;
    }

    /// Waits until the process is gone. Dropping the `Server` kills the process.
    pub fn wait_until_gone(&self) -> impl Future<Output = ()> + use<> {
        wait_until_closed(self.going.clone())
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
                    // On Windows the job object lives as long as `process`.
                    ended.closed().await;
                }
            }
            // Unix: the process was killed, and holds its port until it is gone. Windows: the drop
            // of `process` kills it.
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
        let ready = server.wait_for_output(|output| output.ready().is_some());
        match tokio::time::timeout(READY_WITHIN, ready).await {
            Err(_) => return Err(failed(StartError::NotReady(READY_WITHIN))),
            Ok(false) => {
                let status = server.wait_for_exit().await;
                // The address in `ADDR` is free, so the server tried to bind another one.
                let ignores_addr =
                    output.reports_address_in_use() && (port == ANY_PORT || socket::is_free(port));
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
                Some(_) if socket::was_open_before(server.port, &listening) => {
                    StartError::AnothersPort(line)
                }
                Some(accepts) => StartError::IgnoresAddr { addr, port: Some(accepts) },
                // Neither port accepts yet. The first client reports it if that stays so.
                None => return Ok(server),
            };
            return Err(failed(error));
        }
        if socket::was_open_before(server.port, &listening)
            || owner::is_another(server.id, server.port, &server.before)
        {
            return Err(failed(StartError::AnothersPort(line)));
        }
        Ok(server)
    }

    /// Waits until `wanted` is true of the output. Returns false if the process ends before.
    pub async fn wait_for_output(&self, wanted: impl Fn(&Output) -> bool) -> bool {
        let over = async {
            self.wait_for_exit().await;
            // The last lines may still be in the pipes. A child process may keep these open.
            let all_read = wait_until_closed(self.reading.clone());
            let _ = tokio::time::timeout(Duration::from_secs(1), all_read).await;
        };
        self.output.wait_for(wanted, over).await
    }

    /// Waits until the process has ended, and returns its exit status.
    pub async fn wait_for_exit(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let Ok(status) = ended.wait_for(Option::is_some).await.map(|status| *status) else {
            // The exit status is unknown after `stop`: treat the process as running.
            return std::future::pending().await;
        };
        status.expect("waited for it")
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the exit status if the process has ended.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Returns the total run-queue delay of the server's threads; `None` where it is unknown.
    pub fn run_queue_delay(&self) -> Option<Duration> {
        usage::run_queue_delay(self.id, &self.before)
    }

    /// Measures the share of one processor that the server uses or waits for; `None` where it is
    /// unknown. A server that waits for its clients uses nearly nothing.
    pub async fn processor_share(&self) -> Option<f64> {
        let busy = || usage::cpu_time(self.id)?.checked_add(self.run_queue_delay()?);
        let (since, before) = (Instant::now(), busy()?);
        tokio::time::sleep(SHARE_WINDOW).await;
        let used = busy()?.saturating_sub(before);
        Some(used.as_secs_f64() / since.elapsed().as_secs_f64())
    }

    /// Returns the resident memory of the server in bytes; `None` where it is unknown.
    pub fn memory(&self) -> Option<u64> {
        usage::memory(self.id, &self.before)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        process::kill(self.id);
    }
}

/// Waits until the sender of this channel is dropped.
async fn wait_until_closed(mut channel: watch::Receiver<()>) {
    while channel.changed().await.is_ok() {}
}

fn command(program: &Program, environment: Environment, addr: &str) -> Command {
    let mut command = Command::new(&program.argv[0]);
    command
        .args(&program.argv[1..])
        .current_dir(&program.directory)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| is_inherited(&name.to_string_lossy())))
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

/// Returns true if a server inherits this environment variable. The list has what programs in any
/// language need to be found and to run. Tokens and other secrets are not inherited.
fn is_inherited(name: &str) -> bool {
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
    // Environment variables are case-insensitive on Windows: `Path` is `PATH`.
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Returns a mark that is unique among the servers of all checkers on this machine.
fn mark() -> String {
    static SERVERS: AtomicU32 = AtomicU32::new(0);
    let number = SERVERS.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}-{:08x}", std::process::id(), rand::random::<u32>())
}

/// Parses the port at the end of a ready line.
fn port_of(line: &str) -> Option<u16> {
    let (_, port) =
        line.trim_end_matches(|c: char| c.is_whitespace() || c == '/').rsplit_once(':')?;
    port.parse().ok().filter(|port| *port != 0)
}
