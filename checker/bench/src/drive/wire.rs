//! Prepared client frames, and a comparison of what comes back with what was sent.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::ClientError;

/// A handshake request with the sample key of RFC 6455, section 1.3.
pub(super) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
/// The accept key that belongs to the sample key.
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const PREFIX: &[u8] = b"Server received: ";
/// Not zero: masking with zeros changes nothing, and a server could skip it.
const MASKING_KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Length of a message's name: 8 hexadecimal digits for the client, 16 for the message.
const NAME: usize = 24;

/// A frame of a fixed size. Each message gets a unique name at its beginning.
pub(super) struct Template {
    frame: Vec<u8>,
    header: usize,
    plain: Vec<u8>,
}

impl Template {
    /// Prepares messages of `size` bytes, or of a name's length if `size` is smaller.
    pub(super) fn new(size: usize) -> Self {
        let plain: Vec<u8> = (b'a'..=b'z').cycle().take(size.max(NAME)).collect();
        let frame = masked(OpCode::Data(Data::Text), &plain);
        Template { header: frame.len() - plain.len(), frame, plain }
    }

    /// Returns the length of a whole frame.
    pub(super) fn frame_len(&self) -> usize {
        self.frame.len()
    }

    /// Appends the frame of message `number` of `client`.
    pub(super) fn append(&self, out: &mut Vec<u8>, client: usize, number: u64) {
        let at = out.len() + self.header;
        out.extend_from_slice(&self.frame);
        for (index, digit) in name(client, number).into_iter().enumerate() {
            // The name is at the payload's beginning, so digit and key have the same index.
            out[at + index] = digit ^ MASKING_KEY[index % MASKING_KEY.len()];
        }
    }

    /// Returns true if the payload is the contract's reply to that message.
    pub(super) fn is_reply(&self, payload: &[u8], client: usize, number: u64) -> bool {
        let rest =
            payload.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(&name(client, number)));
        rest == Some(&self.plain[NAME..])
    }

    /// Returns true if the bytes are that message's frame, unchanged, as `floor` returns it.
    pub(super) fn is_same(&self, frame: &[u8], client: usize, number: u64) -> bool {
        let at = self.header;
        frame.len() == self.frame.len()
            && frame[..at] == self.frame[..at]
            && frame[at + NAME..] == self.frame[at + NAME..]
            && name(client, number)
                .into_iter()
                .zip(&frame[at..])
                .enumerate()
                .all(|(index, (digit, byte))| digit ^ MASKING_KEY[index % 4] == *byte)
    }
}

fn name(client: usize, number: u64) -> [u8; NAME] {
    let mut name = [0; NAME];
    hex(client as u64, &mut name[..8]);
    hex(number, &mut name[8..]);
    name
}

fn hex(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number % 16) as usize];
        number /= 16;
    }
}

/// Returns the pong that answers a ping with this payload.
pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    masked(OpCode::Control(Control::Pong), payload)
}

fn masked(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader { opcode, mask: Some(MASKING_KEY), ..FrameHeader::default() };
    let mut frame = Vec::with_capacity(payload.len() + 14);
    header.format(payload.len() as u64, &mut frame).expect("writing to a Vec never fails");
    frame.extend(payload.iter().zip(MASKING_KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The kinds of frame that a server may send here.
pub(super) enum Kind {
    Text,
    Ping,
}

/// A frame's kind, its payload, and the bytes after it.
type First<'a> = (Kind, &'a [u8], &'a [u8]);

/// Splits the first frame off. Returns `None` while it is incomplete.
pub(super) fn first(bytes: &[u8]) -> Result<Option<First<'_>>, ClientError> {
    let mut cursor = Cursor::new(bytes);
    let parsed = FrameHeader::parse(&mut cursor).map_err(ClientError::Frame)?;
    let Some((header, length)) = parsed else { return Ok(None) };
    let rest = &bytes[usize::try_from(cursor.position()).unwrap_or(usize::MAX)..];
    let Some((payload, after)) =
        usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
    else {
        return Ok(None);
    };
    let kind = match header.opcode {
        OpCode::Data(Data::Text) if header.is_final => Kind::Text,
        OpCode::Control(Control::Ping) => Kind::Ping,
        other => return Err(ClientError::FrameKind(other.to_string())),
    };
    Ok(Some((kind, payload, after)))
}
