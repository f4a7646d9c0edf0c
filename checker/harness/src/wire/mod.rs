//! The bytes on the wire: frames, the recorder, and the transcript of a conversation.

mod ends;
pub mod frame;
pub mod recorder;
pub mod transcript;

use std::borrow::Cow;

pub(crate) use self::ends::LONGEST;
pub use self::ends::{Incoming, Outgoing};

/// Decodes like [`String::from_utf8_lossy`], but much faster for valid UTF-8, the usual case.
pub fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
