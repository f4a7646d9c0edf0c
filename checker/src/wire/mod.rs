//! What goes over the wire: frames, the tap that sees them, and the transcript that tells them.

mod ends;
pub mod frame;
pub mod tap;
pub mod transcript;

pub(crate) use self::ends::LONGEST;
pub use self::ends::{Incoming, Outgoing};
