//! A connection to the board that comes back by itself.
//!
//! The verdicts are state and not a stream: a connection that comes back sends all of them, and
//! while none is open nothing queues up.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rand::RngExt;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message, http::StatusCode};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::address::BoardAddress;
use crate::message::{FromStudent, Hello, Name, Outcome, ToStudent, VERSION, Verdict};

/// The time limit for a handshake, and for each message.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause after the first failure. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The time limit for a close handshake at the end.
const GOODBYE: Duration = Duration::from_secs(1);
/// The board sends a ping each interval. After this many intervals of silence it counts as dead.
const SILENT_INTERVALS: u32 = 2;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// It is being opened.
    Connecting,
    /// The board has the verdicts.
    Connected,
    /// There is none for this reason. It is tried again after a pause.
    Waiting(String),
    /// The board refused it for this reason. It is tried again after a pause.
    Refused(String),
}

/// The outcome of a check, and since when it has been that.
#[derive(Debug, Clone, Copy)]
struct Held {
    outcome: Outcome,
    since: Instant,
}

type Verdicts = BTreeMap<String, Held>;

/// A connection to the board.
pub struct BoardLink {
    verdicts: watch::Sender<Verdicts>,
    state: watch::Receiver<LinkState>,
    task: JoinHandle<()>,
}

impl BoardLink {
    /// Connects, and keeps the connection until this is dropped.
    ///
    /// `student` is a random number by which the board knows a student that comes back.
    pub fn open(address: BoardAddress, student: String, name: Name) -> Self {
        let (state, states) = watch::channel(LinkState::Connecting);
        let (verdicts, changes) = watch::channel(Verdicts::new());
        let task = Task { address, student, name, verdicts: changes, state };
        BoardLink { verdicts, state: states, task: tokio::spawn(task.run()) }
    }

    /// Tells the board the outcome of a check.
    pub fn report(&self, check: &str, outcome: Outcome) {
        self.verdicts.send_if_modified(|verdicts| {
            if verdicts.get(check).is_some_and(|held| held.outcome == outcome) {
                return false;
            }
            verdicts.insert(check.to_string(), Held { outcome, since: Instant::now() });
            true
        });
    }

    /// Returns the state of the connection, and notifies of its changes.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Sends what is unsent, says goodbye and closes.
    pub async fn leave(self) {
        // The task ends when this sender is dropped.
        drop(self.verdicts);
        let mut task = self.task;
        if timeout(GOODBYE, &mut task).await.is_err() {
            task.abort();
        }
    }
}

/// The reason for the end of a connection.
#[derive(Debug, Error)]
enum End {
    #[error("the board does not answer")]
    Timeout,
    #[error("the board has sent nothing for two heartbeats")]
    Silence,
    #[error("the connection failed: {0}")]
    Failed(WsError),
    #[error("the board has closed")]
    Closed,
    #[error("{0}")]
    Refused(String),
    #[error("the student leaves")]
    Left,
}

impl From<WsError> for End {
    fn from(error: WsError) -> Self {
        End::Failed(error)
    }
}

struct Task {
    address: BoardAddress,
    student: String,
    name: Name,
    verdicts: watch::Receiver<Verdicts>,
    state: watch::Sender<LinkState>,
}

impl Task {
    async fn run(mut self) {
        let mut failures = 0;
        loop {
            self.state.send_replace(LinkState::Connecting);
            let Err(end) = self.connect_once(&mut failures).await;
            let reason = end.to_string();
            self.state.send_replace(match end {
                End::Left => return,
                End::Refused(_) => LinkState::Refused(reason),
                _ => LinkState::Waiting(reason),
            });
            let pause = random_pause(failures);
            failures += 1;
            let left = async { while self.verdicts.changed().await.is_ok() {} };
            tokio::select! {
                () = sleep(pause) => {}
                () = left => return,
            }
        }
    }

    /// Runs one connection to its end.
    async fn connect_once(&mut self, failures: &mut u32) -> Result<Infallible, End> {
        // The library's default is 128 KiB, and the board sends a few bytes.
        let config = WebSocketConfig::default().read_buffer_size(4 * 1024);
        let url = self.address.to_string();
        let connecting = connect_async_with_config(url, Some(config), true);
        let connected = timeout(TIMEOUT, connecting).await.map_err(|_| End::Timeout)?;
        let (mut socket, _) = connected.map_err(|error| self.explain(error))?;
        let mut told = self.verdicts.borrow_and_update().clone();
        let hello = Hello {
            version: VERSION,
            student: self.student.clone(),
            name: self.name.clone(),
            verdicts: told.iter().map(|(check, held)| verdict(check, *held)).collect(),
        };
        send(&mut socket, &FromStudent::Hello(hello)).await?;
        let mut silence = TIMEOUT;
        loop {
            tokio::select! {
                received = timeout(silence, socket.next()) => {
                    let message = received.map_err(|_| End::Silence)?;
                    match message.ok_or(End::Closed)?? {
                        Message::Text(text) => {
                            let Ok(welcome) = serde_json::from_str(&text) else { continue };
                            let ToStudent::Welcome { heartbeat_ms } = welcome;
                            silence = Duration::from_millis(heartbeat_ms) * SILENT_INTERVALS;
                            *failures = 0;
                            self.state.send_replace(LinkState::Connected);
                        }
                        Message::Close(frame) => return Err(closed(frame)),
                        // The library answers pings when the socket is read again.
                        _ => {}
                    }
                }
                changed = self.verdicts.changed() => {
                    let now = self.verdicts.borrow_and_update().clone();
                    for (check, held) in &now {
                        if told.get(check).is_none_or(|before| before.outcome != held.outcome) {
                            send(&mut socket, &FromStudent::Verdict(verdict(check, *held))).await?;
                        }
                    }
                    told = now;
                    if changed.is_err() {
                        return Err(say_goodbye(&mut socket).await);
                    }
                }
            }
        }
    }

    /// Names what the handshake failed by.
    fn explain(&self, error: WsError) -> End {
        let WsError::Http(response) = &error else { return End::Failed(error) };
        let body = response.body().as_deref().unwrap_or_default();
        End::Refused(match response.status() {
            StatusCode::NOT_FOUND => format!(
                "the board has no room `{}`; compare it with the board's address",
                self.address.room()
            ),
            status => format!("HTTP {status}: {}", String::from_utf8_lossy(body).trim()),
        })
    }
}

/// Returns a random pause up to a limit that doubles with each failure.
///
/// Without it, all students would come back at the same moment after a restart of the board.
fn random_pause(failures: u32) -> Duration {
    let limit = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
    limit.mul_f64(rand::rng().random_range(0.1..=1.0))
}

fn verdict(check: &str, held: Held) -> Verdict {
    let age_ms = u64::try_from(held.since.elapsed().as_millis()).unwrap_or(u64::MAX);
    Verdict { check: check.to_string(), outcome: held.outcome, age_ms }
}

async fn send(socket: &mut Socket, message: &FromStudent) -> Result<(), End> {
    let text = serde_json::to_string(message).expect("these messages have a JSON form");
    timeout(TIMEOUT, socket.send(Message::text(text))).await.map_err(|_| End::Timeout)??;
    Ok(())
}

fn closed(frame: Option<CloseFrame>) -> End {
    match frame {
        Some(CloseFrame { code: CloseCode::Policy, reason }) => {
            End::Refused(format!("the board refused: {reason}"))
        }
        _ => End::Closed,
    }
}

/// Closes with code 1000, and waits for the answer.
async fn say_goodbye(socket: &mut Socket) -> End {
    let goodbye = async {
        let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        if socket.close(Some(normal)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(GOODBYE, goodbye).await;
    End::Left
}
