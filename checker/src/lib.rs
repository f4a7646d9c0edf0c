//! Grades the servers of the workbook by talking to them.
//!
//! A server is a process with a port: nothing here knows how it is written. [`checks`] talk to it through
//! a [`client`], the [`wire::tap`] sees every byte, [`grade`] decides what ran and what it means, and
//! [`report`] says so.

pub mod cli;
pub mod foreign;
pub mod grade;
pub mod interrupt;
pub mod known_mistakes;
pub mod museum;
pub mod place;
pub mod plan;
pub mod report;
pub mod reset;
pub mod skeleton;
pub mod state;
pub mod stress;
