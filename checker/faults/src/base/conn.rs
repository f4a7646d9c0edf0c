//! One connected client.

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::outbox::Outbox;

/// What the tasks of one connection share.
pub(crate) struct Conn {
    /// Connections are numbered as their handshakes end, from 0.
    pub(crate) id: u64,
    pub(crate) out: Arc<Outbox>,
    pub(crate) opened: Instant,
    /// A pong came since the last beat; a newcomer gets the benefit of the doubt.
    pub(crate) alive: AtomicBool,
    kill: Notify,
    /// For twists: what the client's close frame said after its code.
    pub(crate) reason: Mutex<String>,
    /// For twists: messages and pongs so far, a message since the last beat, a message of which the last fragment is still
    /// to come, the next beat to be left out, when the last ping was sent.
    pub(crate) messages: AtomicU32,
    pub(crate) pongs: AtomicU32,
    pub(crate) talked: AtomicBool,
    pub(crate) talk: Notify,
    pub(crate) in_message: AtomicBool,
    pub(crate) skip: AtomicBool,
    pub(crate) pinged: Mutex<Option<Instant>>,
    /// For twists: held while a write is awaited, as by a server with one task for each connection.
    pub(crate) turn: tokio::sync::Mutex<()>,
}

impl Conn {
    pub(crate) fn new(id: u64, out: Outbox) -> Self {
        Self {
            id,
            out: Arc::new(out),
            opened: Instant::now(),
            alive: AtomicBool::new(true),
            kill: Notify::new(),
            reason: Mutex::default(),
            messages: AtomicU32::new(0),
            pongs: AtomicU32::new(0),
            talked: AtomicBool::new(false),
            talk: Notify::new(),
            in_message: AtomicBool::new(false),
            skip: AtomicBool::new(false),
            pinged: Mutex::new(None),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    /// Ends the connection without a word.
    pub(crate) fn kill(&self) {
        self.out.clear();
        self.kill.notify_one();
    }

    pub(crate) async fn killed(&self) {
        self.kill.notified().await;
    }
}
