//! Every check: those of the exercises, and the one that needs something to compare a server with.

pub mod latency;

pub use contract::checks::{Check, LEAST, ROWS, Run, check};

/// Every check, in the contract's order.
pub fn all() -> Vec<&'static Check> {
    ROWS.into_iter().chain([latency::CHECKS]).flatten().collect()
}

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().into_iter().find(|check| check.id == id)
}
