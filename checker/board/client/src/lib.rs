//! A student's side of the live board.
//!
//! [`message`] has all that leaves a student's machine, [`address`] reads the board's address, and
//! [`link`] keeps the connection.

pub mod address;
pub mod link;
pub mod message;
