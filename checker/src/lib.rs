//! Grades the servers of the workbook by talking to them.
//!
//! A server is a process with a port, in any language. [`plan`] selects checks and builds servers,
//! [`grade`] runs the checks, and [`report`] renders the verdicts. The checks themselves are in the
//! crate [`checks`], and what they talk through is in [`harness`].

pub mod cli;
pub mod evidence;
pub mod foreign;
pub mod grade;
pub mod interrupt;
pub mod journal;
pub mod museum;
pub mod place;
pub mod plan;
mod question;
pub mod report;
pub mod reset;
pub mod skeleton;
pub mod state;
pub mod stress;
pub mod terminal;
