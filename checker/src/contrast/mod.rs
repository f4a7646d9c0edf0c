//! Push against polling: who takes part, over which lines, and how fast each is.
//!
//! [`measure::race`] lets [`lane`]s race in real time by a [`plan`]; the check of latency does so for a second, and
//! `cargo checker race` for longer.

pub mod clock;
pub mod host;
pub mod lane;
pub mod line;
pub mod measure;
pub mod plan;
pub mod relay;
pub mod socket;
