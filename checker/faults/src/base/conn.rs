//! One connected client.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::outbox::Outbox;

/// The state that the tasks of one connection share.
///
/// The right server uses the first fields. The others are facts that mutations ask for.
pub(crate) struct Conn {
    /// Connections are numbered as their handshakes end, from 0.
    pub(crate) id: u64,
    pub(crate) out: Arc<Outbox>,
    /// Set by a pong, cleared by each tick. True at first: no ping is unanswered yet.
    pub(crate) alive: AtomicBool,
    kill: Notify,
    /// Restarts the heartbeat's timer.
    pub(crate) restart: Notify,
    pub(crate) opened: Instant,
    /// The number of messages.
    pub(crate) messages: AtomicU32,
    /// The number of pongs.
    pub(crate) pongs: AtomicU32,
    /// The last fragment of a message has not come yet.
    pub(crate) in_message: AtomicBool,
    /// The time of the last ping.
    pub(crate) pinged: Mutex<Option<Instant>>,
    /// Held by a mutation while it awaits a write.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// A mutation's own state.
    pub(crate) note: AtomicU64,
}

impl Conn {
    pub(crate) fn new(id: u64, out: Outbox) -> Self {
        Self {
            id,
            out: Arc::new(out),
            alive: AtomicBool::new(true),
            kill: Notify::new(),
            restart: Notify::new(),
            opened: Instant::now(),
            messages: AtomicU32::new(0),
            pongs: AtomicU32::new(0),
            in_message: AtomicBool::new(false),
            pinged: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
            note: AtomicU64::new(0),
        }
    }

    /// Ends the connection without a close frame.
    pub(crate) fn kill(&self) {
        self.out.clear();
        self.kill.notify_one();
    }

    pub(crate) async fn killed(&self) {
        self.kill.notified().await;
    }

    /// Returns the time of the last ping.
    pub(crate) fn last_ping(&self) -> Option<Instant> {
        *super::lock(&self.pinged)
    }
}
