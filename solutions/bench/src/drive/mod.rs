//! The generator: raw sockets, raw frames, one thread.

mod engine;
mod loads;
mod wire;

pub use engine::{Engine, Speech};
pub use loads::{Measured, Window, broadcast, echo, handshakes, idle};
