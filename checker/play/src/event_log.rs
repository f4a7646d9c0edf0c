//! The events of all connections in order, for the pages and for the saved file.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;
use std::time::Instant;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::dissect::{Frame, Piece};
use baseline::transports::proxy::{Direction, End};
use harness::sync::lock;

/// The bytes of each payload that are kept.
pub const KEPT_PAYLOAD: usize = 4 * 1024;
/// The bytes of each payload that a page is sent without asking for the event.
const PREVIEW: usize = 240;
/// The most events that are kept, and the most bytes of their payloads. The oldest are dropped.
const MOST_EVENTS: usize = 100_000;
const MOST_BYTES: usize = 64 << 20;
/// Frames by which a follower may lag behind.
const FOLLOWER_LAG: usize = 4_096;

/// The kind of an event.
#[derive(Debug, Clone)]
pub enum EventKind {
    /// Bytes were sent.
    Piece(Piece),
    /// The response to the upgrade request.
    Response {
        /// The response's head.
        head: String,
        /// `Sec-WebSocket-Key` of the request.
        key: String,
        /// The `Sec-WebSocket-Accept` that follows from the key.
        accept: String,
    },
    /// The sender ended its side.
    End(End),
    /// The server has closed its socket, and its last bytes are not read yet.
    ServerClosed,
    /// The server accepted no connection.
    Refused(String),
    /// The client's link was changed on the page.
    Link(String),
}

/// An event on a connection.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its position among all events, from 0.
    pub id: u64,
    /// Microseconds from the start of the log until the bytes were read.
    pub at: u64,
    /// Microseconds from the start of the log until the bytes were delivered.
    pub delivered: Option<u64>,
    /// The client's number.
    pub client: usize,
    /// The number of the connection among those of all clients, from 1.
    pub connection: usize,
    /// The direction.
    pub direction: Direction,
    /// What happened.
    pub kind: EventKind,
}

/// A frame that was read from a client or delivered to one.
#[derive(Debug, Clone)]
pub struct FrameEvent {
    /// The client.
    pub client: usize,
    /// The direction.
    pub direction: Direction,
    /// When it was read from a client, or delivered to one.
    pub at: Instant,
    /// The frame's opcode.
    pub opcode: u8,
    /// The text, if it is a complete message that is kept whole.
    pub text: Option<String>,
    /// The bytes of the frame, header and payload.
    pub bytes: u64,
}

/// Records the events of all connections.
pub struct EventLog {
    began: Instant,
    kept: Mutex<Kept>,
    frames: broadcast::Sender<FrameEvent>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Event>,
    /// The number of events that were dropped.
    dropped: u64,
    bytes: usize,
    /// The ids of delivered events, and when they were delivered.
    deliveries: VecDeque<(u64, u64)>,
    dropped_deliveries: u64,
}

impl Kept {
    fn end(&self) -> Cursor {
        Cursor {
            event: self.dropped + self.events.len() as u64,
            delivery: self.dropped_deliveries + self.deliveries.len() as u64,
        }
    }

    fn index(&self, id: u64) -> Option<usize> {
        usize::try_from(id.checked_sub(self.dropped)?).ok()
    }
}

/// The part of the log that a page has received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    event: u64,
    delivery: u64,
}

impl Default for EventLog {
    fn default() -> Self {
        EventLog {
            began: Instant::now(),
            kept: Mutex::default(),
            frames: broadcast::Sender::new(FOLLOWER_LAG),
        }
    }
}

impl EventLog {
    /// Records an event and returns its id.
    pub fn record(
        &self,
        client: usize,
        connection: usize,
        direction: Direction,
        kind: EventKind,
    ) -> u64 {
        if let (Direction::Up, EventKind::Piece(Piece::Frame(frame))) = (direction, &kind) {
            self.publish(client, direction, frame);
        }
        let mut kept = lock(&self.kept);
        let id = kept.end().event;
        kept.bytes += weight(&kind);
        let at = self.micros();
        kept.events.push_back(Event {
            id,
            at,
            delivered: None,
            client,
            connection,
            direction,
            kind,
        });
        while kept.events.len() > MOST_EVENTS || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes -= weight(&oldest.kind);
            kept.dropped += 1;
        }
        id
    }

    /// Records the delivery of this connection's events among these ids.
    pub fn mark_delivered(&self, client: usize, connection: usize, ids: Range<u64>) {
        let at = self.micros();
        let mut frames = Vec::new();
        let mut kept = lock(&self.kept);
        for id in ids {
            let Some(index) = kept.index(id) else { continue };
            let Some(event) = kept.events.get_mut(index) else { continue };
            if (event.client, event.connection) != (client, connection) {
                continue;
            }
            event.delivered = Some(at);
            if let (Direction::Down, EventKind::Piece(Piece::Frame(frame))) =
                (event.direction, &event.kind)
            {
                frames.push(frame.clone());
            }
            kept.deliveries.push_back((id, at));
        }
        while kept.deliveries.len() > MOST_EVENTS {
            kept.deliveries.pop_front();
            kept.dropped_deliveries += 1;
        }
        drop(kept);
        for frame in frames {
            self.publish(client, Direction::Down, &frame);
        }
    }

    fn publish(&self, client: usize, direction: Direction, frame: &Frame) {
        let header = &frame.header;
        let is_text = header.opcode == 1 && header.fin;
        let is_whole = frame.payload.len() as u64 == header.len;
        let text = (is_text && is_whole).then(|| String::from_utf8(frame.payload.clone()).ok());
        // An error means that there is no follower.
        let _ = self.frames.send(FrameEvent {
            client,
            direction,
            at: Instant::now(),
            opcode: header.opcode,
            text: text.flatten(),
            bytes: header.bytes.len() as u64 + header.len,
        });
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Subscribes to the frames from now on.
    pub fn follow(&self) -> broadcast::Receiver<FrameEvent> {
        self.frames.subscribe()
    }

    /// Returns the end of the log.
    pub fn end(&self) -> Cursor {
        lock(&self.kept).end()
    }

    /// Returns the newest events and deliveries after the cursor, at most `most` events, and moves
    /// the cursor to the end. Returns `None` if there are none.
    pub fn news(&self, cursor: &mut Cursor, most: usize) -> Option<Value> {
        let kept = lock(&self.kept);
        let end = kept.end();
        if *cursor == end {
            return None;
        }
        let from = cursor.event.max(kept.dropped).max(end.event.saturating_sub(most as u64));
        let skipped = from - cursor.event;
        let events = kept.events.iter().skip(kept.index(from).unwrap_or_default());
        let events: Vec<Value> = events.map(|event| event_json(event, PREVIEW)).collect();
        let first = cursor.delivery.max(kept.dropped_deliveries) - kept.dropped_deliveries;
        let deliveries = kept.deliveries.iter().skip(first as usize);
        let delivered: Vec<(u64, u64)> = deliveries.filter(|(id, _)| *id < from).copied().collect();
        *cursor = end;
        Some(json!({
            "type": "wire",
            "events": events,
            "delivered": delivered,
            "skipped": skipped,
        }))
    }

    /// Returns an event with all of its payload that is kept.
    pub fn event(&self, id: u64) -> Option<Value> {
        let kept = lock(&self.kept);
        Some(event_json(kept.events.get(kept.index(id)?)?, KEPT_PAYLOAD))
    }

    /// Returns all events that are kept, for the saved file.
    pub fn to_json(&self) -> Value {
        let (events, dropped) = {
            let kept = lock(&self.kept);
            (kept.events.clone(), kept.dropped)
        };
        let events: Vec<Value> =
            events.iter().map(|event| event_json(event, KEPT_PAYLOAD)).collect();
        json!({
            "unit_of_time": "microseconds since the playground began",
            "kept_of_each_payload": KEPT_PAYLOAD,
            "forgotten": dropped,
            "events": events,
        })
    }
}

/// Returns the bytes that an event counts for.
fn weight(kind: &EventKind) -> usize {
    match kind {
        EventKind::Piece(Piece::Frame(frame)) => frame.payload.len(),
        EventKind::Piece(Piece::Head(text) | Piece::Body(text))
        | EventKind::Response { head: text, .. } => text.len(),
        _ => 0,
    }
}

/// Renders an event for the page and the saved file, with this many bytes of its payload.
fn event_json(event: &Event, most: usize) -> Value {
    let mut value = json!({
        "id": event.id,
        "at": event.at,
        "delivered": event.delivered,
        "client": event.client,
        "connection": event.connection,
        "way": if event.direction == Direction::Up { "up" } else { "down" },
    });
    let more = match &event.kind {
        EventKind::Piece(Piece::Head(head)) => json!({ "kind": "request", "text": head }),
        EventKind::Response { head, key, accept } => {
            json!({ "kind": "response", "text": head, "key": key, "accept": accept })
        }
        EventKind::Piece(Piece::Body(body)) => json!({ "kind": "body", "text": body }),
        EventKind::Piece(Piece::Garbage(bytes, reason)) => {
            json!({ "kind": "garbage", "hex": HEXLOWER.encode(bytes), "why": reason })
        }
        EventKind::Piece(Piece::Frame(frame)) => frame_json(frame, most),
        EventKind::End(End::Closed) => {
            json!({ "kind": "end", "text": "TCP connection ended (FIN)" })
        }
        EventKind::End(End::Reset) => {
            json!({ "kind": "end", "text": "TCP connection reset (RST)" })
        }
        EventKind::ServerClosed => {
            json!({ "kind": "end", "text": "the server has closed its socket; bytes are unread" })
        }
        EventKind::Refused(reason) => {
            json!({ "kind": "end", "text": format!("no connection to the server: {reason}") })
        }
        EventKind::Link(change) => json!({ "kind": "cable", "text": change }),
    };
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

fn frame_json(frame: &Frame, most: usize) -> Value {
    let header = &frame.header;
    let shown = &frame.payload[..frame.payload.len().min(most)];
    let mut value = json!({
        "kind": header.kind(),
        "fin": header.fin,
        "rsv": header.rsv,
        "opcode": header.opcode,
        "mask": header.mask.map(|mask| HEXLOWER.encode(&mask)),
        "len": header.len,
        "header": HEXLOWER.encode(&header.bytes),
        "hex": HEXLOWER.encode(shown),
        "whole": shown.len() as u64 == header.len,
    });
    let text = match header.opcode {
        0x8 if shown.len() >= 2 => {
            value["code"] = u16::from_be_bytes([shown[0], shown[1]]).into();
            Some(&shown[2..])
        }
        0x0 | 0x1 => Some(shown),
        _ => None,
    };
    if let Some(text) = text {
        value["text"] = String::from_utf8_lossy(text).into();
    }
    value
}
