//! Counts what a check has received. A check that received too little does not pass (no vacuous
//! pass).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::ClientEvent;

/// Counters of the events that a check took from all of its clients. Events that were still queued
/// when the check ended don't count.
#[derive(Debug, Default)]
pub struct Evidence {
    /// TCP connections that the server accepted.
    pub connections: AtomicU64,
    /// Text and binary messages.
    pub messages: AtomicU64,
    /// Pings.
    pub pings: AtomicU64,
    /// Pongs.
    pub pongs: AtomicU64,
    /// Close frames.
    pub closes: AtomicU64,
    /// Ends of TCP connections.
    pub ends: AtomicU64,
}

/// The minimum of each counter that a check needs to pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinimumEvidence {
    /// TCP connections.
    pub connections: u64,
    /// Messages.
    pub messages: u64,
    /// Pings.
    pub pings: u64,
    /// Pongs.
    pub pongs: u64,
    /// Close frames.
    pub closes: u64,
    /// Ends of TCP connections.
    pub ends: u64,
}

impl Evidence {
    /// Counts an event.
    pub(crate) fn add(&self, event: &ClientEvent) {
        let counter = match event {
            ClientEvent::Text(_) | ClientEvent::Binary(_) => &self.messages,
            ClientEvent::Ping(_) => &self.pings,
            ClientEvent::Pong(_) => &self.pongs,
            ClientEvent::Close(_) => &self.closes,
            ClientEvent::End(_) => &self.ends,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Describes the first counter that is below `minimum`.
    pub fn lacks(&self, minimum: MinimumEvidence) -> Option<String> {
        let rows = [
            ("connections", &self.connections, minimum.connections),
            ("messages", &self.messages, minimum.messages),
            ("pings", &self.pings, minimum.pings),
            ("pongs", &self.pongs, minimum.pongs),
            ("close frames", &self.closes, minimum.closes),
            ("ended connections", &self.ends, minimum.ends),
        ];
        rows.into_iter().find_map(|(name, seen, minimum)| {
            let seen = seen.load(Ordering::Relaxed);
            (seen < minimum).then(|| format!("{seen} of at least {minimum} {name} seen"))
        })
    }
}
