//! What a check has seen. A check that saw too little has not passed, whatever it thinks.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of what came from the server, over all clients of a check.
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
pub struct Least {
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
    /// What is missing to `least`, in words.
    pub fn lacks(&self, least: Least) -> Option<String> {
        let rows = [
            ("connections", &self.connections, least.connections),
            ("messages", &self.messages, least.messages),
            ("pings", &self.pings, least.pings),
            ("pongs", &self.pongs, least.pongs),
            ("close frames", &self.closes, least.closes),
            ("ended connections", &self.ends, least.ends),
        ];
        rows.into_iter().find_map(|(name, seen, least)| {
            let seen = seen.load(Ordering::Relaxed);
            (seen < least).then(|| format!("{seen} of at least {least} {name} seen"))
        })
    }
}
