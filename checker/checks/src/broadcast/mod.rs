//! The checks of `broadcast`.
//!
//! A server may disconnect a client to which more than 1,000 messages or 1 MiB are on their way. So
//! no check exceeds that for a client that must be served.

mod agreement;
mod crowd;
mod everyone;
mod heartbeat;
mod latecomer;
mod leaver;
mod newcomers;
mod order;
mod room;
mod slow;
mod welcome;

use super::{Check, MINIMUM, check};
use harness::evidence::MinimumEvidence;

const WELCOMED: &[&str] = &["broadcast::welcome"];
const SPREADS: &[&str] = &["broadcast::welcome", "broadcast::everyone"];

pub(super) const CHECKS: &[Check] = &[
    welcome::CHECK,
    everyone::CHECK,
    order::CHECK,
    agreement::CHECK,
    latecomer::CHECK,
    leaver::CHECK,
    crowd::CHECK,
    slow::CHECK,
    heartbeat::CHECK,
];
