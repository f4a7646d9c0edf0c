//! The client of a check: connect, send, expect.
//!
//! It sends frames, not messages: half of the checks send frames that a WebSocket library would
//! refuse to send. It answers pings until it is told to stop.

mod event;
mod event_queue;
mod expect;
mod expectation;
mod read_task;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

pub use self::event::{ClientEvent, Received, describe};
use self::event_queue::{EventQueue, events};
pub use self::expectation::{
    Expectation, any_close, any_text, any_welcome, close, close_without_code, pong, reply, text,
    welcome,
};
use self::read_task::ReadTask;
use crate::evidence::Evidence;
use crate::failure::{Cause, NotAccepted};
use crate::loopback_probe;
use crate::verdict::{CheckError, CheckResult, Failure};
use crate::wire::frame::Frame;
use crate::wire::recorder::{Connection, Recorder, SocketOptions};
use crate::wire::{Incoming, Outgoing};

/// Timeout of a client that waits for an event. It ends a hang only: no right server comes near it.
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(4);
/// The first message of every server.
pub const WELCOME: &str = "Welcome! Connection established.";
/// The prefix of a reply.
pub const PREFIX: &str = "Server received: ";

/// Returns the reply to `message`.
pub fn reply_to(message: &str) -> String {
    format!("{PREFIX}{message}")
}

/// Waits for `event` with a timeout that stretches on a busy host. Time in which the checker did
/// not run, or in which the loopback probe got no answer, doesn't count.
pub async fn timeout_on_busy_host<T>(limit: Duration, event: impl Future<Output = T>) -> Option<T> {
    const TICK: Duration = Duration::from_millis(50);
    let ticks = (limit.as_millis() / TICK.as_millis()).max(1);
    // A server that sends without end keeps `event` busy until tokio's cooperative budget is spent.
    // A constrained timer would then never be ready.
    let timeout = tokio::task::unconstrained(async {
        for _ in 0..ticks {
            tokio::time::sleep(TICK).await;
            loopback_probe::round_trip().await;
        }
    });
    tokio::select! {
        biased;
        event = event => Some(event),
        () = timeout => None,
    }
}

/// A client of the server under test.
pub struct Client {
    /// The recorded connection.
    pub connection: Arc<Connection>,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    written: watch::Receiver<u64>,
    queued: u64,
    events: EventQueue,
    held_back: VecDeque<Received>,
    answers_pings: Arc<AtomicBool>,
    hang_up: Arc<Notify>,
    /// The times of the pings that were passed over while waiting for another event.
    pub pings: Vec<Instant>,
    /// The pongs that were passed over since the last awaited one.
    pub pongs: Vec<Received>,
    frame: usize,
}

impl Client {
    /// Opens a TCP connection to the server and sends nothing.
    pub async fn open(
        recorder: &Recorder,
        options: SocketOptions,
        evidence: Arc<Evidence>,
    ) -> CheckResult<Self> {
        let (incoming, outgoing, connection) =
            match timeout_on_busy_host(RESPONSE_TIMEOUT, recorder.dial(options)).await {
                Some(Ok(dialled)) => dialled,
                Some(Err(error)) => {
                    return Err(match error.kind() {
                        io::ErrorKind::ConnectionRefused => not_accepting(NotAccepted::Refused),
                        io::ErrorKind::ConnectionReset => not_accepting(NotAccepted::Reset),
                        _ => error.into(),
                    });
                }
                None => return Err(not_accepting(NotAccepted::TimedOut(RESPONSE_TIMEOUT))),
            };
        evidence.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Self::on(incoming, outgoing, connection, evidence))
    }

    fn on(
        incoming: Incoming,
        mut to_server: Outgoing,
        connection: Arc<Connection>,
        evidence: Arc<Evidence>,
    ) -> Self {
        let (outgoing, mut bytes) = mpsc::unbounded_channel::<Vec<u8>>();
        let (sender, events) = events(evidence);
        let (written_in, written) = watch::channel(0);
        let answers_pings = Arc::new(AtomicBool::new(true));
        let hang_up = Arc::new(Notify::new());
        let hanging_up = hang_up.clone();
        let reset = connection.clone();
        tokio::spawn(async move {
            let writing = async {
                loop {
                    let next = tokio::select! {
                        biased;
                        next = bytes.recv() => next,
                        () = hanging_up.notified() => None,
                    };
                    let Some(bytes) = next else { break };
                    to_server.write(&bytes).await;
                    written_in.send_modify(|written| *written += bytes.len() as u64);
                }
                to_server.finish().await;
            };
            reset.until_reset(writing).await;
            to_server.close();
        });
        let task =
            ReadTask::new(sender, outgoing.downgrade(), answers_pings.clone(), written.clone());
        tokio::spawn(task.run(connection.clone(), incoming));
        Client {
            connection,
            outgoing,
            written,
            queued: 0,
            events,
            held_back: VecDeque::new(),
            answers_pings,
            hang_up,
            pings: Vec::new(),
            pongs: Vec::new(),
            frame: 0,
        }
    }

    /// Returns the client's number in the conversation, from 1.
    pub fn number(&self) -> usize {
        self.connection.number()
    }

    /// Stops answering pings, as a client does after its machine has lost power.
    pub fn stop_answering_pings(&self) {
        self.answers_pings.store(false, Ordering::Relaxed);
    }

    // Sending

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.queued += bytes.len() as u64;
        // Lost if the connection has ended; the client then reads its end.
        let _ = self.outgoing.send(bytes);
    }

    /// Ends the connection with FIN once everything is sent, without a close frame.
    pub fn hang_up(self) {
        self.hang_up.notify_one();
    }

    /// Sends a masked frame.
    pub fn send(&mut self, frame: Frame) {
        self.send_bytes(frame.masked(rand::random()).encode());
    }

    /// Sends masked frames in one write, so that the server can read them together.
    pub fn send_all(&mut self, frames: impl IntoIterator<Item = Frame>) {
        self.send_bytes(
            frames.into_iter().flat_map(|frame| frame.masked(rand::random()).encode()).collect(),
        );
    }

    /// Sends a text message.
    pub fn send_text(&mut self, text: impl Into<String>) {
        self.send(Frame::text(text.into()));
    }

    /// Sends text messages in one write.
    pub fn send_texts(&mut self, texts: &[String]) {
        self.send_all(texts.iter().map(|text| Frame::text(text.as_str())));
    }

    /// Sends a close frame with this code and stops answering pings. A server need not read after
    /// its own close frame, and would answer a late pong with a reset.
    pub fn send_close(&mut self, code: u16, reason: &str) {
        self.stop_answering_pings();
        self.send(Frame::close(code, reason));
    }

    /// Sends a text message and a close frame in one write.
    pub fn send_last(&mut self, words: &str, code: u16) {
        self.stop_answering_pings();
        self.send_all([Frame::text(words), Frame::close(code, "")]);
    }

    /// Returns a handle that sends for this client while another task reads.
    pub fn frame_sender(&self) -> FrameSender {
        FrameSender { outgoing: self.outgoing.clone() }
    }

    /// Waits until the kernel has taken all but `rest` bytes. May wait for ever if the server
    /// doesn't read.
    pub async fn wait_until_sent(&mut self, rest: u64) {
        let enough = self.queued.saturating_sub(rest);
        if self.written.wait_for(|written| *written >= enough).await.is_err() {
            std::future::pending().await
        }
    }

    /// Waits until the kernel has taken everything, or does not for a while.
    pub async fn flush(&mut self) {
        let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, self.wait_until_sent(0)).await;
    }
}

/// Makes an upgrade request with this key (section 4.1) and these additional header lines.
pub fn request(key: &str, more: &[&str]) -> String {
    let mut head = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
    );
    for line in more {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

/// Sends frames for a client.
pub struct FrameSender {
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
}

impl FrameSender {
    /// Sends a masked frame.
    pub fn send(&self, frame: Frame) {
        let _ = self.outgoing.send(frame.masked(rand::random()).encode());
    }
}

fn not_accepting(how: NotAccepted) -> CheckError {
    Failure::caused(Cause::NotAccepting(how)).into()
}
