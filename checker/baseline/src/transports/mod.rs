//! Push against polling: who takes part, over which lines, and how fast each is.
//!
//! [`measure::race`] lets [`lane`]s race in real time by a [`plan`]; the check of latency does so for a second, and
//! `cargo checker race` for longer.

pub mod client;
pub mod clock;
pub mod measure;
pub mod plan;
pub mod proxy;
pub mod relay;
pub mod server;
pub mod socket;
