//! The attacks of the threat model, each one a submission or an archive: it gets the verdict it
//! deserves, and its neighbours are graded as ever.
//!
//! `cargo test -p class --test attacks -- --include-ignored` tries all of them on every level
//! of the sandbox.
#![cfg(target_os = "linux")]

mod archives;
#[path = "../common/mod.rs"]
mod common;
mod levels;
mod machine;
mod programs;
mod terminal;
