//! Bytes to frames and back (RFC 6455, section 5.2).

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
pub use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The longest HTTP head, in bytes. Longer input is garbage.
const LONGEST_HEAD: usize = 16 * 1024;
/// The most memory that is allocated for a payload in advance, in bytes.
const PREPARED: usize = 4 * 1024;

/// One frame as it was on the wire, its payload unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// FIN: the last frame of its message.
    pub fin: bool,
    /// One of RSV1 to RSV3 is set, although no extension was negotiated.
    pub reserved_bits: bool,
    /// The opcode.
    pub opcode: OpCode,
    /// The masking key. Clients mask, servers don't.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload in bytes.
    pub len: u64,
    /// The length is not encoded in the fewest bytes.
    pub overlong: bool,
    /// The payload, or the part of it that the [`Decoder`] was asked to keep.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Makes a frame that holds a complete message, or a control frame.
    pub fn new(opcode: OpCode, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Frame {
            fin: true,
            reserved_bits: false,
            opcode,
            mask: None,
            len: payload.len() as u64,
            overlong: false,
            payload,
        }
    }

    /// Makes a text message.
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Frame::new(OpCode::Data(Data::Text), text)
    }

    /// Makes a binary message.
    pub fn binary(bytes: impl Into<Vec<u8>>) -> Self {
        Frame::new(OpCode::Data(Data::Binary), bytes)
    }

    /// Makes a ping.
    pub fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Frame::new(OpCode::Control(Control::Ping), payload)
    }

    /// Makes a pong.
    pub fn pong(payload: impl Into<Vec<u8>>) -> Self {
        Frame::new(OpCode::Control(Control::Pong), payload)
    }

    /// Makes a close frame with this code.
    pub fn close(code: u16, reason: &str) -> Self {
        let payload = [&code.to_be_bytes(), reason.as_bytes()].concat();
        Frame::new(OpCode::Control(Control::Close), payload)
    }

    /// Makes a fragment: its message continues in the next frame.
    pub fn unfinished(opcode: OpCode, payload: impl Into<Vec<u8>>) -> Self {
        Frame { fin: false, ..Frame::new(opcode, payload) }
    }

    /// Masks the frame with `key`, as a client must (section 5.3).
    pub fn masked(self, key: [u8; 4]) -> Self {
        Frame { mask: Some(key), ..self }
    }

    /// Encodes the frame for the wire.
    pub fn encode(&self) -> Vec<u8> {
        let header = FrameHeader {
            is_final: self.fin,
            rsv1: self.reserved_bits,
            rsv2: false,
            rsv3: false,
            opcode: self.opcode,
            mask: self.mask,
        };
        let mut bytes = Vec::with_capacity(self.payload.len() + 14);
        header.format(self.payload.len() as u64, &mut bytes).expect("writing to memory");
        let start = bytes.len();
        bytes.extend_from_slice(&self.payload);
        if let Some(key) = self.mask {
            apply_mask(&mut bytes[start..], key);
        }
        bytes
    }

    /// Returns the status code of a close frame; `None` if it has none.
    pub(crate) fn close_code(&self) -> Option<u16> {
        match self.payload.as_slice() {
            [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        }
    }
}

/// Returns the opcode's name in RFC 6455.
pub(crate) fn opcode_name(opcode: OpCode) -> &'static str {
    match opcode {
        OpCode::Data(Data::Continue) => "continuation",
        OpCode::Data(Data::Text) => "text",
        OpCode::Data(Data::Binary) => "binary",
        OpCode::Control(Control::Close) => "close",
        OpCode::Control(Control::Ping) => "ping",
        OpCode::Control(Control::Pong) => "pong",
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => "reserved",
    }
}

/// Masks or unmasks a payload (section 5.3). Works on 8 bytes at a time: byte by byte, 1 MiB takes
/// long in a debug build.
pub fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// An item that a [`Decoder`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The head of the HTTP request or response, including its blank line.
    Head(String),
    /// The beginning of the body of an HTTP response other than `101`.
    Body(String),
    /// A frame.
    Frame(Frame),
    /// The first bytes that are none of these, and the reason why they are no frame.
    Garbage(Vec<u8>, String),
}

enum Phase {
    Head(Vec<u8>),
    /// The received part of a header.
    Header(Vec<u8>),
    Payload(Frame, u64),
    Unreadable,
}

/// Decodes one direction of a WebSocket connection, in chunks of any size.
pub struct Decoder {
    phase: Phase,
    keep: usize,
}

impl Decoder {
    /// Makes a decoder that keeps the first `keep` bytes of each payload.
    pub fn new(keep: usize) -> Self {
        Decoder { phase: Phase::Head(Vec::new()), keep }
    }

    /// Decodes the next bytes of the stream and emits the items that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], mut emit: impl FnMut(Item)) {
        while !bytes.is_empty() {
            let phase = std::mem::replace(&mut self.phase, Phase::Unreadable);
            (self.phase, bytes) = match phase {
                Phase::Head(seen) => read_head(seen, bytes, &mut emit),
                Phase::Header(seen) => read_header(seen, self.keep, bytes, &mut emit),
                Phase::Payload(frame, missing) => {
                    self.read_payload(frame, missing, bytes, &mut emit)
                }
                Phase::Unreadable => return,
            };
        }
    }

    /// Returns the frame that has not arrived completely, and how much of its payload has.
    pub fn unfinished_frame(&self) -> Option<(OpCode, u64, u64)> {
        match &self.phase {
            Phase::Payload(frame, missing) => Some((frame.opcode, frame.len, frame.len - missing)),
            _ => None,
        }
    }

    fn read_payload<'a>(
        &self,
        mut frame: Frame,
        missing: u64,
        bytes: &'a [u8],
        emit: &mut impl FnMut(Item),
    ) -> (Phase, &'a [u8]) {
        let taken = bytes.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
        let room = self.keep.saturating_sub(frame.payload.len()).min(taken);
        frame.payload.extend_from_slice(&bytes[..room]);
        let rest = &bytes[taken..];
        let missing = missing - taken as u64;
        if missing > 0 {
            return (Phase::Payload(frame, missing), rest);
        }
        if let Some(key) = frame.mask {
            apply_mask(&mut frame.payload, key);
        }
        emit(Item::Frame(frame));
        (Phase::Header(Vec::new()), rest)
    }
}

fn read_head<'a>(
    mut seen: Vec<u8>,
    bytes: &'a [u8],
    emit: &mut impl FnMut(Item),
) -> (Phase, &'a [u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        seen.push(*byte);
        if !seen.ends_with(b"\r\n\r\n") {
            continue;
        }
        let rest = &bytes[i + 1..];
        let head = String::from_utf8_lossy(&seen).into_owned();
        let refused = head.starts_with("HTTP/") && head.split_whitespace().nth(1) != Some("101");
        emit(Item::Head(head));
        if refused {
            if !rest.is_empty() {
                emit(Item::Body(
                    String::from_utf8_lossy(&rest[..rest.len().min(200)]).into_owned(),
                ));
            }
            return (Phase::Unreadable, &[]);
        }
        return (Phase::Header(Vec::new()), rest);
    }
    // Every method and "HTTP/" begin with a capital letter.
    if seen.len() > LONGEST_HEAD || !seen[0].is_ascii_uppercase() {
        seen.truncate(32);
        emit(Item::Garbage(seen, "not an HTTP head".to_string()));
        return (Phase::Unreadable, &[]);
    }
    (Phase::Head(seen), &[])
}

fn read_header<'a>(
    mut seen: Vec<u8>,
    keep: usize,
    bytes: &'a [u8],
    emit: &mut impl FnMut(Item),
) -> (Phase, &'a [u8]) {
    let before = seen.len();
    // A header is at most 14 bytes long.
    let first = &bytes[..bytes.len().min(14 - before)];
    let mut cursor = Cursor::new(if seen.is_empty() {
        first
    } else {
        seen.extend_from_slice(first);
        &seen
    });
    match FrameHeader::parse(&mut cursor) {
        Ok(Some((header, len))) => {
            let size = cursor.position() as usize;
            let used = size - before;
            let frame = Frame {
                fin: header.is_final,
                reserved_bits: header.rsv1 || header.rsv2 || header.rsv3,
                opcode: header.opcode,
                mask: header.mask,
                len,
                overlong: size > header.len(len),
                // The announced length is not trusted: the payload need not follow.
                payload: Vec::with_capacity(
                    usize::try_from(len).unwrap_or(usize::MAX).min(keep).min(PREPARED),
                ),
            };
            if len == 0 {
                emit(Item::Frame(frame));
                return (Phase::Header(Vec::new()), &bytes[used..]);
            }
            (Phase::Payload(frame, len), &bytes[used..])
        }
        Ok(None) => (Phase::Header(cursor.into_inner().to_vec()), &[]),
        Err(error) => {
            emit(Item::Garbage(cursor.into_inner().to_vec(), error.to_string()));
            (Phase::Unreadable, &[])
        }
    }
}
