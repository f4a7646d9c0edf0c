//! Verdicts told: one file a format.

pub mod brief;
pub mod human;
pub mod json;
pub mod matrix;
pub mod timings;
pub mod words;
