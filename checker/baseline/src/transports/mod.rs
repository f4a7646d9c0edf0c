//! Push against polling: the contestants, the proxies they connect through, and their latency.
//!
//! [`measure::run_race`] runs [`client::TransportClient`]s in real time by a [`plan`]. The check of
//! latency does so for a second, and `cargo checker race` for longer.

pub mod client;
pub mod clock;
pub mod measure;
pub mod plan;
pub mod proxy;
pub mod relay;
pub mod remote;
pub mod server;
pub mod socket;
