//! The server under test: builds, starts and restarts it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::{Notify, watch};

use baseline::transports::proxy::Endpoint;
use harness::exercise::{Exercise, Target};
use harness::server::build::{CargoError, CompileError, build, workspace};
use harness::server::output::{Output, Stream};
use harness::server::{Environment, Program, Server, StartError};
use harness::sync::lock;

/// The number of lines of the server's output on the page.
const LAST_LINES: usize = 40;
/// An editor saves in several steps. The build waits until a source has not changed for this long.
const SETTLE_TIME: Duration = Duration::from_millis(150);

/// Where the server comes from.
#[derive(Clone)]
pub enum Source {
    /// A crate of the workbook.
    Crate(Exercise, Target),
    /// Any program.
    Command(Program),
    /// A server that already runs.
    Remote(Endpoint),
}

/// A source without a program to start.
#[derive(Debug, Error)]
enum BuildError {
    #[error(transparent)]
    Cargo(#[from] CargoError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("cargo reported nothing about {0}")]
    NoReport(&'static str),
}

/// A source folder that cannot be watched.
#[derive(Debug, Error)]
#[error("cannot watch {}: {error}", folder.display())]
pub struct WatchError {
    folder: PathBuf,
    error: notify::Error,
}

#[derive(Clone)]
enum State {
    Building,
    Starting,
    Running(Arc<Server>),
    Failed(String, Option<Arc<Output>>),
    Remote,
}

/// The server under test.
pub struct ServerUnderTest {
    source: Source,
    name: String,
    interval: Option<Duration>,
    state: Mutex<State>,
    build_error: Mutex<Option<String>>,
    upstream: watch::Sender<Option<Endpoint>>,
    restart: Notify,
    starts: watch::Sender<u64>,
}

impl ServerUnderTest {
    /// Makes a server that is not started yet. The page shows `name`.
    pub fn new(source: Source, name: String, interval: Option<Duration>) -> Arc<Self> {
        Arc::new(ServerUnderTest {
            source,
            name,
            interval,
            state: Mutex::new(State::Building),
            build_error: Mutex::default(),
            upstream: watch::Sender::new(None),
            restart: Notify::new(),
            starts: watch::Sender::new(0),
        })
    }

    /// Subscribes to the addresses on which it listens.
    pub fn upstream(&self) -> watch::Receiver<Option<Endpoint>> {
        self.upstream.subscribe()
    }

    /// Builds and starts it again.
    pub fn restart(&self) {
        self.restart.notify_one();
    }

    /// Waits until the first start has succeeded or failed.
    pub async fn wait_for_start(&self) {
        let _ = self.starts.subscribe().wait_for(|starts| *starts > 0).await;
    }

    /// Keeps the server running until the future is dropped.
    pub async fn keep_running(&self) {
        if let Source::Remote(endpoint) = &self.source {
            self.set(State::Remote);
            self.upstream.send_replace(Some(endpoint.clone()));
            self.starts.send_modify(|starts| *starts += 1);
            return std::future::pending().await;
        }
        loop {
            self.start().await;
            self.starts.send_modify(|starts| *starts += 1);
            self.restart.notified().await;
        }
    }

    async fn start(&self) {
        let program = match self.build().await {
            Ok(program) => program,
            Err(error) => {
                // The previous server keeps running: a typing error disconnects no client.
                *lock(&self.build_error) = Some(error.to_string());
                if !matches!(&*lock(&self.state), State::Running(_)) {
                    self.set(State::Failed("it does not compile".to_string(), None));
                }
                return;
            }
        };
        *lock(&self.build_error) = None;
        self.upstream.send_replace(None);
        self.set(State::Starting);
        let environment = Environment { interval: self.interval, ci: false };
        match Server::start(&program, environment).await {
            Ok(server) => {
                self.upstream.send_replace(Some(Endpoint::loopback(server.port)));
                self.set(State::Running(Arc::new(server)));
            }
            Err((error, output)) => {
                self.set(State::Failed(start_error(error), Some(output)));
            }
        }
    }

    async fn build(&self) -> Result<Program, BuildError> {
        let (exercise, target) = match &self.source {
            Source::Crate(exercise, target) => (*exercise, *target),
            Source::Command(program) => return Ok(program.clone()),
            Source::Remote(_) => unreachable!("a remote server is never built"),
        };
        let package = exercise.package(target);
        let mut built = build(&[package]).await?;
        let path = built.remove(package).ok_or(BuildError::NoReport(package))??;
        Ok(Program::new(vec![path.to_string_lossy().into_owned()], workspace()))
    }

    /// Sets the state. A previous server is stopped.
    fn set(&self, state: State) {
        // Dropped without the lock: to stop a server takes time.
        drop(std::mem::replace(&mut *lock(&self.state), state));
    }

    /// Restarts the server each time its source is saved, until the future is dropped.
    pub async fn watch(self: Arc<Self>) -> Result<(), WatchError> {
        let Source::Crate(exercise, target) = &self.source else {
            return std::future::pending().await;
        };
        let source = workspace().join(exercise.source(*target));
        let folder = source.parent().map_or_else(workspace, PathBuf::from);
        let watch_error = |error| WatchError { folder: folder.clone(), error };
        let saved = Arc::new(Notify::new());
        let notify = saved.clone();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event.is_ok_and(|event| !event.kind.is_access()) {
                    notify.notify_one();
                }
            })
            .map_err(watch_error)?;
        watcher.watch(&folder, RecursiveMode::Recursive).map_err(watch_error)?;
        loop {
            saved.notified().await;
            while tokio::time::timeout(SETTLE_TIME, saved.notified()).await.is_ok() {}
            self.restart();
        }
    }

    /// Returns the server's state for the page.
    pub fn to_json(&self, connections: usize) -> Value {
        let state = lock(&self.state).clone();
        let mut value = json!({
            "type": "server",
            "name": self.name,
            "interval": self.interval.map(|interval| interval.as_millis() as u64),
            "connections": connections,
            "starts": *self.starts.borrow(),
            "complaint": *lock(&self.build_error),
        });
        let (word, reason, output) = match &state {
            State::Building => ("building", None, None),
            State::Starting => ("starting", None, None),
            State::Remote => ("elsewhere", None, None),
            State::Failed(reason, output) => ("failed", Some(reason.clone()), output.clone()),
            State::Running(server) => {
                value["pid"] = server.id().into();
                match server.exit_status() {
                    Some(status) => {
                        ("ended", Some(status.to_string()), Some(server.output.clone()))
                    }
                    None => {
                        value["memory"] = server.memory().into();
                        ("running", None, Some(server.output.clone()))
                    }
                }
            }
        };
        value["state"] = word.into();
        value["why"] = reason.into();
        if let Some(output) = output {
            let lines = output.lines();
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            let last = last
                .iter()
                .map(|(stream, line)| json!({ "error": *stream == Stream::Stderr, "text": line }));
            value["output"] = last.collect::<Vec<_>>().into();
            let panic = output.panic();
            if !panic.is_empty() {
                value["panic"] = panic.join("\n").into();
            }
        }
        value
    }
}

fn start_error(error: StartError) -> String {
    match error {
        StartError::NoSuchProgram(reason) => format!("it cannot be started: {reason}"),
        StartError::Ended(status) => format!("it ended before it was ready ({status})"),
        StartError::NotReady(limit) => {
            format!("it printed no ready line within {} s", limit.as_secs())
        }
        StartError::NoPort(line) => format!("its ready line names no port: {line}"),
        StartError::AnothersPort(line) => {
            format!("its ready line names the port of another process: {line}")
        }
        StartError::IgnoresAddr { addr, .. } => {
            format!("it does not listen on the address in ADDR, {addr}")
        }
        StartError::WrongReadyLine { addr, line } => {
            format!("it listens on {addr}, and its ready line names another port: {line}")
        }
    }
}
