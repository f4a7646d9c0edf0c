//! Where a check meets the server: one process, one tap in front of it, any number of clients.

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
use crate::server::output::Output;
use crate::server::{Environment, Program, Server, StartError};
use crate::stall_monitor::StallMonitor;
use crate::verdict::{CheckError, CheckResult, Failure, FailureKind, Progress};
use crate::wire::recorder::{Recorder, SocketOptions};

/// An interval that no check outlasts, in milliseconds: heartbeats that are not to disturb.
const NO_HEARTBEAT: Duration = Duration::from_secs(60);

/// One server under test and all that a check needs to judge it.
pub struct TestContext {
    /// The server.
    pub server: Server,
    /// What stands in front of it.
    pub recorder: Recorder,
    /// What was seen of it.
    pub evidence: Arc<Evidence>,
    /// The source of all that is random in the check, repeatable by its seed.
    pub rng: StdRng,
    /// The heartbeat interval for checks that look at heartbeats.
    beat: Duration,
    settings: Settings,
    /// How long the server had waited for a processor when the check began.
    waited: Option<Duration>,
    /// Clients stay connected until the check is over, unless it says that they leave.
    kept: Mutex<Vec<FrameSender>>,
    lets_go: AtomicBool,
    /// How many clients have been welcomed.
    joined: AtomicUsize,
    /// Whether the check has waited for the server to be older.
    aged: bool,
}

/// What an arena is made from.
#[derive(Clone)]
pub struct Settings {
    /// The program to start.
    pub program: Program,
    /// The seed of the check.
    pub seed: u64,
    /// The heartbeat interval for checks that look at heartbeats.
    pub beat: Duration,
    /// Whether the check looks at heartbeats; if not, the server is told an interval that never ends.
    pub uses_heartbeats: bool,
    /// Whether its servers find `CI` in their environment.
    pub ci: bool,
    /// How busy the machine is.
    pub stalls: StallMonitor,
    /// Where a check says that what others stand on is sound, while it goes on itself.
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
    /// When it doesn't come up; with the failure comes what it printed.
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
            .map_err(|(error, output)| (not_started(error), output))?;
        Ok(Self::around(server, settings, evidence))
    }

    fn around(server: Server, settings: Settings, evidence: Arc<Evidence>) -> Self {
        TestContext {
            waited: server.waited(),
            recorder: Recorder::new(server.port),
            server,
            evidence,
            rng: StdRng::seed_from_u64(settings.seed),
            beat: settings.beat,
            settings,
            kept: Mutex::default(),
            lets_go: AtomicBool::new(true),
            joined: AtomicUsize::new(0),
            aged: false,
        }
    }

    /// Starts a second server of the same program beside the first.
    pub async fn second_server(&self) -> CheckResult<TestContext> {
        self.second_server_with(self.settings.interval()).await
    }

    /// Starts a second server beside the first, with another heartbeat interval.
    pub async fn second_server_with(&self, interval: Duration) -> CheckResult<TestContext> {
        self.beside(self.settings.clone(), interval).await
    }

    /// A second server of the same program beside the first, with `CI` in its environment or
    /// without.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn in_environment(&self, ci: bool) -> CheckResult<TestContext> {
        let settings = Settings { ci, ..self.settings.clone() };
        self.beside(settings, self.settings.interval()).await
    }

    async fn beside(&self, settings: Settings, interval: Duration) -> CheckResult<TestContext> {
        let started = Self::start_with(settings, interval, self.evidence.clone()).await;
        started.map_err(|(error, _)| error)
    }

    /// Whether the server finds `CI` in its environment.
    pub fn in_ci(&self) -> bool {
        self.settings.ci
    }

    /// From here on a new server in place of the first, to which nobody has spoken yet.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn restart_server(&mut self) -> CheckResult {
        self.restart_server_with(self.settings.interval()).await
    }

    /// The same with another heartbeat interval.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn restart_server_with(&mut self, interval: Duration) -> CheckResult {
        self.server.stop().await;
        let started =
            Self::start_with(self.settings.clone(), interval, self.evidence.clone()).await;
        let new = started.map_err(|(error, _)| error)?;
        *self = TestContext { aged: self.aged, ..new };
        Ok(())
    }

    /// Lets the checks that require this one begin, while this one goes on.
    pub fn pass_gate(&self) {
        self.settings.progress.send_if_modified(|progress| {
            let pending = *progress == Progress::Pending;
            if pending {
                *progress = Progress::GatePassed;
            }
            pending
        });
    }

    // Clients

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

    /// Lets several clients join at the same time. Their connections are numbered in order.
    pub async fn join_many(&self, count: usize) -> CheckResult<Vec<Client>> {
        self.client().join_many(count).await
    }

    async fn open_with(&self, options: SocketOptions) -> CheckResult<Client> {
        let client = Client::open(&self.recorder, options, self.evidence.clone()).await?;
        self.kept.lock().expect("no panic holds it").push(client.frame_sender());
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
    async fn welcomed(&self, mut client: Client) -> CheckResult<Client> {
        client.expect(any_welcome()).await?;
        self.joined.fetch_add(1, Relaxed);
        Ok(client)
    }

    /// Lets a client say goodbye, and waits for it to be let go, but not for long and not twice in vain: whether a
    /// server closes well is for one check to judge, and for all others no reason to wait.
    pub async fn leave(&self, mut client: Client) {
        client.send_close(1_000, "");
        if self.lets_go.load(Relaxed) {
            let gone = async {
                while let Ok(received) = client.next("the end").await {
                    if matches!(received.event, ClientEvent::Close(_) | ClientEvent::End(_)) {
                        break;
                    }
                }
            };
            self.lets_go
                .store(timeout_on_busy_host(RESPONSE_TIMEOUT / 8, gone).await.is_some(), Relaxed);
        }
        client.hang_up();
    }

    /// Waits until the server, by its log, has done with all who joined but the `staying` ones, or has ended. What it
    /// sends to others says nothing of that: their tasks may have their turn first. Not for long: whether it keeps
    /// that log is for one check to judge.
    pub async fn wait_for_disconnects(&self, staying: usize) {
        let gone = self.joined.load(Relaxed) - staying;
        let noticed = self.server.printed(|output| output.count("Client disconnected") >= gone);
        let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 8, noticed).await;
    }

    // Chance

    /// A text nobody can have prepared for: a few letters, digits and, inside, single spaces.
    pub fn token(&mut self) -> String {
        let length = self.rng.random_range(6..20);
        let mut token: String =
            (0..length).map(|_| self.rng.sample(rand::distr::Alphanumeric) as char).collect();
        token.insert(length / 2, ' ');
        token
    }

    /// `count` tokens, all different, numbered so that a reader sees their order.
    pub fn tokens(&mut self, count: usize) -> Vec<String> {
        (1..=count).map(|n| format!("#{n} {}", self.token())).collect()
    }
}

fn ignores_addr(what: String, addr: &str, got: String) -> Failure {
    Failure::new(FailureKind::DoesNotStart, what)
        .expected(format!("with ADDR={addr}: a server that listens there"), got)
        .hint(
            "Bind the address in the environment variable ADDR. `127.0.0.1:8080` is only for when \
             it is not set.",
        )
}

fn not_started(error: StartError) -> CheckError {
    let failure = match error {
        StartError::NoSuchProgram(why) => return CheckError::Inconclusive(format!("the program can't be started: {why}")),
        StartError::Ended(status) => Failure::new(FailureKind::DoesNotStart, "the server ended before it was ready")
            .expected("a line on stdout: WebSocket server running on ws://<host>:<port>", status)
            .hint("Run it by hand and read its first words; it must go on accepting until it is killed."),
        StartError::NotReady(limit) => Failure::new(FailureKind::DoesNotStart, "the server never said that it is ready")
            .expected(
                "a line on stdout: WebSocket server running on ws://<host>:<port>",
                format!("no such line within {} s", limit.as_secs()),
            )
            .hint("Print the line once the listener is bound. If stdout is not a terminal, other languages may have to flush it."),
        StartError::AnothersPort(line) => {
            Failure::new(FailureKind::DoesNotStart, "the ready line names the port of another process")
                .expected("the port on which this server listens", line)
                .hint("Print the address that the listener has (`local_addr`), and print it only once it is bound.")
        }
        StartError::IgnoresAddr { addr, port: Some(port) } => {
            let what = format!("The server listens on {port} and not on the address in ADDR.");
            ignores_addr(what, &addr, format!("a server on port {port}"))
        }
        StartError::IgnoresAddr { addr, port: None } => {
            let what = "The server wants an address in use and not the one in ADDR.";
            let got = "a server that found its address in use and ended";
            ignores_addr(what.to_string(), &addr, got.to_string())
        }
        StartError::WrongReadyLine { addr, line } => {
            let what =
                "The ready line names another port than the one on which the server listens.";
            Failure::new(FailureKind::DoesNotStart, what)
                .expected(format!("WebSocket server running on ws://{addr}"), line)
                .hint("Print the address that the listener has (`local_addr`), and no fixed text.")
        }
        StartError::NoPort(line) => Failure::new(FailureKind::DoesNotStart, "the ready line names no port")
            .expected("WebSocket server running on ws://<host>:<port>", line)
            .hint("With port 0 the system chooses: ask the listener for its local address."),
    };
    CheckError::from(Failure { fundamental: true, ..failure })
}
