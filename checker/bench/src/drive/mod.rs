//! The load generator: raw sockets, prepared frames, one thread.

mod engine;
mod error;
mod loads;
mod wire;

pub use engine::{Engine, Protocol};
pub use error::{ClientError, DriveError};
pub use loads::{Tally, Window, broadcast, echo, handshakes, idle};

/// A run fails if the server sends nothing for this long.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);
