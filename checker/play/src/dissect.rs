//! Decodes one direction of a connection into frames (RFC 6455, section 5.2), and keeps each
//! header's bytes.
//!
//! The checks decode frames with tungstenite, which refuses reserved opcodes and does not keep the
//! header's bytes. A page that names each bit needs both.

use harness::wire::frame::apply_mask;

/// The longest HTTP head, in bytes. Longer ones count as garbage.
const LONGEST_HEAD: usize = 16 * 1024;
/// The bytes of a body or of garbage that are kept.
const SHOWN: usize = 256;

/// A frame's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Set on the last frame of a message.
    pub fin: bool,
    /// The reserved bits RSV1 to RSV3.
    pub rsv: [bool; 3],
    /// The opcode, 0 to 15.
    pub opcode: u8,
    /// The masking key, if the frame is masked.
    pub mask: Option<[u8; 4]>,
    /// The length of the payload in bytes.
    pub len: u64,
    /// The header's own bytes, 2 to 14 of them.
    pub bytes: Vec<u8>,
}

impl Header {
    /// Decodes a header. Returns `None` if more bytes are needed, and an error if the length is
    /// invalid.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let [first, second, ..] = *bytes else { return Ok(None) };
        let extended = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masked = second & 0x80 != 0;
        let end = 2 + extended + if masked { 4 } else { 0 };
        if bytes.len() < end {
            return Ok(None);
        }
        let len = match extended {
            0 => u64::from(second & 0x7f),
            _ => bytes[2..2 + extended].iter().fold(0, |len, byte| len << 8 | u64::from(*byte)),
        };
        if len >> 63 != 0 {
            return Err("the first bit of a 64-bit length is set (section 5.2 requires 0)");
        }
        let mask = masked.then(|| [bytes[end - 4], bytes[end - 3], bytes[end - 2], bytes[end - 1]]);
        Ok(Some(Header {
            fin: first & 0x80 != 0,
            rsv: [first & 0x40 != 0, first & 0x20 != 0, first & 0x10 != 0],
            opcode: first & 0x0f,
            mask,
            len,
            bytes: bytes[..end].to_vec(),
        }))
    }

    /// Returns the opcode's name in RFC 6455.
    pub fn kind(&self) -> &'static str {
        match self.opcode {
            0x0 => "continuation",
            0x1 => "text",
            0x2 => "binary",
            0x8 => "close",
            0x9 => "ping",
            0xa => "pong",
            _ => "reserved",
        }
    }
}

/// A frame with the bytes of its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header.
    pub header: Header,
    /// The beginning of the payload, unmasked.
    pub payload: Vec<u8>,
}

/// A part of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The HTTP request or response that opens the connection.
    Head(String),
    /// The beginning of the body of an HTTP response other than `101`.
    Body(String),
    /// A frame.
    Frame(Frame),
    /// Bytes that cannot be decoded, and the reason.
    Garbage(Vec<u8>, &'static str),
}

enum Phase {
    Head(Vec<u8>),
    Header(Vec<u8>),
    Payload(Frame, u64),
    Unreadable,
}

/// Decodes one direction of a WebSocket connection.
pub struct Dissector {
    phase: Phase,
    keep: usize,
}

impl Dissector {
    /// Starts before the HTTP head. Keeps the first `keep` bytes of each payload.
    pub fn new(keep: usize) -> Self {
        Dissector { phase: Phase::Head(Vec::new()), keep }
    }

    /// Starts after the handshake.
    pub fn after_handshake(keep: usize) -> Self {
        Dissector { phase: Phase::Header(Vec::new()), keep }
    }

    /// Decodes the next bytes of the stream and emits the pieces that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], mut emit: impl FnMut(Piece)) {
        while !bytes.is_empty() {
            let phase = std::mem::replace(&mut self.phase, Phase::Unreadable);
            (self.phase, bytes) = match phase {
                Phase::Head(seen) => read_head(seen, bytes, &mut emit),
                Phase::Header(seen) => read_header(seen, bytes, &mut emit),
                Phase::Payload(frame, missing) => {
                    read_payload(frame, missing, bytes, self.keep, &mut emit)
                }
                Phase::Unreadable => return,
            };
        }
    }
}

fn read_head<'a>(
    mut seen: Vec<u8>,
    bytes: &'a [u8],
    emit: &mut impl FnMut(Piece),
) -> (Phase, &'a [u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        seen.push(*byte);
        if !seen.ends_with(b"\r\n\r\n") {
            continue;
        }
        let rest = &bytes[i + 1..];
        let head = String::from_utf8_lossy(&seen).into_owned();
        let refused = head.starts_with("HTTP/") && head.split_whitespace().nth(1) != Some("101");
        emit(Piece::Head(head));
        if refused && !rest.is_empty() {
            emit(Piece::Body(String::from_utf8_lossy(&rest[..rest.len().min(SHOWN)]).into_owned()));
        }
        return if refused { (Phase::Unreadable, &[]) } else { (Phase::Header(Vec::new()), rest) };
    }
    // Every method and "HTTP/" begin with a capital letter.
    if seen.len() > LONGEST_HEAD || !seen[0].is_ascii_uppercase() {
        seen.truncate(SHOWN);
        emit(Piece::Garbage(seen, "not an HTTP head"));
        return (Phase::Unreadable, &[]);
    }
    (Phase::Head(seen), &[])
}

fn read_header<'a>(
    mut seen: Vec<u8>,
    bytes: &'a [u8],
    emit: &mut impl FnMut(Piece),
) -> (Phase, &'a [u8]) {
    let before = seen.len();
    // A header is at most 14 bytes long.
    seen.extend_from_slice(&bytes[..bytes.len().min(14 - before)]);
    match Header::parse(&seen) {
        Ok(None) => (Phase::Header(seen), &[]),
        Ok(Some(header)) => {
            let (used, len) = (header.bytes.len() - before, header.len);
            let frame = Frame { header, payload: Vec::new() };
            if len == 0 {
                emit(Piece::Frame(frame));
                return (Phase::Header(Vec::new()), &bytes[used..]);
            }
            (Phase::Payload(frame, len), &bytes[used..])
        }
        Err(reason) => {
            emit(Piece::Garbage(seen, reason));
            (Phase::Unreadable, &[])
        }
    }
}

fn read_payload<'a>(
    mut frame: Frame,
    missing: u64,
    bytes: &'a [u8],
    keep: usize,
    emit: &mut impl FnMut(Piece),
) -> (Phase, &'a [u8]) {
    let taken = bytes.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
    let room = keep.saturating_sub(frame.payload.len()).min(taken);
    frame.payload.extend_from_slice(&bytes[..room]);
    let (missing, rest) = (missing - taken as u64, &bytes[taken..]);
    if missing > 0 {
        return (Phase::Payload(frame, missing), rest);
    }
    if let Some(key) = frame.header.mask {
        apply_mask(&mut frame.payload, key);
    }
    emit(Piece::Frame(frame));
    (Phase::Header(Vec::new()), rest)
}
