//! Other forms of a frame, right ones and wrong ones.

use tokio_tungstenite::tungstenite::Bytes;

use crate::base::frame::{CONTINUATION, PING, TEXT, append, head, unmask};

/// Encodes a text message in fragments of at most `size` bytes.
pub(super) fn fragment(text: &str, size: usize) -> Bytes {
    let pieces = text.len().div_ceil(size).max(1);
    let mut bytes = Vec::with_capacity(text.len() + 10 * pieces);
    for piece in 0..pieces {
        let part = &text.as_bytes()[piece * size..text.len().min((piece + 1) * size)];
        append(&mut bytes, piece + 1 == pieces, if piece == 0 { TEXT } else { CONTINUATION }, part);
    }
    bytes.into()
}

/// Encodes a text message in fragments, with a ping after each. The last fragment is empty.
pub(super) fn fragment_with_pings(text: &str) -> Bytes {
    let size = (text.len() / 20).max(5);
    let mut bytes = Vec::with_capacity(text.len() + 400);
    for (n, part) in text.as_bytes().chunks(size).enumerate() {
        append(&mut bytes, false, if n == 0 { TEXT } else { CONTINUATION }, part);
        append(&mut bytes, true, PING, &[n as u8]);
    }
    append(&mut bytes, true, if text.is_empty() { TEXT } else { CONTINUATION }, b"");
    bytes.into()
}

/// Masks a frame, as a client does.
pub(super) fn mask(frame: &Bytes) -> Bytes {
    let size = head(frame).map_or(2, |head| head.size);
    let mut bytes = frame.to_vec();
    bytes[1] |= 0x80;
    bytes.splice(size..size, *b"mask");
    unmask(&mut bytes[size + 4..], *b"mask");
    bytes.into()
}

/// Writes the length of a data frame in eight bytes.
pub(super) fn lengthen(frame: &Bytes) -> Bytes {
    let Some(head) = head(frame).filter(|head| !head.is_control()) else { return frame.clone() };
    let mut bytes = vec![frame[0], 127];
    bytes.extend(head.length.to_be_bytes());
    bytes.extend_from_slice(&frame[head.size..]);
    bytes.into()
}

/// Sets RSV1 in a data frame, as if it were compressed.
pub(super) fn set_reserved_bit(frame: &Bytes) -> Bytes {
    let mut bytes = frame.to_vec();
    bytes[0] |= if bytes[0] & 8 == 0 { 0x40 } else { 0 };
    bytes.into()
}
