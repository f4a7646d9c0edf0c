//! The transcript of a conversation: one numbered line per event, with the offending one marked.

use serde::Serialize;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::frame::{Frame, opcode_name};
use super::recorder::{Direction, Event, EventKind};

/// The most characters shown of a payload.
const SHOWN: usize = 40;
/// The most lines shown of a conversation.
const LINES: usize = 26;

/// The event that a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Highlight {
    /// The n-th frame (from 0) that the server sent on this connection.
    Received {
        /// The connection's number.
        connection: usize,
        /// The frame's number.
        frame: usize,
    },
    /// The response to the upgrade request.
    Response {
        /// The connection's number.
        connection: usize,
    },
    /// The last event on this connection: the missing one should have followed it.
    Last {
        /// The connection's number.
        connection: usize,
    },
}

/// One event of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TranscriptLine {
    /// The number of the event, from 1.
    pub n: usize,
    /// Milliseconds since the check's first connection.
    pub millis: f64,
    /// The client's number, from 1.
    pub client: usize,
    /// `to-server` or `to-client`.
    pub direction: &'static str,
    /// `text`, `ping`, … for a frame; `request`, `response`, `end`, … for another event.
    pub kind: &'static str,
    /// The frame ends its message; `null` for another event.
    pub fin: Option<bool>,
    /// The length of the payload in bytes; `null` for another event.
    pub length: Option<u64>,
    /// The payload or a description, shortened.
    pub text: String,
    /// This is the event that the failure is about.
    pub marked: bool,
}

/// Renders the conversation of these clients, or of all if the list is empty.
pub fn lines(events: &[Event], clients: &[usize], mark: Option<Highlight>) -> Vec<TranscriptLine> {
    let mut shown: Vec<&Event> = events
        .iter()
        .filter(|event| clients.is_empty() || clients.contains(&event.connection))
        .collect();
    let marked = mark.and_then(|mark| position(&shown, mark));
    // Later events are cut. They have nothing to do with the failure, and depend on timing.
    shown.truncate(marked.map_or(shown.len(), |marked| marked + 1));
    let start = shown.first().map(|event| event.at).unwrap_or_default();
    let line = |(i, event): (usize, &&Event)| {
        let (kind, fin, length, text) = describe(event);
        TranscriptLine {
            n: i + 1,
            millis: (event.at.saturating_sub(start).as_secs_f64() * 10_000.0).round() / 10.0,
            client: event.connection,
            direction: match event.direction {
                Direction::ToServer => "to-server",
                Direction::ToClient => "to-client",
            },
            kind,
            fin,
            length,
            text,
            marked: marked == Some(i),
        }
    };
    let lines = shown.iter().enumerate().map(line);
    abridge(lines.collect(), marked)
}

/// Keeps the beginning and the lines around the mark, or the end if there is no mark.
fn abridge(lines: Vec<TranscriptLine>, marked: Option<usize>) -> Vec<TranscriptLine> {
    if lines.len() <= LINES {
        return lines;
    }
    let focus = marked.unwrap_or(lines.len() - 1);
    let head = LINES / 4;
    let tail_start = (focus + 4).max(LINES).min(lines.len()) - (LINES - head);
    lines
        .into_iter()
        .enumerate()
        .filter(|(i, _)| *i < head || (tail_start..tail_start + LINES - head).contains(i))
        .map(|(_, line)| line)
        .collect()
}

fn position(shown: &[&Event], mark: Highlight) -> Option<usize> {
    match mark {
        Highlight::Received { connection, frame } => {
            // The recorder drops events in the middle, so its own count is compared.
            shown
                .iter()
                .position(|event| event.connection == connection && event.received == Some(frame))
        }
        Highlight::Response { connection } => shown.iter().position(|event| {
            event.connection == connection
                && event.direction == Direction::ToClient
                && matches!(event.what, EventKind::Head(_))
        }),
        Highlight::Last { connection } => {
            shown.iter().rposition(|event| event.connection == connection)
        }
    }
}

fn describe(event: &Event) -> (&'static str, Option<bool>, Option<u64>, String) {
    let plain = |kind, text: &str| (kind, None, None, text.to_string());
    match &event.what {
        EventKind::Head(head) => {
            let first = head.lines().next().unwrap_or_default();
            plain(if first.starts_with("HTTP/") { "response" } else { "request" }, &shorten(first))
        }
        EventKind::Body(body) => plain("body", &quoted(body)),
        EventKind::Frame(frame) => {
            (opcode_name(frame.opcode), Some(frame.fin), Some(frame.len), payload(frame))
        }
        EventKind::Garbage(bytes, why) => plain("bytes", &format!("{} ({why})", hex(bytes, 8))),
        EventKind::Ended => plain("end", "TCP connection ended (FIN)"),
        EventKind::Reset => plain("end", "TCP connection reset (RST)"),
        EventKind::StoppedReading => plain("stall", "the client stops reading"),
        EventKind::ResumedReading => plain("reads on", "the client reads again"),
    }
}

fn payload(frame: &Frame) -> String {
    if let OpCode::Control(super::frame::Control::Close) = frame.opcode {
        return match frame.close_code() {
            Some(code) => {
                let reason = String::from_utf8_lossy(&frame.payload[2..]);
                if reason.is_empty() {
                    code.to_string()
                } else {
                    format!("{code} {}", quoted(&reason))
                }
            }
            None => "no code".to_string(),
        };
    }
    if frame.payload.is_empty() {
        return if frame.opcode == OpCode::Data(Data::Text) {
            "\"\"".to_string()
        } else {
            String::new()
        };
    }
    // The recorder keeps the beginning only, which may end within a character. So may a fragment.
    let cut_short = !frame.fin || frame.len > frame.payload.len() as u64;
    match std::str::from_utf8(&frame.payload) {
        Ok(text) => quoted(text),
        Err(error) if cut_short && error.error_len().is_none() => {
            quoted(&String::from_utf8_lossy(&frame.payload[..error.valid_up_to()]))
        }
        Err(_) => hex(&frame.payload, 14),
    }
}

/// Quotes a text on one line. Escapes invisible characters and cuts the middle of a long text.
pub fn quoted(text: &str) -> String {
    shorten(&format!("{text:?}"))
}

fn shorten(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= SHOWN {
        return text.to_string();
    }
    let (head, tail) = (SHOWN - 14, 13);
    let start: String = chars[..head].iter().collect();
    let end: String = chars[chars.len() - tail..].iter().collect();
    format!("{start}…{end}")
}

/// Renders at most `most` bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8], most: usize) -> String {
    let mut shown: Vec<String> =
        bytes.iter().take(most).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > most {
        shown.push("…".to_string());
    }
    shown.join(" ")
}
