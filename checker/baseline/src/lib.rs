//! The HTTP baseline: the same chat, asked for instead of pushed.
//!
//! `cargo checker polling` serves it alone; the race runs it beside the student's server.

pub mod client;
pub mod http;
pub mod server;
pub mod transports;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How often an idle stream of events says that it is still there, as axum does by default.
pub const EVENTS_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a long poll waits, as clients commonly ask: below the 30 s after which proxies give up.
pub const LONG_WAIT: Duration = Duration::from_secs(25);

/// What a poller gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The messages after `since`, oldest first.
    pub messages: Vec<String>,
    /// What to ask with next.
    pub next: usize,
}
