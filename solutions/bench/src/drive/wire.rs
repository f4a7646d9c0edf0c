//! Client frames made beforehand, and replies told apart by who sent what.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// RFC 6455's sample (section 1.3), and the answer it must get.
pub(super) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const PREFIX: &[u8] = b"Server received: ";
/// Any key but zeros, which some servers might take for no mask.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// The number of the client in 8 hexadecimal digits, that of its message in 16.
const NAME: usize = 24;

/// Messages of one size, of which each has a name that no other has.
pub(super) struct Template {
    frame: Vec<u8>,
    header: usize,
    plain: Vec<u8>,
}

impl Template {
    /// For messages of `size` bytes, but at least those of a name.
    pub(super) fn new(size: usize) -> Self {
        let plain: Vec<u8> = (b'a'..=b'z').cycle().take(size.max(NAME)).collect();
        let frame = masked(OpCode::Data(Data::Text), &plain);
        Template { header: frame.len() - plain.len(), frame, plain }
    }

    /// The length of a frame.
    pub(super) fn frame_len(&self) -> usize {
        self.frame.len()
    }

    pub(super) fn append(&self, out: &mut Vec<u8>, client: usize, number: u64) {
        let at = out.len() + self.header;
        out.extend_from_slice(&self.frame);
        for (index, digit) in name(client, number).into_iter().enumerate() {
            // The payload begins with the name, and so does the key.
            out[at + index] = digit ^ KEY[index % KEY.len()];
        }
    }

    /// Whether this is the server's answer to that message.
    pub(super) fn is_answer(&self, payload: &[u8], client: usize, number: u64) -> bool {
        let rest =
            payload.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix(&name(client, number)));
        rest == Some(&self.plain[NAME..])
    }

    /// Whether this is that very frame, as the floor sends it back.
    pub(super) fn is_same(&self, frame: &[u8], client: usize, number: u64) -> bool {
        let at = self.header;
        frame.len() == self.frame.len()
            && frame[..at] == self.frame[..at]
            && frame[at + NAME..] == self.frame[at + NAME..]
            && name(client, number)
                .into_iter()
                .zip(&frame[at..])
                .enumerate()
                .all(|(index, (digit, byte))| digit ^ KEY[index % KEY.len()] == *byte)
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

/// The pong that a ping asks for.
pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    masked(OpCode::Control(Control::Pong), payload)
}

fn masked(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader { opcode, mask: Some(KEY), ..FrameHeader::default() };
    let mut frame = Vec::with_capacity(payload.len() + 14);
    header.format(payload.len() as u64, &mut frame).expect("a Vec takes everything");
    frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// What kind of frame came.
pub(super) enum Kind {
    Text,
    Ping,
    Other(String),
}

/// A frame's kind, its payload, and what follows it.
type First<'a> = (Kind, &'a [u8], &'a [u8]);

/// The first frame, if it is there whole.
pub(super) fn first(bytes: &[u8]) -> Result<Option<First<'_>>, String> {
    let mut cursor = Cursor::new(bytes);
    let parsed =
        FrameHeader::parse(&mut cursor).map_err(|error| format!("that is no frame: {error}"))?;
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
        other => Kind::Other(format!("a frame of kind {other}")),
    };
    Ok(Some((kind, payload, after)))
}
