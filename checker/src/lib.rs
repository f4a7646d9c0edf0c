//! Grades the servers of the workbook by talking to them.
//!
//! A server is a process with a port: nothing here knows how it is written. [`checks`] talk to it through
//! a [`client`], the [`wire::tap`] sees every byte, [`grade`] decides what ran and what it means, and
//! [`report`] says so.

pub mod checks;
pub mod cli;
pub mod contrast;
pub mod familiar;
pub mod foreign;
pub mod grade;
pub mod hints;
pub mod interrupt;
pub mod museum;
pub mod place;
pub mod plan;
pub mod points;
pub mod report;
pub mod reset;
pub mod skeleton;
pub mod soak;
pub mod state;
pub mod why;

pub use ::polling;
pub use contract::{age, arena, client, evidence, exercise, gauge, peer, server, verdict, wire};
