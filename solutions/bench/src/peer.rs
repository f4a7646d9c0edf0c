//! Who is measured, and how each is started.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use checker::exercise::{Exercise, Target};
use checker::foreign::{self, Language};
use checker::server::proc::Before;
use checker::server::process::{self, Process};
use checker::server::usage;

use crate::machine;

/// A server that keeps the contract, or the floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// The solutions of this workbook.
    Solution,
    /// The same contract on the same library, kept in the plainest way: what the solutions began as.
    Plain,
    /// The same again, with a read buffer of 4 KiB and not 128.
    PlainSmall,
    /// Node and `ws`: what all ratios are to.
    Node,
    /// Python and `websockets`.
    Python,
    /// axum, which stands on tungstenite as the solutions do.
    Axum,
    /// fastwebsockets, which has a parser of its own.
    Fastwebsockets,
    /// No protocol: bytes sent back.
    Floor,
}

impl Peer {
    /// All, in the order of the tables.
    pub const ALL: [Peer; 8] = [
        Peer::Solution,
        Peer::Plain,
        Peer::PlainSmall,
        Peer::Node,
        Peer::Python,
        Peer::Axum,
        Peer::Fastwebsockets,
        Peer::Floor,
    ];

    /// As it is called on the command line and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Solution => "solution",
            Peer::Plain => "plain",
            Peer::PlainSmall => "plain-4k",
            Peer::Node => "ws",
            Peer::Python => "websockets",
            Peer::Axum => "axum",
            Peer::Fastwebsockets => "fastwebsockets",
            Peer::Floor => "floor",
        }
    }
}

/// How to start the peers that are here, and why the others are not.
pub struct Peers {
    /// Where what cargo built is.
    folder: PathBuf,
    /// Of the solution, which has a binary for each exercise, nothing but that it is here.
    commands: BTreeMap<Peer, Vec<String>>,
    /// Who is missing, and why.
    pub missing: Vec<(Peer, String)>,
}

impl Peers {
    /// Builds and installs them.
    ///
    /// # Errors
    /// When the solutions or the peers in Rust do not compile.
    pub fn prepare(wanted: &[Peer]) -> Result<Self, String> {
        let mut peers = Peers { folder: build()?, commands: BTreeMap::new(), missing: Vec::new() };
        for peer in wanted {
            let command = match peer {
                Peer::Solution => Ok(Vec::new()),
                Peer::PlainSmall => Ok(vec![peers.binary(Peer::Plain.name())]),
                Peer::Plain | Peer::Axum | Peer::Fastwebsockets | Peer::Floor => {
                    Ok(vec![peers.binary(peer.name())])
                }
                Peer::Node => {
                    foreign::servers(Language::Node).map(|servers| servers[0].argv.clone())
                }
                Peer::Python => {
                    foreign::servers(Language::Python).map(|servers| servers[0].argv.clone())
                }
            };
            match command {
                Ok(mut argv) => {
                    // The last word of a server in another language is the exercise.
                    argv.truncate(2);
                    peers.commands.insert(*peer, argv);
                }
                Err(why) => peers.missing.push((*peer, why)),
            }
        }
        Ok(peers)
    }

    fn binary(&self, name: &str) -> String {
        self.folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX)).display().to_string()
    }

    /// Those who are here.
    pub fn present(&self) -> impl Iterator<Item = Peer> {
        self.commands.keys().copied()
    }

    /// Starts one and waits until it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, peer: Peer, exercise: Exercise, beat: Duration) -> Result<Server, String> {
        let mut argv = match peer {
            Peer::Solution => vec![self.binary(exercise.package(Target::Solutions))],
            _ => self.commands[&peer].clone(),
        };
        let word = exercise.name();
        if peer != Peer::Solution {
            argv.push(word.to_string());
        }
        if peer == Peer::PlainSmall {
            argv.push((4 << 10).to_string());
        }
        Server::start(&argv, beat).map_err(|why| format!("{} {word}: {why}", peer.name()))
    }
}

/// Builds the solutions with the profile the bench was built with, and says where all binaries are.
fn build() -> Result<PathBuf, String> {
    let own = std::env::current_exe()
        .map_err(|error| format!("where the bench is can't be told: {error}"))?;
    let folder = own.parent().ok_or("the bench is in no folder")?.to_path_buf();
    let mut cargo = Command::new(checker::server::build::cargo());
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet"]);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    for package in ["solution-echo", "solution-heartbeat", "solution-broadcast", "bench"] {
        cargo.args(["-p", package]);
    }
    let status = cargo.status().map_err(|error| format!("cargo can't be run: {error}"))?;
    if status.success() { Ok(folder) } else { Err("the solutions do not compile".into()) }
}

/// A server that runs until it is dropped.
pub struct Server {
    process: Process,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Server {
    fn start(argv: &[String], beat: Duration) -> Result<Self, String> {
        // Its output goes nowhere, so that writing costs it the same whoever reads; the port must be known before.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let addr = free.map_err(|error| format!("no free port: {error}"))?;
        let mut command = tokio::process::Command::new(&argv[0]);
        command.args(&argv[1..]).env("ADDR", addr.to_string());
        command.env("HEARTBEAT_INTERVAL_MS", beat.as_millis().to_string());
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        command.stderr(std::process::Stdio::null());
        // A child inherits the processor.
        machine::pin(SERVER);
        let spawned =
            Process::spawn(command, &format!("bench-{}-{}", std::process::id(), addr.port()));
        machine::pin(GENERATOR);
        let (process, ..) =
            spawned.map_err(|error| format!("{} can't be started: {error}", argv[0]))?;
        let server = Server { process, addr };
        let since = Instant::now();
        while TcpStream::connect(addr).is_err() {
            if since.elapsed() > Duration::from_secs(10) {
                return Err(format!("nobody listens on {addr} after 10 s"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// How long it has run on a processor; `None` where the system doesn't tell.
    pub fn processor_time(&self) -> Option<Duration> {
        usage::ran(self.process.id())
    }

    /// How long it has run since it had run for so long.
    pub fn processor_since(&self, before: Option<Duration>) -> Option<Duration> {
        self.processor_time().zip(before).map(|(after, before)| after.saturating_sub(before))
    }

    /// Its own memory, in bytes; `None` where the system doesn't tell.
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
/// The generator's.
pub const GENERATOR: usize = 1;
