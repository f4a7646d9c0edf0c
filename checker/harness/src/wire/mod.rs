//! What goes over the wire: frames, the tap that sees them, and the transcript that tells them.

mod ends;
pub mod frame;
pub mod recorder;
pub mod transcript;

use std::borrow::Cow;

pub(crate) use self::ends::LONGEST;
pub use self::ends::{Incoming, Outgoing};

/// As [`String::from_utf8_lossy`], but much faster where all is text, as it nearly always is.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
