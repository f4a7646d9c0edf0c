//! What goes over the wire: frames, the tap that sees them, and the transcript that tells them.

pub mod frame;
pub mod tap;
pub mod transcript;
