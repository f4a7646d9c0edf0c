//! What a check has seen. A check that saw too little has not passed, whatever it thinks.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::ClientEvent;

/// Counters of what a check has heard from the server, over all of its clients: what it took from them, not what was on
/// its way when it was over.
#[derive(Debug, Default)]
pub struct Evidence {
    /// TCP connections that the server took.
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

/// The least of each that a check must have seen to pass.
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
    /// Counts something that a client has heard.
    pub fn add(&self, heard: &ClientEvent) {
        let counter = match heard {
            ClientEvent::Text(_) | ClientEvent::Binary(_) => &self.messages,
            ClientEvent::Ping(_) => &self.pings,
            ClientEvent::Pong(_) => &self.pongs,
            ClientEvent::Close(_) => &self.closes,
            ClientEvent::End(_) => &self.ends,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// What is missing to `minimum`, in words.
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
