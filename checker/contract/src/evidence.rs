//! What a check has seen. A check that saw too little has not passed, whatever it thinks.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::Heard;

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
    /// Counts something that a client has heard.
    pub fn add(&self, heard: &Heard) {
        let counter = match heard {
            Heard::Text(_) | Heard::Binary(_) => &self.messages,
            Heard::Ping(_) => &self.pings,
            Heard::Pong(_) => &self.pongs,
            Heard::Close(_) => &self.closes,
            Heard::End(_) => &self.ends,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

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
