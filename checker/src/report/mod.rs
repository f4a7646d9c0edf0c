//! Renders verdicts: one file for each format.

pub mod brief;
pub mod html;
pub mod human;
pub mod json;
pub mod matrix;
mod remarks;
pub mod tally;
pub mod timings;
pub mod words;
