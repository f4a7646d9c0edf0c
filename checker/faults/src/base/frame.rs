//! Encodes and decodes frames: RFC 6455, section 5.2.

use tokio_tungstenite::tungstenite::Bytes;

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The header of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) length: u64,
    /// The length of the header in bytes.
    pub(crate) size: usize,
}

impl Head {
    pub(crate) fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }
}

/// Reads a header if it is complete.
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

/// Removes the mask, eight bytes at a time. A debug build has to keep up with 60 MiB.
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

/// A close frame; without a code it is empty.
pub(crate) fn close(code: Option<u16>) -> Bytes {
    encode(
        CLOSE,
        &code.map(u16::to_be_bytes).unwrap_or_default()[..if code.is_some() { 2 } else { 0 }],
    )
}

/// Returns true if a frame of a client may begin with these two bytes.
pub(crate) fn is_valid_head(first: u8, second: u8) -> bool {
    let masked = second & 0x80 != 0;
    let reserved = first & 0x70 != 0 || matches!(first & 0x0f, 3..=7 | 11..=15);
    let control_is_valid = first & 8 == 0 || first & 0x80 != 0 && second & 0x7f <= 125;
    masked && !reserved && control_is_valid
}

/// Appends a frame to `bytes`.
pub(crate) fn append(bytes: &mut Vec<u8>, fin: bool, opcode: u8, payload: &[u8]) {
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
