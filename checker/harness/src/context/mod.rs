//! The context of a check: one server process, a recorder in front of it, and any number of
//! clients.

mod client_builder;
mod time;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use crate::client::{
    Client, ClientEvent, FrameSender, RESPONSE_TIMEOUT, any_welcome, request, timeout_on_busy_host,
};
use crate::evidence::Evidence;
use crate::failure::Cause;
use crate::failure::start::StartCause;
use crate::server::output::Output;
use crate::server::{Environment, Program, Server, StartError};
use crate::stall_monitor::StallMonitor;
use crate::verdict::{CheckError, CheckResult, Failure, Progress};
use crate::wire::recorder::{Recorder, SocketOptions};

/// A heartbeat interval that is longer than any check, so that no ping disturbs it.
const NO_HEARTBEAT: Duration = Duration::from_secs(60);

/// One server under test, and what a check needs to judge it.
pub struct TestContext {
    /// The server under test.
    pub server: Server,
    /// The recorder between the clients and the server.
    pub recorder: Recorder,
    /// Counters of the events that the clients received.
    pub evidence: Arc<Evidence>,
    /// The check's random number generator. The seed makes a run repeatable.
    pub rng: StdRng,
    /// The heartbeat interval for checks that look at heartbeats.
    beat: Duration,
    settings: Settings,
    /// The server's run-queue delay when the check began.
    initial_delay: Option<Duration>,
    /// Keeps every client connected until the check ends, even if it drops the `Client`.
    senders: Mutex<Vec<FrameSender>>,
    /// False once the server has not answered a close frame in time.
    answers_close: AtomicBool,
    /// The number of clients that have received the welcome.
    joined: AtomicUsize,
    /// True if the check has waited for the minimum uptime.
    reached_uptime: bool,
}

/// The settings of a [`TestContext`].
#[derive(Clone)]
pub struct Settings {
    /// The program to start.
    pub program: Program,
    /// The seed of the check.
    pub seed: u64,
    /// The heartbeat interval for checks that look at heartbeats.
    pub beat: Duration,
    /// True if the check looks at heartbeats. If not, the server's interval is longer than any
    /// check.
    pub uses_heartbeats: bool,
    /// True if `CI` is set in the server's environment.
    pub ci: bool,
    /// Measures stalls of this machine.
    pub stalls: StallMonitor,
    /// The progress of the check, for the checks that require it.
    pub progress: watch::Sender<Progress>,
}

impl Settings {
    fn interval(&self) -> Duration {
        if self.uses_heartbeats { self.beat } else { NO_HEARTBEAT }
    }
}

impl TestContext {
    /// Starts the server.
    ///
    /// # Errors
    /// If the server does not come up. The error includes its output.
    pub async fn start(settings: Settings) -> Result<Self, (CheckError, Arc<Output>)> {
        let interval = settings.interval();
        Self::start_with(settings, interval, Arc::default()).await
    }

    async fn start_with(
        settings: Settings,
        interval: Duration,
        evidence: Arc<Evidence>,
    ) -> Result<Self, (CheckError, Arc<Output>)> {
        let environment = Environment { interval: Some(interval), ci: settings.ci };
        let server = Server::start(&settings.program, environment)
            .await
            .map_err(|(error, output)| (start_failure(error), output))?;
        Ok(Self::new(server, settings, evidence))
    }

    fn new(server: Server, settings: Settings, evidence: Arc<Evidence>) -> Self {
        TestContext {
            initial_delay: server.run_queue_delay(),
            recorder: Recorder::new(server.port),
            server,
            evidence,
            rng: StdRng::seed_from_u64(settings.seed),
            beat: settings.beat,
            settings,
            senders: Mutex::default(),
            answers_close: AtomicBool::new(true),
            joined: AtomicUsize::new(0),
            reached_uptime: false,
        }
    }

    /// Starts a second server of the same program beside the first.
    pub async fn second_server(&self) -> CheckResult<TestContext> {
        self.second_server_with(self.settings.interval()).await
    }

    /// Starts a second server beside the first, with another heartbeat interval.
    pub async fn second_server_with(&self, interval: Duration) -> CheckResult<TestContext> {
        self.start_second(self.settings.clone(), interval).await
    }

    /// Starts a second server beside the first, with or without `CI` in its environment.
    ///
    /// # Errors
    /// If the server does not come up.
    pub async fn second_server_with_ci(&self, ci: bool) -> CheckResult<TestContext> {
        let settings = Settings { ci, ..self.settings.clone() };
        self.start_second(settings, self.settings.interval()).await
    }

    async fn start_second(
        &self,
        settings: Settings,
        interval: Duration,
    ) -> CheckResult<TestContext> {
        let started = Self::start_with(settings, interval, self.evidence.clone()).await;
        started.map_err(|(error, _)| error)
    }

    /// Returns true if `CI` is set in the server's environment.
    pub fn in_ci(&self) -> bool {
        self.settings.ci
    }

    /// Replaces the server by a new one, to which no client has connected yet.
    ///
    /// # Errors
    /// If the server does not come up.
    pub async fn restart_server(&mut self) -> CheckResult {
        self.restart_server_with(self.settings.interval()).await
    }

    /// Replaces the server by a new one with another heartbeat interval.
    ///
    /// # Errors
    /// If the server does not come up.
    pub async fn restart_server_with(&mut self, interval: Duration) -> CheckResult {
        self.server.stop().await;
        let started =
            Self::start_with(self.settings.clone(), interval, self.evidence.clone()).await;
        let new = started.map_err(|(error, _)| error)?;
        *self = TestContext { reached_uptime: self.reached_uptime, ..new };
        Ok(())
    }

    /// Marks the gate as passed: checks that require this one start, while this one goes on.
    pub fn pass_gate(&self) {
        self.settings.progress.send_if_modified(|progress| {
            let pending = *progress == Progress::Pending;
            if pending {
                *progress = Progress::GatePassed;
            }
            pending
        });
    }

    /// Opens a TCP connection and sends nothing.
    pub async fn open(&self) -> CheckResult<Client> {
        self.client().open().await
    }

    /// Opens a connection and does the handshake.
    pub async fn connect(&self) -> CheckResult<Client> {
        self.client().connect().await
    }

    /// Connects and waits for the welcome, whatever its text is.
    pub async fn join(&self) -> CheckResult<Client> {
        self.client().join().await
    }

    /// Joins several clients at the same time. Their connections are numbered in order.
    pub async fn join_many(&self, count: usize) -> CheckResult<Vec<Client>> {
        self.client().join_many(count).await
    }

    async fn open_with(&self, options: SocketOptions) -> CheckResult<Client> {
        let client = Client::open(&self.recorder, options, self.evidence.clone()).await?;
        self.senders.lock().expect("no panic holds it").push(client.frame_sender());
        Ok(client)
    }

    async fn upgrade(&self, mut client: Client) -> CheckResult<Client> {
        client.send_bytes(request(&generate_key(), &[]).into_bytes());
        let head = client.response().await?;
        if head.split_whitespace().nth(1) != Some("101") {
            let status_line = head.lines().next().unwrap_or_default().to_string();
            return Err(client.fails_after_last(Cause::UpgradeRefused { status_line }));
        }
        Ok(client)
    }

    /// Waits for the welcome. `echo::welcome` judges its text.
    async fn wait_for_welcome(&self, mut client: Client) -> CheckResult<Client> {
        client.expect(any_welcome()).await?;
        self.joined.fetch_add(1, Relaxed);
        Ok(client)
    }

    /// Sends a close frame and waits for the answer, or for the end of the connection.
    ///
    /// `echo::close` judges the closing handshake. Here the wait is short, and it is skipped after
    /// the first timeout.
    pub async fn leave(&self, mut client: Client) {
        client.send_close(1_000, "");
        if self.answers_close.load(Relaxed) {
            let closed = async {
                while let Ok(received) = client.next("the end").await {
                    if matches!(received.event, ClientEvent::Close(_) | ClientEvent::End(_)) {
                        break;
                    }
                }
            };
            let answered = timeout_on_busy_host(RESPONSE_TIMEOUT / 8, closed).await.is_some();
            self.answers_close.store(answered, Relaxed);
        }
        client.hang_up();
    }

    /// Waits until the server has logged the disconnect of all clients except `staying`, or has
    /// ended.
    ///
    /// Only the log shows that the server has noticed: the tasks of other clients may run first.
    /// `echo::log` judges the log, so the wait is short.
    pub async fn wait_for_disconnects(&self, staying: usize) {
        let gone = self.joined.load(Relaxed) - staying;
        let logged =
            self.server.wait_for_output(|output| output.count("Client disconnected") >= gone);
        let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 8, logged).await;
    }

    /// Returns a random text that a server cannot guess: letters and digits with a space inside.
    pub fn token(&mut self) -> String {
        let length = self.rng.random_range(6..20);
        let mut token: String =
            (0..length).map(|_| self.rng.sample(rand::distr::Alphanumeric) as char).collect();
        token.insert(length / 2, ' ');
        token
    }

    /// Returns `count` different tokens, numbered so that a report shows their order.
    pub fn tokens(&mut self, count: usize) -> Vec<String> {
        (1..=count).map(|n| format!("#{n} {}", self.token())).collect()
    }
}

/// Maps a start error to a failure of the server, or to an inconclusive result if the program
/// cannot be run.
fn start_failure(error: StartError) -> CheckError {
    match error {
        StartError::NoSuchProgram(reason) => {
            CheckError::Inconclusive(format!("the program cannot be run: {reason}"))
        }
        error => Failure::caused(StartCause::Server(error)).into(),
    }
}
