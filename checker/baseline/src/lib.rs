//! The HTTP baseline: the same chat, polled instead of pushed.
//!
//! `cargo checker polling` serves it alone; the race runs it beside the student's server.

pub mod client;
pub mod origin;
pub mod server;
pub mod transports;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Interval between the keep-alive comments of an idle event stream; axum's default.
pub const EVENTS_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a long poll waits. Clients commonly stay below 30 s, the timeout of many proxies.
pub const LONG_WAIT: Duration = Duration::from_secs(25);

/// The response to a poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The messages after `since`, oldest first.
    pub messages: Vec<String>,
    /// The value of `since` for the next poll.
    pub next: usize,
}
