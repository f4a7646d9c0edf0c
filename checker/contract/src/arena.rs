//! Where a check meets the server: one process, one tap in front of it, any number of clients.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use crate::age::Age;
use crate::client::{Client, Heard, Mouth, PATIENCE, WELCOME, request, within};
use crate::evidence::Evidence;
use crate::gauge::{Gauge, Lateness, TICK};
use crate::server::output::Output;
use crate::server::{Program, Server, StartError};
use crate::verdict::{Checked, Failure, Kind, Progress, Trouble};
use crate::wire::tap::{Plumbing, Tap};

/// An interval that no check outlasts, in milliseconds: heartbeats that are not to disturb.
const NO_HEARTBEAT: Duration = Duration::from_secs(60);
/// A server that is right only when young, for a second, is not right.
const OF_AGE: Duration = Duration::from_millis(1_010);
/// How often somebody talks meanwhile, where a server need not keep who doesn't.
const SMALL_TALK: Duration = OF_AGE.checked_div(3).expect("not zero");

/// One server under test and all that a check needs to judge it.
pub struct Arena {
    /// The server.
    pub server: Server,
    /// What stands in front of it.
    pub tap: Tap,
    /// What was seen of it.
    pub evidence: Arc<Evidence>,
    /// The source of all that is random in the check, repeatable by its seed.
    pub rng: StdRng,
    /// The heartbeat interval for checks that look at heartbeats.
    pub beat: Duration,
    settings: Settings,
    /// How long the server had waited for a processor when the check began.
    waited: Option<Duration>,
    /// Clients stay connected until the check is over, unless it says that they leave.
    kept: Mutex<Vec<Mouth>>,
    holds_back: bool,
    lets_go: AtomicBool,
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
    pub beats: bool,
    /// How busy the machine is.
    pub gauge: Gauge,
    /// Where a check says that what others stand on is sound, while it goes on itself.
    pub progress: watch::Sender<Progress>,
}

impl Settings {
    fn interval(&self) -> Duration {
        if self.beats { self.beat } else { NO_HEARTBEAT }
    }
}

impl Arena {
    /// Starts the server.
    ///
    /// # Errors
    /// When it doesn't come up; with the failure comes what it printed.
    pub async fn start(settings: Settings) -> Result<Self, (Trouble, Arc<Output>)> {
        let interval = settings.interval();
        Self::start_with(settings, interval, Arc::default()).await
    }

    async fn start_with(
        settings: Settings,
        interval: Duration,
        evidence: Arc<Evidence>,
    ) -> Result<Self, (Trouble, Arc<Output>)> {
        let server = Server::start(&settings.program, Some(interval))
            .await
            .map_err(|(error, output)| (not_started(error), output))?;
        Ok(Self::around(server, settings, evidence))
    }

    fn around(server: Server, settings: Settings, evidence: Arc<Evidence>) -> Self {
        Arena {
            waited: server.waited(),
            tap: Tap::new(server.port),
            server,
            evidence,
            rng: StdRng::seed_from_u64(settings.seed),
            beat: settings.beat,
            settings,
            kept: Mutex::default(),
            holds_back: false,
            lets_go: AtomicBool::new(true),
            aged: false,
        }
    }

    /// A second server of the same program beside the first; none if it can run only once at a time.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn alike(&self) -> Checked<Option<Arena>> {
        self.another(self.settings.interval()).await
    }

    /// A second server of the same program beside the first, with another heartbeat interval; none if it can run only
    /// once at a time.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn another(&self, interval: Duration) -> Checked<Option<Arena>> {
        let server = Server::start_beside(&self.settings.program, Some(interval)).await;
        let server = server.map_err(|(error, _)| not_started(error))?;
        Ok(server.map(|server| Self::around(server, self.settings.clone(), self.evidence.clone())))
    }

    /// From here on a new server in place of the first, to which nobody has spoken yet.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn anew(&mut self) -> Checked {
        self.anew_with(self.settings.interval()).await
    }

    /// The same with another heartbeat interval.
    ///
    /// # Errors
    /// When it doesn't come up.
    pub async fn anew_with(&mut self, interval: Duration) -> Checked {
        self.server.stop().await;
        let started = Self::start_with(self.settings.clone(), interval, self.evidence.clone()).await;
        let new = started.map_err(|(trouble, _)| trouble)?;
        *self = Arena { holds_back: self.holds_back, aged: self.aged, ..new };
        Ok(())
    }

    /// Says that what other checks stand on is sound: they may begin while this one goes on.
    pub fn sound(&self) {
        if self.holds_back {
            return;
        }
        self.settings.progress.send_if_modified(|progress| {
            let pending = *progress == Progress::Pending;
            if pending {
                *progress = Progress::Sound;
            }
            pending
        });
    }

    /// From now on [`Arena::sound`] says nothing, or speaks again: for a check that is made of others.
    pub fn hold_back(&mut self, hold: bool) {
        self.holds_back = hold;
    }

    // Clients

    /// A TCP connection on which nothing was said yet.
    ///
    /// # Errors
    /// When the server doesn't accept.
    pub async fn open(&self) -> Checked<Client> {
        self.open_with(Plumbing::default()).await
    }

    async fn open_with(&self, plumbing: Plumbing) -> Checked<Client> {
        let client = Client::open(&self.tap, plumbing, self.evidence.clone()).await?;
        self.kept.lock().expect("no panic holds it").push(client.mouth());
        Ok(client)
    }

    /// A client that has been upgraded.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connect(&self) -> Checked<Client> {
        self.upgrade(self.open().await?).await
    }

    async fn upgrade(&self, mut client: Client) -> Checked<Client> {
        client.send_bytes(request(&generate_key(), &[]).into_bytes());
        let head = client.response().await?;
        if head.split_whitespace().nth(1) != Some("101") {
            let first = head.lines().next().unwrap_or_default().to_string();
            let failure = client.failure(Kind::Handshake, "the upgrade was refused");
            return Err(failure.expected("HTTP/1.1 101 Switching Protocols", first).into());
        }
        Ok(client)
    }

    /// A client that has been upgraded and welcomed, in whatever words.
    ///
    /// # Errors
    /// When the server refuses or the first message doesn't come.
    pub async fn join(&self) -> Checked<Client> {
        self.welcomed(self.connect().await?).await
    }

    /// A client that has joined, and has never answered a ping, not even one right at opening.
    ///
    /// # Errors
    /// As [`Arena::join`].
    pub async fn join_mute(&self) -> Checked<Client> {
        let client = self.open().await?;
        client.stop_answering_pings();
        self.welcomed(self.upgrade(client).await?).await
    }

    /// A client that has joined, and for which the systems hold back little: when it stops reading, the server feels it
    /// after kilobytes and not megabytes.
    ///
    /// # Errors
    /// As [`Arena::join`].
    pub async fn join_narrow(&self) -> Checked<Client> {
        let plumbing = Plumbing { receive_buffer: Some(8 * 1024), max_segment: Some(536) };
        let client = self.open_with(plumbing).await?;
        self.welcomed(self.upgrade(client).await?).await
    }

    async fn welcomed(&self, mut client: Client) -> Checked<Client> {
        let moment = client.next_but_heartbeats("the welcome").await?;
        match moment.heard {
            // Its wording is another check's business.
            Heard::Text(_) | Heard::Binary(_) => Ok(client),
            _ => Err(client.instead(&moment, &format!("the welcome {WELCOME:?}"))),
        }
    }

    /// Several clients that join at the same time.
    ///
    /// # Errors
    /// As [`Arena::join`].
    pub async fn join_many(&self, count: usize) -> Checked<Vec<Client>> {
        self.all_welcomed(self.open_many(count).await?).await
    }

    /// Several clients that join at the same time, and have never answered a ping.
    ///
    /// # Errors
    /// As [`Arena::join`].
    pub async fn join_many_mute(&self, count: usize) -> Checked<Vec<Client>> {
        let clients = self.open_many(count).await?;
        clients.iter().for_each(Client::stop_answering_pings);
        self.all_welcomed(clients).await
    }

    /// Connected one after the other, so that the numbers of their connections follow their order.
    async fn open_many(&self, count: usize) -> Checked<Vec<Client>> {
        let mut clients = Vec::with_capacity(count);
        for _ in 0..count {
            clients.push(self.open().await?);
        }
        Ok(clients)
    }

    async fn all_welcomed(&self, clients: Vec<Client>) -> Checked<Vec<Client>> {
        try_join_all(clients.into_iter().map(|client| async { self.welcomed(self.upgrade(client).await?).await })).await
    }

    /// Lets a client say goodbye, and waits for it to be let go, but not for long and not twice in vain: whether a
    /// server closes well is for one check to judge, and for all others no reason to wait.
    pub async fn leave(&self, mut client: Client) {
        client.send_close(1_000, "");
        if self.lets_go.load(Relaxed) {
            let gone = async {
                while let Ok(moment) = client.next("the end").await {
                    if matches!(moment.heard, Heard::Close(_) | Heard::End(_)) {
                        break;
                    }
                }
            };
            self.lets_go.store(within(PATIENCE / 8, gone).await.is_some(), Relaxed);
        }
        client.hang_up();
    }

    // Chance

    /// A text nobody can have prepared for: a few letters, digits and, inside, single spaces.
    pub fn token(&mut self) -> String {
        let length = self.rng.random_range(6..20);
        let mut token: String = (0..length).map(|_| self.rng.sample(rand::distr::Alphanumeric) as char).collect();
        token.insert(length / 2, ' ');
        token
    }

    /// `count` tokens, all different, numbered so that a reader sees their order.
    pub fn tokens(&mut self, count: usize) -> Vec<String> {
        (1..=count).map(|n| format!("#{n} {}", self.token())).collect()
    }

    // Time

    /// Waits until the server is a second old, unless this program has been waited for before; what to say of what goes
    /// wrong from then on.
    ///
    /// It counts from its first answer, the moment to give, whatever it counts its own age from.
    pub async fn aged(&mut self, answered: Instant) -> &'static str {
        self.grows_older(answered, OF_AGE).await;
        if self.aged { "once the server is a second old, " } else { "" }
    }

    /// The same, with a client that talks meanwhile.
    ///
    /// # Errors
    /// When it gets no right reply.
    pub async fn aged_with(&mut self, client: &mut Client, answered: Instant) -> Checked<&'static str> {
        while self.grows_older(answered, SMALL_TALK).await {
            client.exchange(&self.token()).await?;
        }
        Ok(self.aged(answered).await)
    }

    /// Waits for so long, or until the server is of age, in which case it says no.
    async fn grows_older(&mut self, answered: Instant, at_most: Duration) -> bool {
        if self.settings.program.age().is_some_and(Age::seen) {
            return false;
        }
        let left = OF_AGE.saturating_sub(answered.elapsed());
        tokio::time::sleep(left.min(at_most)).await;
        self.aged = left <= at_most;
        !self.aged
    }

    /// Remembers of a server that has passed whether it was waited for.
    pub fn remember_age(&self) {
        if let Some(age) = self.settings.program.age().filter(|_| self.aged) {
            // What can't be remembered is merely waited for again.
            let _ = age.remember();
        }
    }

    /// How late things happened since then.
    pub fn lateness(&self, since: Instant) -> Lateness {
        // What was late before it began makes what follows come early.
        let since = since.checked_sub(self.beat * 2).unwrap_or(since);
        Lateness { worst: self.settings.gauge.worst_since(since), limit: self.beat / 6 }
    }

    /// How long the server's threads have waited for a processor since the check began, all together; nothing where the
    /// system doesn't tell.
    pub fn starved(&self) -> Duration {
        let now = self.server.waited().unwrap_or_default();
        self.waited.map_or(Duration::ZERO, |before| now.saturating_sub(before))
    }

    /// Why this can't be said of a server's heartbeats by what happened since then, if the machine was too busy for that.
    pub fn too_busy(&self, since: Instant, trouble: &Trouble) -> Option<String> {
        // What never came, or came in other words, a wait does not explain.
        let timed = match trouble {
            Trouble::Failed(failure) => matches!(failure.kind, Kind::WrongTiming | Kind::EndedEarly),
            Trouble::Unknown(_) | Trouble::Busy(_) => true,
        };
        let Lateness { worst, limit } = self.lateness(since);
        let ours = format!("an answer that takes no time took {} ms", worst.as_millis());
        let why = if worst > limit {
            ours
        } else {
            // A wait of ours and the server's add up, and ours may have been longer than it was measured. Together they
            // can make a right beat look like an early one if they are as long as what tells the two apart (see the
            // checks).
            let waited = self.starved();
            if !timed || worst + TICK + waited <= self.beat * 3 / 10 {
                return None;
            }
            format!("the server was kept waiting for a processor for {} ms, and {ours}", waited.as_millis())
        };
        let beat = self.beat.as_millis();
        Some(format!("this machine is too busy to judge heartbeats: {why}, with an interval of {beat} ms"))
    }
}

fn not_started(error: StartError) -> Trouble {
    let failure = match error {
        StartError::NoSuchProgram(why) => return Trouble::Unknown(format!("the program can't be started: {why}")),
        StartError::Ended(status) => Failure::new(Kind::DoesNotStart, "the server ended before it was ready")
            .expected("a line on stdout: WebSocket server running on ws://<host>:<port>", status)
            .hint("Run it by hand and read its first words; it must go on accepting until it is killed."),
        StartError::NotReady(limit) => Failure::new(Kind::DoesNotStart, "the server never said that it is ready")
            .expected(
                "a line on stdout: WebSocket server running on ws://<host>:<port>",
                format!("no such line within {} s", limit.as_secs()),
            )
            .hint("Print the line once the listener is bound. If stdout is not a terminal, other languages may have to flush it."),
        StartError::AnothersPort(line) => {
            Failure::new(Kind::DoesNotStart, "the ready line names the port of another process")
                .expected("the port on which this server listens", line)
                .hint("Print the address that the listener has (`local_addr`), and print it only once it is bound.")
        }
        StartError::NoPort(line) => Failure::new(Kind::DoesNotStart, "the ready line names no port")
            .expected("WebSocket server running on ws://<host>:<port>", line)
            .hint("With port 0 the system chooses: ask the listener for its local address."),
    };
    Trouble::from(Failure { fundamental: true, ..failure })
}
