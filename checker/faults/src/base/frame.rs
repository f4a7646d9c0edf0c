//! Frames by hand: what RFC 6455, section 5.2, draws.

use tokio_tungstenite::tungstenite::Bytes;

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The head of a frame, its payload still to come.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) length: u64,
    /// How many bytes the head itself takes.
    pub(crate) size: usize,
}

impl Head {
    pub(crate) fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }
}

/// Reads a head as soon as it is there in full.
pub(crate) fn head(bytes: &[u8]) -> Option<Head> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, mut size) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let mut mask = None;
    if second & 0x80 != 0 {
        mask = Some(bytes.get(size..size + 4)?.try_into().ok()?);
        size += 4;
    }
    Some(Head { fin: first & 0x80 != 0, opcode: first & 0x0f, mask, length, size })
}

/// Takes the mask off, eight bytes at a time: a debug build has to keep up with 60 MiB.
pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let plain = u64::from_ne_bytes((&*chunk).try_into().unwrap_or_default()) ^ wide;
        chunk.copy_from_slice(&plain.to_ne_bytes());
    }
    for (byte, key) in chunks.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// An unmasked frame, as a server sends it.
pub(crate) fn encode(opcode: u8, payload: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(payload.len() + 10);
    append(&mut bytes, true, opcode, payload);
    bytes.into()
}

/// A text message in one frame.
pub(crate) fn text(text: &str) -> Bytes {
    encode(TEXT, text.as_bytes())
}

/// A text message in fragments of at most `size` bytes.
pub(crate) fn fragmented(text: &str, size: usize) -> Bytes {
    let pieces = text.len().div_ceil(size).max(1);
    let mut bytes = Vec::with_capacity(text.len() + 10 * pieces);
    for piece in 0..pieces {
        let part = &text.as_bytes()[piece * size..text.len().min((piece + 1) * size)];
        append(&mut bytes, piece + 1 == pieces, if piece == 0 { TEXT } else { CONTINUATION }, part);
    }
    bytes.into()
}

/// A text message in some fragments, a ping after each, the last of them empty.
pub(crate) fn with_pings_between(text: &str) -> Bytes {
    let size = (text.len() / 20).max(5);
    let mut bytes = Vec::with_capacity(text.len() + 400);
    for (n, part) in text.as_bytes().chunks(size).enumerate() {
        append(&mut bytes, false, if n == 0 { TEXT } else { CONTINUATION }, part);
        append(&mut bytes, true, PING, &[n as u8]);
    }
    append(&mut bytes, true, if text.is_empty() { TEXT } else { CONTINUATION }, b"");
    bytes.into()
}

/// A close frame; without a code it is empty.
pub(crate) fn close(code: Option<u16>) -> Bytes {
    encode(
        CLOSE,
        &code.map(u16::to_be_bytes).unwrap_or_default()[..if code.is_some() { 2 } else { 0 }],
    )
}

/// For a twist: as a client sends it.
pub(crate) fn masked(frame: &Bytes) -> Bytes {
    let size = head(frame).map_or(2, |head| head.size);
    let mut bytes = frame.to_vec();
    bytes[1] |= 0x80;
    bytes.splice(size..size, *b"mask");
    unmask(&mut bytes[size + 4..], *b"mask");
    bytes.into()
}

/// For a twist: its length always in eight bytes.
pub(crate) fn with_long_length(frame: &Bytes) -> Bytes {
    let Some(head) = head(frame).filter(|head| !head.is_control()) else { return frame.clone() };
    let mut bytes = vec![frame[0], 127];
    bytes.extend(head.length.to_be_bytes());
    bytes.extend_from_slice(&frame[head.size..]);
    bytes.into()
}

/// For a twist: with RSV1, as if it were compressed.
pub(crate) fn with_reserved_bit(frame: &Bytes) -> Bytes {
    let mut bytes = frame.to_vec();
    bytes[0] |= if bytes[0] & 8 == 0 { 0x40 } else { 0 };
    bytes.into()
}

fn append(bytes: &mut Vec<u8>, fin: bool, opcode: u8, payload: &[u8]) {
    bytes.push(if fin { 0x80 | opcode } else { opcode });
    match payload.len() {
        short @ 0..=125 => bytes.push(short as u8),
        middle @ 126..=65_535 => {
            bytes.push(126);
            bytes.extend((middle as u16).to_be_bytes());
        }
        long => {
            bytes.push(127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
}
