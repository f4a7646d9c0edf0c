//! Talks to a server, and judges it by the rows of its contract.
//!
//! A server is a process with a port: nothing here knows how it is written. [`checks`] talk to it through
//! a [`client`], and the [`wire::tap`] sees every byte. What ran and what it means is decided above, by the checker;
//! this is a crate of its own so that it is compiled while what that is built from still is.

pub mod age;
pub mod arena;
pub mod checks;
pub mod client;
pub mod evidence;
pub mod exercise;
pub mod gauge;
pub mod peer;
pub mod server;
pub mod store;
pub mod threads;
pub mod verdict;
pub mod wire;
