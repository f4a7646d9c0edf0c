//! The contestants' servers. Each runs in its own process, so that its CPU time can be measured.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

use super::plan::Contestant;
use super::proxy::Endpoint;
use super::relay;
use super::remote::RemoteServer;
use harness::client::{RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::server::process::{Process, kill};
use harness::server::usage::cpu_time;
use harness::server::{Environment, Program, Server, StartError};
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};

/// Where the servers of the baseline and of the relay run.
#[derive(Debug, Clone)]
pub enum Baseline {
    /// In this process. Their CPU time is unknown.
    Inside,
    /// In processes of their own: `polling`, a command of the program at this path.
    Program(PathBuf),
}

/// The WebSocket server that takes part.
#[derive(Clone)]
pub enum PushServer {
    /// The server is started from this program.
    Program(Program),
    /// The server already runs elsewhere.
    Remote(RemoteServer),
}

/// A running server. It is stopped on drop.
pub struct TransportServer {
    /// The addresses on which it listens.
    pub endpoint: Endpoint,
    handle: Handle,
}

enum Handle {
    Inside(JoinHandle<io::Result<()>>),
    Ours { id: u32, _process: Process },
    Server(Box<Server>),
    Remote,
}

impl TransportServer {
    /// Starts a contestant's server.
    pub async fn start(
        contestant: Contestant,
        pushed: &PushServer,
        baseline: &Baseline,
    ) -> CheckResult<Self> {
        match contestant {
            Contestant::Push => Self::push(pushed, None).await,
            _ => Self::baseline(contestant, baseline).await,
        }
    }

    /// Starts the WebSocket server with this heartbeat interval, or with its default.
    pub async fn push(pushed: &PushServer, interval: Option<Duration>) -> CheckResult<Self> {
        match pushed {
            PushServer::Program(program) => {
                match Server::start(program, Environment { interval, ci: false }).await {
                    Ok(server) => Ok(TransportServer {
                        endpoint: Endpoint::loopback(server.port),
                        handle: Handle::Server(Box::new(server)),
                    }),
                    Err((error, output)) => {
                        let last = output
                            .lines()
                            .last()
                            .map(|(_, line)| format!("; its last line: {line}"));
                        Err(start_error(&program.command_line(), error, &last.unwrap_or_default()))
                    }
                }
            }
            PushServer::Remote(RemoteServer { endpoint, host, .. }) => {
                let refused = |error| {
                    CheckError::Inconclusive(format!("nothing answers at ws://{host}: {error}"))
                };
                endpoint.connect().await.map_err(refused)?;
                Ok(TransportServer { endpoint: endpoint.clone(), handle: Handle::Remote })
            }
        }
    }

    /// Starts the server of a contestant other than push in this process.
    pub async fn inside(contestant: Contestant) -> CheckResult<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let endpoint = Endpoint(vec![listener.local_addr()?]);
        let serving = async move {
            match contestant {
                Contestant::Relay => relay::serve(listener).await,
                _ => crate::server::serve(listener).await,
            }
        };
        Ok(TransportServer { endpoint, handle: Handle::Inside(tokio::spawn(serving)) })
    }

    async fn baseline(contestant: Contestant, baseline: &Baseline) -> CheckResult<Self> {
        match baseline {
            Baseline::Inside => Self::inside(contestant).await,
            Baseline::Program(path) => {
                let mut command = Command::new(path);
                command
                    .args(["polling", "--addr", "127.0.0.1:0"])
                    .args((contestant == Contestant::Relay).then_some("--relay"));
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
                let mark = format!("race-{}-{:08x}", std::process::id(), rand::random::<u32>());
                let failed = |what: &str| {
                    CheckError::Inconclusive(format!("{} polling {what}", path.display()))
                };
                let (process, stdout, _) = Process::spawn(command, &mark)
                    .map_err(|error| failed(&format!("can't be started: {error}")))?;
                let id = process.id();
                let handle = Handle::Ours { id, _process: process };
                // From here on an early return kills the process.
                let mut server = TransportServer { endpoint: Endpoint(Vec::new()), handle };
                let mut lines =
                    BufReader::new(stdout.ok_or_else(|| failed("has no output"))?).lines();
                let line = timeout_on_busy_host(RESPONSE_TIMEOUT, lines.next_line())
                    .await
                    .and_then(Result::ok)
                    .flatten();
                let address = line
                    .as_deref()
                    .and_then(|line| line.rsplit_once("://")?.1.parse::<SocketAddr>().ok());
                server.endpoint =
                    Endpoint(vec![address.ok_or_else(|| failed("did not say where it listens"))?]);
                Ok(server)
            }
        }
    }

    /// Returns the CPU time that the server has used, `None` if it is unknown.
    pub fn cpu(&self) -> Option<Duration> {
        match &self.handle {
            Handle::Ours { id, .. } => cpu(*id),
            Handle::Server(server) => cpu(server.id()),
            Handle::Inside(_) | Handle::Remote => None,
        }
    }

    /// Returns the exit status of its process, if it has ended.
    pub fn exit_status(&self) -> Option<String> {
        if let Handle::Server(server) = &self.handle {
            server.exit_status().map(|status| status.to_string())
        } else {
            None
        }
    }
}

impl Drop for TransportServer {
    fn drop(&mut self) {
        match &self.handle {
            Handle::Inside(serving) => serving.abort(),
            Handle::Ours { id, .. } => kill(*id),
            Handle::Server(_) | Handle::Remote => {}
        }
    }
}

fn start_error(command: &str, error: StartError, last: &str) -> CheckError {
    let summary = match error {
        StartError::NoSuchProgram(why) => {
            return CheckError::Inconclusive(format!("the server can't be started: {why}"));
        }
        StartError::Ended(status) => {
            format!("`{command}` ended before it was ready ({status}){last}")
        }
        StartError::NotReady(limit) => {
            format!("`{command}` printed no ready line within {} s{last}", limit.as_secs())
        }
        StartError::AnothersPort(line) => {
            format!("the ready line of `{command}` names the port of another process: {line}")
        }
        StartError::NoPort(line) => format!("the ready line of `{command}` names no port: {line}"),
        StartError::IgnoresAddr { addr, .. } => {
            format!("`{command}` does not listen on the address in ADDR, {addr}{last}")
        }
        StartError::WrongReadyLine { addr, line } => {
            format!("`{command}` listens on {addr}, and its ready line names another port: {line}")
        }
    };
    Failure::new(FailureKind::DoesNotStart, summary).into()
}

/// Returns the CPU time of a process. Zero means that the process has ended: its time is unknown.
fn cpu(id: u32) -> Option<Duration> {
    cpu_time(id).filter(|time| !time.is_zero())
}
