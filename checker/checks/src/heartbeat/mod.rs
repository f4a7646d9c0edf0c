//! The checks of `heartbeat`.
//!
//! Their clock is the server's own: a client that answers counts its pings, and "by the witness's
//! third ping from now" is a deadline on any machine. Times are compared with the interval between
//! these pings.

mod alive;
mod busy;
mod chatter;
mod dead;
mod echo;
mod interval;
mod neighbours;
mod pings;
mod relapse;
mod stalled;
mod steady;

use std::time::Duration;

use crate::Check;

/// The prerequisites of all checks that need pings.
const PINGED: &[&str] = &["heartbeat::echo", "heartbeat::pings"];
const LESSON: &str = "lessons/04-heartbeats.md";

pub(super) const CHECKS: &[Check] = &[
    echo::CHECK,
    pings::CHECK,
    steady::CHECK,
    interval::CHECK,
    busy::CHECK,
    alive::CHECK,
    dead::CHECK,
    relapse::CHECK,
    chatter::CHECK,
    neighbours::CHECK,
    stalled::CHECK,
];

// The names under which `broadcast::heartbeat` calls these functions.
pub(crate) mod beats {
    pub(crate) use super::busy::as_many;
    pub(crate) use super::pings::first_ping;
    pub(crate) use super::steady::{on_the_average, visits};
}
pub(crate) mod drops {
    pub(crate) use super::alive::dropped_alive;
    pub(crate) use super::dead::{answering_late, asked, dropped_on_time, promptly};
}
pub(crate) mod signs {
    pub(crate) use super::relapse::fades_away;
}

/// Creates an interval timer. Its first tick comes after one period.
pub(crate) fn metronome(period: Duration) -> tokio::time::Interval {
    tokio::time::interval_at(tokio::time::Instant::now() + period, period)
}
