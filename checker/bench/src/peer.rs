//! The measured servers: how each is built and started.

use std::collections::BTreeMap;
use std::env::consts::EXE_SUFFIX;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fmt, fs, io};

use checker::foreign::{self, Language};
use harness::exercise::{Exercise, Target};
use harness::server::build::workspace;
use harness::server::proc::Before;
use harness::server::process::{self, Process};
use harness::server::usage;

use crate::machine;
use crate::steps::{self, Step, StepError};

/// A measured server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// The three plain solutions.
    Solution,
    /// `solution-fast`.
    Fast,
    /// Node and `ws`. All ratios compare with it.
    Node,
    /// Python and `websockets`.
    Python,
    /// axum, which uses tungstenite, as the solutions do.
    Axum,
    /// fastwebsockets, which has its own parser.
    Fastwebsockets,
    /// A TCP server that returns each byte.
    Floor,
    /// The plain server after so many steps towards `solution-fast`.
    Step(usize),
}

impl Peer {
    /// All peers with a name of their own, in the order of the tables.
    pub const ALL: [Peer; 7] = [
        Peer::Solution,
        Peer::Fast,
        Peer::Node,
        Peer::Python,
        Peer::Axum,
        Peer::Fastwebsockets,
        Peer::Floor,
    ];
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Peer::Solution => "solution",
            Peer::Fast => "fast",
            Peer::Node => "ws",
            Peer::Python => "websockets",
            Peer::Axum => "axum",
            Peer::Fastwebsockets => "fastwebsockets",
            Peer::Floor => "floor",
            Peer::Step(number) => return write!(f, "step {number}"),
        })
    }
}

/// Why the servers cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The path of the running program is unknown.
    #[error("cannot locate the bench's own program")]
    Own(#[source] io::Error),
    /// Cargo cannot be started.
    #[error("cannot run cargo")]
    Cargo(#[source] io::Error),
    /// Cargo failed, and has printed why.
    #[error("cargo could not build {0}")]
    Failed(String),
    /// The steps cannot be read.
    #[error(transparent)]
    Steps(#[from] StepError),
    /// The copy of the workspace that the steps are built in cannot be written.
    #[error("cannot write {0}")]
    Copy(PathBuf, #[source] io::Error),
}

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system has no free port.
    #[error("there is no free port")]
    Port(#[source] io::Error),
    /// The program cannot be executed.
    #[error("cannot start {0}")]
    Spawn(String, #[source] io::Error),
    /// The server accepts no connection.
    #[error("the server does not listen on {0} after 10 s")]
    Deaf(SocketAddr),
}

/// The command lines of the servers.
pub struct Peers {
    /// The folder of the programs that cargo builds.
    folder: PathBuf,
    commands: BTreeMap<Peer, Vec<String>>,
    /// The peers that cannot run here, each with the reason.
    pub missing: Vec<(Peer, String)>,
}

impl Peers {
    /// Builds and installs the servers.
    ///
    /// # Errors
    /// If a server in Rust does not compile.
    pub fn prepare(wanted: &[Peer]) -> Result<Self, BuildError> {
        let own = std::env::current_exe().map_err(BuildError::Own)?;
        let folder = own.parent().unwrap_or(Path::new("")).to_path_buf();
        cargo_build(&workspace(), None, PACKAGES)?;
        let mut peers = Peers { folder, commands: BTreeMap::new(), missing: Vec::new() };
        for peer in wanted {
            let command = match peer {
                // One program for each exercise.
                Peer::Solution => Ok(Vec::new()),
                Peer::Fast => Ok(vec![peers.binary("solution-fast")]),
                Peer::Axum | Peer::Fastwebsockets | Peer::Floor => {
                    Ok(vec![peers.binary(&peer.to_string())])
                }
                Peer::Node => foreign_command(Language::Node),
                Peer::Python => foreign_command(Language::Python),
                // `prepare_steps` adds these.
                Peer::Step(_) => continue,
            };
            match command {
                Ok(argv) => drop(peers.commands.insert(*peer, argv)),
                Err(why) => peers.missing.push((*peer, why)),
            }
        }
        Ok(peers)
    }

    /// Builds the server after each step. Returns the steps.
    ///
    /// # Errors
    /// If a step does not apply or compile.
    pub fn prepare_steps(&mut self) -> Result<Vec<Step>, BuildError> {
        let steps = steps::read(&workspace())?;
        // The copy contains only what `solution-fast` is built from.
        let copy = self.folder.join("bench-steps");
        let write = |path: PathBuf, text: &str| {
            let folder = path.parent().unwrap_or(&copy);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&path, text))
                .map_err(|error| BuildError::Copy(path, error))
        };
        for file in COPIED {
            let path = workspace().join(file);
            let text = fs::read_to_string(&path)
                .map_err(|error| BuildError::Steps(StepError::Read(path, error)))?;
            write(copy.join(file), &text)?;
        }
        let target = copy.join("target");
        let manifest = copy.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)
            .map_err(|error| BuildError::Copy(manifest.clone(), error))?;
        write(manifest, &with_members(&text))?;
        for (number, step) in steps.iter().enumerate() {
            write(copy.join(steps::FAST), &step.source)?;
            cargo_build(&copy, Some(&target), &["solution-fast"])?;
            let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
            let built = target.join(format!("{profile}/solution-fast{EXE_SUFFIX}"));
            let kept = copy.join(format!("{}{EXE_SUFFIX}", step.name));
            fs::copy(&built, &kept).map_err(|error| BuildError::Copy(kept.clone(), error))?;
            self.commands.insert(Peer::Step(number), vec![kept.display().to_string()]);
        }
        Ok(steps)
    }

    fn binary(&self, name: &str) -> String {
        self.folder.join(format!("{name}{EXE_SUFFIX}")).display().to_string()
    }

    /// Returns the peers that can run here.
    pub fn present(&self) -> impl Iterator<Item = Peer> {
        self.commands.keys().copied()
    }

    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(
        &self,
        peer: Peer,
        exercise: Exercise,
        interval: Duration,
    ) -> Result<Server, StartError> {
        let mut argv = self.commands[&peer].clone();
        match (peer, exercise) {
            (Peer::Solution, _) => argv.push(self.binary(exercise.package(Target::Solutions))),
            (Peer::Fast | Peer::Step(_), Exercise::Echo) => argv.push("echo".to_string()),
            // A broadcast server in which no client talks is also a heartbeat server.
            (Peer::Fast | Peer::Step(_), _) => {}
            _ => argv.push(exercise.name().to_string()),
        }
        Server::start(&argv, interval)
    }
}

/// The packages of all servers in Rust.
const PACKAGES: &[&str] =
    &["solution-echo", "solution-heartbeat", "solution-broadcast", "solution-fast", "bench"];
/// The files that `solution-fast` is built from, besides its source.
const COPIED: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "solutions/fast/Cargo.toml",
    "checker/workspace-hack/Cargo.toml",
    "checker/workspace-hack/src/lib.rs",
];

/// Reduces the workspace's manifest to the two members of the copy.
fn with_members(manifest: &str) -> String {
    let lines = manifest.lines().filter(|line| !line.starts_with("default-members = "));
    let lines = lines.map(|line| match line.starts_with("members = ") {
        true => r#"members = ["solutions/fast", "checker/workspace-hack"]"#,
        false => line,
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

/// Returns the command line of a server in another language, without the exercise at its end.
fn foreign_command(language: Language) -> Result<Vec<String>, String> {
    let servers = foreign::servers(language).map_err(|why| why.to_string())?;
    let mut argv = servers.into_iter().next().map(|server| server.argv).unwrap_or_default();
    argv.pop();
    Ok(argv)
}

/// Builds packages of a workspace with the profile of the bench itself.
fn cargo_build(
    workspace: &Path,
    target: Option<&Path>,
    packages: &[&str],
) -> Result<(), BuildError> {
    let mut cargo = Command::new(harness::server::build::cargo());
    cargo.current_dir(workspace).args(["build", "--quiet"]);
    if let Some(target) = target {
        cargo.arg("--target-dir").arg(target);
    }
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    for package in packages {
        cargo.args(["-p", package]);
    }
    let status = cargo.status().map_err(BuildError::Cargo)?;
    if status.success() { Ok(()) } else { Err(BuildError::Failed(packages.join(", "))) }
}

/// A running server. Dropping it ends the process.
pub struct Server {
    process: Process,
    /// The address it listens on.
    pub addr: SocketAddr,
}

impl Server {
    fn start(argv: &[String], interval: Duration) -> Result<Self, StartError> {
        // The log is discarded, so that its reader costs nothing. The ready line is lost with it,
        // so the port is chosen here.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let addr = free.map_err(StartError::Port)?;
        let mut command = tokio::process::Command::new(&argv[0]);
        command.args(&argv[1..]).env("ADDR", addr.to_string());
        command.env("HEARTBEAT_INTERVAL_MS", interval.as_millis().to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // A child process inherits the processor.
        machine::pin(SERVER);
        let spawned =
            Process::spawn(command, &format!("bench-{}-{}", std::process::id(), addr.port()));
        machine::pin(GENERATOR);
        let (process, ..) = spawned.map_err(|error| StartError::Spawn(argv[0].clone(), error))?;
        let server = Server { process, addr };
        let since = Instant::now();
        while TcpStream::connect(addr).is_err() {
            if since.elapsed() > Duration::from_secs(10) {
                return Err(StartError::Deaf(addr));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// Returns the CPU time the server has used, if the system reports it.
    pub fn processor_time(&self) -> Option<Duration> {
        usage::cpu_time(self.process.id())
    }

    /// Returns the CPU time the server has used since `before`.
    pub fn processor_since(&self, before: Option<Duration>) -> Option<Duration> {
        self.processor_time().zip(before).map(|(after, before)| after.saturating_sub(before))
    }

    /// Returns the server's memory in bytes, if the system reports it.
    pub fn memory(&self) -> Option<u64> {
        usage::memory(self.process.id(), &Before::default())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        process::kill(self.process.id());
    }
}

/// The processor of the servers.
const SERVER: usize = 0;
/// The processor of the load generator.
pub const GENERATOR: usize = 1;
