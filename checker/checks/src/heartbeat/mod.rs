//! The checks of `heartbeat`.
//!
//! Their clock is the server's own: a client that answers counts its pings, and "by the witness's
//! third ping from now" is a deadline on any machine. Times are compared with the interval between
//! these pings.

pub(crate) mod alive;
pub(crate) mod busy;
mod chatter;
pub(crate) mod dead;
mod echo;
mod interval;
mod neighbours;
pub(crate) mod pings;
pub(crate) mod relapse;
mod stalled;
pub(crate) mod steady;

use crate::Check;

/// The prerequisites of all checks that need pings.
const PINGED: &[&str] = &["heartbeat::echo", "heartbeat::pings"];

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
