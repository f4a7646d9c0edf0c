//! Verdicts told: one file a format.

pub mod human;
pub mod json;
pub mod timings;
