//! The transcript of a conversation: one numbered line per event. The offending one is marked, and
//! runs of events of the same kind are folded.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::frame::{Frame, opcode_name};
use super::recorder::{Direction, Event, EventKind};

/// The most characters shown of a payload.
const SHOWN: usize = 40;
/// The most lines shown of a conversation.
const LINES: usize = 16;
/// The number of first lines that are shown: request, response and welcome.
const FIRST_LINES: usize = 3;
/// The shortest run of similar lines that is folded.
const LONGEST_RUN: usize = 4;

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
    /// The number of events left out before this one.
    pub folded: usize,
    /// The events left out before this one look like the line above them.
    pub alike: bool,
}

impl TranscriptLine {
    fn looks_like(&self, other: &TranscriptLine) -> bool {
        self.direction == other.direction && self.kind == other.kind && self.fin == other.fin
    }
}

/// Renders the conversation of these clients, or of all if the list is empty.
///
/// `asked` is a message of a client. The failure is about its reply, so its frame is shown.
pub fn lines(
    events: &[Event],
    clients: &[usize],
    mark: Option<Highlight>,
    asked: Option<&str>,
) -> Vec<TranscriptLine> {
    let mut shown: Vec<&Event> = events
        .iter()
        .filter(|event| clients.is_empty() || clients.contains(&event.connection))
        .collect();
    let marked = mark.and_then(|mark| position(&shown, mark));
    // Later events are cut. They have nothing to do with the failure, and depend on timing.
    shown.truncate(marked.map_or(shown.len(), |marked| marked + 1));
    let start = shown.first().map(|event| event.at).unwrap_or_default();
    let mut next_ordinals = BTreeMap::new();
    let mut dropped = 0;
    let line = |(i, event): (usize, &&Event)| {
        let next = next_ordinals.entry(event.connection).or_insert(0);
        dropped += event.ordinal.saturating_sub(*next);
        *next = event.ordinal + 1;
        let (kind, fin, length, text) = describe(event);
        TranscriptLine {
            n: i + 1 + dropped,
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
            folded: 0,
            alike: false,
        }
    };
    let mut lines: Vec<TranscriptLine> = shown.iter().enumerate().map(line).collect();
    if let (Some(Highlight::Last { connection }), Some(marked)) = (mark, marked)
        && !is_end(&shown[marked].what)
    {
        // The last event is not wrong. The missing one should have followed it.
        lines[marked].marked = false;
        lines.push(nothing_more(connection, &lines[marked]));
    }
    let asked = asked.and_then(|asked| {
        shown.iter().position(|event| {
            event.direction == Direction::ToServer
                && matches!(&event.what, EventKind::Frame(frame) if begins(frame, asked))
        })
    });
    fold(lines, asked)
}

/// The connection can't continue after this event, or the event itself is the failure.
fn is_end(what: &EventKind) -> bool {
    matches!(
        what,
        EventKind::Ended
            | EventKind::Reset
            | EventKind::Garbage(..)
            | EventKind::Body(_)
            | EventKind::Unfinished { .. }
    )
}

/// The frame begins with this text, as far as its payload was kept.
fn begins(frame: &Frame, text: &str) -> bool {
    frame.len == text.len() as u64 && text.as_bytes().starts_with(&frame.payload)
}

fn nothing_more(client: usize, after: &TranscriptLine) -> TranscriptLine {
    TranscriptLine {
        n: after.n + 1,
        millis: after.millis,
        client,
        direction: "to-client",
        kind: "nothing",
        fin: None,
        length: None,
        text: "the awaited event did not come".to_string(),
        marked: true,
        folded: 0,
        alike: false,
    }
}

/// Keeps the beginning, the marked lines, the `asked` one, and the ends of runs of similar lines.
fn fold(lines: Vec<TranscriptLine>, asked: Option<usize>) -> Vec<TranscriptLine> {
    let is_kept = |i: usize| i < FIRST_LINES || asked == Some(i) || lines[i].marked;
    let mut kept: Vec<usize> = Vec::new();
    for i in 0..lines.len() {
        let run = lines[..=i].iter().rev().take_while(|line| line.looks_like(&lines[i])).count();
        let left = lines[i..].iter().take_while(|line| line.looks_like(&lines[i])).count();
        let in_long_run = run + left > LONGEST_RUN + 1;
        if is_kept(i) || !in_long_run || run == 1 || left <= 2 {
            kept.push(i);
        }
    }
    // The lines before the mark are at the end, because later events are cut.
    let from = kept.len().saturating_sub(LINES - FIRST_LINES);
    kept = kept
        .into_iter()
        .enumerate()
        .filter(|(n, i)| is_kept(*i) || *n >= from)
        .map(|(_, i)| i)
        .collect();
    let mut shown: Vec<TranscriptLine> = Vec::new();
    let mut next = 0;
    for i in kept {
        let mut line = lines[i].clone();
        let before = i.checked_sub(1).map_or(0, |before| lines[before].n);
        // Events that the recorder did not keep are left out as well.
        let dropped = line.n.saturating_sub(before + 1);
        line.folded = i - next + dropped;
        // Messages and their replies alternate, so the last two lines are compared.
        let above = &lines[next.saturating_sub(2)..next];
        line.alike = lines[next..i]
            .iter()
            .all(|left_out| above.iter().any(|shown| shown.looks_like(left_out)));
        shown.push(line);
        next = i + 1;
    }
    shown
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
        EventKind::Unfinished { opcode, len, arrived } => (
            "unfinished",
            None,
            Some(*arrived),
            format!("a {} frame of {len} bytes, of which {arrived} came", opcode_name(*opcode)),
        ),
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
pub fn hex(bytes: &[u8], most: usize) -> String {
    let mut shown: Vec<String> =
        bytes.iter().take(most).map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > most {
        shown.push("…".to_string());
    }
    shown.join(" ")
}
