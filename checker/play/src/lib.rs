//! The playground: a page on which the wire is seen live, and on which one can pull the cable.
//!
//! [`subject`] keeps the server under test running, a [`lane`] with its [`cable`] stands between each client and that
//! server, the [`journal`] remembers what went over, [`page`] serves the page, and [`control`] is the socket by which
//! the page is told and tells.

pub mod beside;
pub mod cable;
pub mod control;
pub mod dissect;
pub mod journal;
pub mod lane;
pub mod page;
pub mod session;
pub mod speaker;
pub mod subject;
