//! The server under test: built, started, started again when it is asked for or its source is saved.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use baseline::transports::proxy::Endpoint;
use harness::exercise::{Exercise, Target};
use harness::server::build::{build, workspace};
use harness::server::output::{Output, Stream};
use harness::server::{Environment, Program, Server, StartError};

/// Of what the server printed, so many of the last lines are shown.
const LAST_LINES: usize = 40;
/// An editor saves in several steps; the build waits until it has finished.
const SETTLED: Duration = Duration::from_millis(150);

/// Where the server comes from.
#[derive(Clone)]
pub enum Source {
    /// A crate of the workbook.
    Crate(Exercise, Target),
    /// Any program.
    Command(Program),
    /// It runs already.
    Far(Endpoint),
}

#[derive(Clone)]
enum State {
    Building,
    Starting,
    Running(Arc<Server>),
    Failed(String, Option<Arc<Output>>),
    Far,
}

/// The server under test.
pub struct Subject {
    source: Source,
    name: String,
    interval: Option<Duration>,
    state: Mutex<State>,
    complaint: Mutex<Option<String>>,
    upstream: watch::Sender<Option<Endpoint>>,
    again: Notify,
    starts: watch::Sender<u64>,
}

impl Subject {
    /// A server that is not started yet; `name` is what the page calls it.
    pub fn new(source: Source, name: String, interval: Option<Duration>) -> Arc<Self> {
        Arc::new(Subject {
            source,
            name,
            interval,
            state: Mutex::new(State::Building),
            complaint: Mutex::default(),
            upstream: watch::Sender::new(None),
            again: Notify::new(),
            starts: watch::Sender::new(0),
        })
    }

    /// Where it listens.
    pub fn upstream(&self) -> watch::Receiver<Option<Endpoint>> {
        self.upstream.subscribe()
    }

    /// Builds and starts it again.
    pub fn restart(&self) {
        self.again.notify_one();
    }

    /// Waits until it runs or has failed to.
    pub async fn settled(&self) {
        let _ = self.starts.subscribe().wait_for(|starts| *starts > 0).await;
    }

    /// Keeps it running until this is dropped.
    pub async fn keep(&self) {
        if let Source::Far(endpoint) = &self.source {
            self.set(State::Far);
            self.upstream.send_replace(Some(endpoint.clone()));
            self.starts.send_modify(|starts| *starts += 1);
            return std::future::pending().await;
        }
        loop {
            self.start().await;
            self.starts.send_modify(|starts| *starts += 1);
            self.again.notified().await;
        }
    }

    async fn start(&self) {
        let program = match self.program().await {
            Ok(program) => program,
            Err(complaint) => {
                // What ran before runs on: a typing error ends nobody's conversation.
                *self.complaint.lock().expect("no panic holds it") = Some(complaint.clone());
                let runs =
                    matches!(&*self.state.lock().expect("no panic holds it"), State::Running(_));
                if !runs {
                    self.set(State::Failed("it does not compile".to_string(), None));
                }
                return;
            }
        };
        *self.complaint.lock().expect("no panic holds it") = None;
        self.upstream.send_replace(None);
        self.set(State::Starting);
        let environment = Environment { interval: self.interval, ci: false };
        match Server::start(&program, environment).await {
            Ok(server) => {
                self.upstream.send_replace(Some(Endpoint::loopback(server.port)));
                self.set(State::Running(Arc::new(server)));
            }
            Err((error, output)) => {
                self.set(State::Failed(not_started(error), Some(output)));
            }
        }
    }

    async fn program(&self) -> Result<Program, String> {
        let (exercise, target) = match &self.source {
            Source::Crate(exercise, target) => (*exercise, *target),
            Source::Command(program) => return Ok(program.clone()),
            Source::Far(_) => return Err("it is not ours to start".to_string()),
        };
        let package = exercise.package(target);
        let mut built = build(&[package]).await.map_err(|error| error.to_string())?;
        let path = built
            .remove(package)
            .ok_or_else(|| format!("cargo said nothing about {package}"))?
            .map_err(|error| error.to_string())?;
        Ok(Program::new(vec![path.to_string_lossy().into_owned()], workspace()))
    }

    /// What it was before.
    fn set(&self, state: State) -> State {
        std::mem::replace(&mut *self.state.lock().expect("no panic holds it"), state)
    }

    /// Builds and starts it again whenever its source is saved, until this is dropped.
    ///
    /// # Errors
    /// When the system can't watch the folder.
    pub async fn watch(self: Arc<Self>) -> Result<(), String> {
        let Source::Crate(exercise, target) = &self.source else {
            return std::future::pending().await;
        };
        let folder: PathBuf = workspace()
            .join(exercise.source(*target))
            .parent()
            .map(PathBuf::from)
            .unwrap_or_else(workspace);
        let saved = Arc::new(Notify::new());
        let noticed = saved.clone();
        let mut watcher =
            notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                if event.is_ok_and(|event| !event.kind.is_access()) {
                    noticed.notify_one();
                }
            })
            .map_err(|error| format!("{} can't be watched: {error}", folder.display()))?;
        watcher
            .watch(&folder, RecursiveMode::Recursive)
            .map_err(|error| format!("{} can't be watched: {error}", folder.display()))?;
        loop {
            saved.notified().await;
            while tokio::time::timeout(SETTLED, saved.notified()).await.is_ok() {}
            self.restart();
        }
    }

    /// How the server is, as the page is told.
    pub fn told(&self, connections: usize) -> Value {
        let state = self.state.lock().expect("no panic holds it").clone();
        let mut told = json!({
            "type": "server",
            "name": self.name,
            "interval": self.interval.map(|interval| interval.as_millis() as u64),
            "connections": connections,
            "starts": *self.starts.borrow(),
            "complaint": *self.complaint.lock().expect("no panic holds it"),
        });
        let (word, why, output) = match &state {
            State::Building => ("building", None, None),
            State::Starting => ("starting", None, None),
            State::Far => ("elsewhere", None, None),
            State::Failed(why, output) => ("failed", Some(why.clone()), output.clone()),
            State::Running(server) => {
                told["pid"] = server.id().into();
                match server.ended() {
                    Some(status) => {
                        ("ended", Some(status.to_string()), Some(server.output.clone()))
                    }
                    None => {
                        told["memory"] = server.memory().into();
                        ("running", None, Some(server.output.clone()))
                    }
                }
            }
        };
        told["state"] = word.into();
        told["why"] = why.into();
        if let Some(output) = output {
            let lines = output.lines();
            let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
            let last = last
                .iter()
                .map(|(stream, line)| json!({ "error": *stream == Stream::Stderr, "text": line }));
            told["output"] = last.collect::<Vec<_>>().into();
            let panic = output.panic();
            if !panic.is_empty() {
                told["panic"] = panic.join("\n").into();
            }
        }
        told
    }
}

fn not_started(error: StartError) -> String {
    match error {
        StartError::NoSuchProgram(why) => format!("it can't be started: {why}"),
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
