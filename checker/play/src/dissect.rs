//! One direction of a connection, taken apart without losing a byte: what a frame's header says (RFC 6455, section
//! 5.2), and the bytes in which it says so.
//!
//! The checks read frames through tungstenite, which refuses reserved opcodes and forgets the bytes that it has read. A
//! page that names every bit needs both.

use harness::wire::frame::apply_mask;

/// The longest HTTP head that is still taken for one, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// Of what is no frame, so many bytes are shown.
const SHOWN: usize = 256;

/// A frame's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The last frame of its message.
    pub fin: bool,
    /// RSV1 to RSV3.
    pub rsv: [bool; 3],
    /// The opcode, 0 to 15.
    pub opcode: u8,
    /// The masking key, if the frame is masked.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload in bytes.
    pub len: u64,
    /// The header's own bytes, 2 to 14 of them.
    pub bytes: Vec<u8>,
}

impl Header {
    /// Reads a header; `None` if these bytes end before it does.
    ///
    /// # Errors
    /// When the length can't be one: its first bit is set.
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
            return Err("a length of 64 bits whose first is set (section 5.2 wants 0)");
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

    /// The opcode's name as RFC 6455 has it.
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

/// A frame as it was on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What its header says.
    pub header: Header,
    /// The payload, unmasked, or as much of its beginning as is kept.
    pub payload: Vec<u8>,
}

/// What a [`Dissector`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The HTTP request or response that opens the connection.
    Head(String),
    /// The beginning of what follows an HTTP response that is not a `101`.
    Body(String),
    /// A frame.
    Frame(Frame),
    /// Bytes that are none of these, and why not.
    Garbage(Vec<u8>, &'static str),
}

enum Phase {
    Head(Vec<u8>),
    Header(Vec<u8>),
    Payload(Frame, u64),
    Unreadable,
}

/// Takes one direction of a WebSocket connection apart, in pieces of any size.
pub struct Dissector {
    phase: Phase,
    keep: usize,
}

impl Dissector {
    /// Begins with an HTTP head; keeps the first `keep` bytes of each payload.
    pub fn new(keep: usize) -> Self {
        Dissector { phase: Phase::Head(Vec::new()), keep }
    }

    /// Begins after the handshake.
    pub fn after_handshake(keep: usize) -> Self {
        Dissector { phase: Phase::Header(Vec::new()), keep }
    }

    /// Takes the next bytes of the stream and hands over what they complete.
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
        Err(why) => {
            emit(Piece::Garbage(seen, why));
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
