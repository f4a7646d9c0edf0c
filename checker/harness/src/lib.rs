//! The parts of a check: a server process, clients that send frames, and a recorder.
//!
//! A server is a process with a port (black box). A check talks to it through a [`client`], and the
//! [`wire::recorder`] records every byte.

pub mod client;
pub mod context;
pub mod evidence;
pub mod exercise;
pub mod failure;
pub mod group;
pub mod interval;
pub(crate) mod loopback_probe;
pub mod server;
pub mod stall_monitor;
pub mod store;
pub mod sync;
pub(crate) mod threads;
pub mod uptime_cache;
pub mod verdict;
pub mod wire;
