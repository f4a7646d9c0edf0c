//! What a check is made of: a server process, clients that speak frames, and a recorder.
//!
//! A server is a process with a port; nothing here knows how it is written. A check talks to it
//! through a [`client`], and the [`wire::recorder`] sees every byte.

pub mod client;
pub mod context;
pub mod evidence;
pub mod exercise;
pub mod failure;
pub mod group;
pub mod interval;
pub mod loopback_probe;
pub mod server;
pub mod stall_monitor;
pub mod store;
pub mod sync;
pub mod threads;
pub mod uptime_cache;
pub mod verdict;
pub mod wire;
