//! What an instructor shows, and a student plays with: the wire on a page, and push racing against polling.
//!
//! A crate of its own, so that nobody waits for it who only grades.

pub mod play;
pub mod race;
