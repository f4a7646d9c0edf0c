//! What went over the wire, in order, for all pages and for the file that is saved.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

use crate::dissect::{Frame, Piece};

/// Of each payload so many bytes are kept.
pub const KEPT_PAYLOAD: usize = 4 * 1024;
/// Of each payload so many bytes are sent to the page unasked.
const PREVIEW: usize = 240;
/// So many events are kept, and so many bytes of payloads; then the oldest are forgotten.
const MOST_EVENTS: usize = 100_000;
const MOST_BYTES: usize = 64 << 20;
/// Whoever follows the messages may lag behind by so many.
const FOLLOWED: usize = 4_096;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What happened on a connection.
#[derive(Debug, Clone)]
pub enum What {
    /// Bytes went by.
    Piece(Piece),
    /// The answer to the upgrade, with the key that was asked with and the accept key that follows from it.
    Answer {
        /// The response's head.
        head: String,
        /// `Sec-WebSocket-Key` of the request.
        key: String,
        /// What `Sec-WebSocket-Accept` has to be.
        accept: String,
    },
    /// The sender ended its side in good order (FIN).
    Ended,
    /// The connection broke (RST).
    Reset,
    /// Nobody accepted.
    Refused(String),
    /// Somebody at the page did something to the cable.
    Cable(String),
}

/// Something that happened on a connection.
#[derive(Debug, Clone)]
pub struct Event {
    /// Position among all events, from 0.
    pub id: u64,
    /// Microseconds since the playground began, when the tap had read it.
    pub at: u64,
    /// When the tap had passed it on, in the same microseconds.
    pub delivered: Option<u64>,
    /// The client's number.
    pub client: usize,
    /// The number of the client's connection, from 1.
    pub connection: usize,
    /// Which way.
    pub way: Way,
    /// What.
    pub what: What,
}

/// A text message that has gone by, for those who time them.
#[derive(Debug, Clone)]
pub struct Said {
    /// The client.
    pub client: usize,
    /// Which way.
    pub way: Way,
    /// When: read from a client, or passed on to one.
    pub at: Instant,
    /// The frame's opcode.
    pub opcode: u8,
    /// The message, if it is short enough to be kept whole.
    pub text: Option<String>,
    /// Bytes of the frame, header and payload.
    pub bytes: u64,
}

/// Remembers what went over the wire.
pub struct Journal {
    began: Instant,
    kept: Mutex<Kept>,
    changed: watch::Sender<u64>,
    said: broadcast::Sender<Said>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Event>,
    forgotten: u64,
    bytes: usize,
    deliveries: VecDeque<(u64, u64)>,
    old_deliveries: u64,
}

/// What a page has seen of the journal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cursor {
    event: u64,
    delivery: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Journal {
            began: Instant::now(),
            kept: Mutex::default(),
            changed: watch::Sender::new(0),
            said: broadcast::Sender::new(FOLLOWED),
        }
    }
}

impl Journal {
    /// Remembers an event; returns its position.
    pub fn record(&self, client: usize, connection: usize, way: Way, what: What) -> u64 {
        if let (Way::Up, What::Piece(Piece::Frame(frame))) = (way, &what) {
            self.tell(client, way, frame);
        }
        let mut kept = self.kept.lock().expect("no panic holds it");
        let id = kept.forgotten + kept.events.len() as u64;
        kept.bytes += weight(&what);
        let at = self.micros();
        kept.events.push_back(Event { id, at, delivered: None, client, connection, way, what });
        while kept.events.len() > MOST_EVENTS || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes -= weight(&oldest.what);
            kept.forgotten += 1;
        }
        drop(kept);
        self.changed.send_modify(|version| *version += 1);
        id
    }

    /// Remembers that those of these events that are this connection's have been passed on.
    pub fn delivered(&self, client: usize, connection: usize, ids: std::ops::Range<u64>) {
        let at = self.micros();
        let mut heard = Vec::new();
        let mut kept = self.kept.lock().expect("no panic holds it");
        for id in ids {
            let Some(index) = id.checked_sub(kept.forgotten) else { continue };
            let Some(event) = kept.events.get_mut(index as usize) else { continue };
            if (event.client, event.connection) != (client, connection) {
                continue;
            }
            event.delivered = Some(at);
            if let (Way::Down, What::Piece(Piece::Frame(frame))) = (event.way, &event.what) {
                heard.push(frame.clone());
            }
            kept.deliveries.push_back((id, at));
        }
        while kept.deliveries.len() > MOST_EVENTS {
            kept.deliveries.pop_front();
            kept.old_deliveries += 1;
        }
        drop(kept);
        for frame in heard {
            self.tell(client, Way::Down, &frame);
        }
        self.changed.send_modify(|version| *version += 1);
    }

    fn tell(&self, client: usize, way: Way, frame: &Frame) {
        let whole = frame.header.opcode == 1
            && frame.header.fin
            && frame.payload.len() as u64 == frame.header.len;
        let text = if whole { String::from_utf8(frame.payload.clone()).ok() } else { None };
        let bytes = frame.header.bytes.len() as u64 + frame.header.len;
        // Nobody may be listening.
        let _ = self.said.send(Said {
            client,
            way,
            at: Instant::now(),
            opcode: frame.header.opcode,
            text,
            bytes,
        });
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The frames that go by from now on.
    pub fn follow(&self) -> broadcast::Receiver<Said> {
        self.said.subscribe()
    }

    /// Changes whenever there is something new.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Where the journal ends by now.
    pub fn end(&self) -> Cursor {
        let kept = self.kept.lock().expect("no panic holds it");
        Cursor {
            event: kept.forgotten + kept.events.len() as u64,
            delivery: kept.old_deliveries + kept.deliveries.len() as u64,
        }
    }

    /// At most `most` events that a page has not seen, the newest, as it is told of them; `None` if nothing is new.
    pub fn news(&self, cursor: &mut Cursor, most: usize) -> Option<Value> {
        let kept = self.kept.lock().expect("no panic holds it");
        let end = kept.forgotten + kept.events.len() as u64;
        let last_delivery = kept.old_deliveries + kept.deliveries.len() as u64;
        if cursor.event == end && cursor.delivery == last_delivery {
            return None;
        }
        let from = cursor.event.max(kept.forgotten).max(end.saturating_sub(most as u64));
        let skipped = from - cursor.event;
        let start = (from - kept.forgotten) as usize;
        let events: Vec<Value> =
            kept.events.iter().skip(start).map(|event| told(event, PREVIEW)).collect();
        let first = cursor.delivery.max(kept.old_deliveries);
        let deliveries = kept.deliveries.iter().skip((first - kept.old_deliveries) as usize);
        let delivered: Vec<(u64, u64)> = deliveries.filter(|(id, _)| *id < from).copied().collect();
        *cursor = Cursor { event: end, delivery: last_delivery };
        Some(
            json!({ "type": "wire", "events": events, "delivered": delivered, "skipped": skipped }),
        )
    }

    /// One event with all of its payload that is kept.
    pub fn event(&self, id: u64) -> Option<Value> {
        let kept = self.kept.lock().expect("no panic holds it");
        let event = kept.events.get(usize::try_from(id.checked_sub(kept.forgotten)?).ok()?)?;
        Some(told(event, KEPT_PAYLOAD))
    }

    /// All that is kept, as it is saved.
    pub fn saved(&self) -> Value {
        let (events, forgotten) = {
            let kept = self.kept.lock().expect("no panic holds it");
            (kept.events.clone(), kept.forgotten)
        };
        let events: Vec<Value> = events.iter().map(|event| told(event, KEPT_PAYLOAD)).collect();
        json!({
            "unit_of_time": "microseconds since the playground began",
            "kept_of_each_payload": KEPT_PAYLOAD,
            "forgotten": forgotten,
            "events": events,
        })
    }
}

fn weight(what: &What) -> usize {
    match what {
        What::Piece(Piece::Frame(frame)) => frame.payload.len(),
        What::Piece(Piece::Head(text) | Piece::Body(text)) | What::Answer { head: text, .. } => {
            text.len()
        }
        _ => 0,
    }
}

/// An event as the page and the saved file have it.
fn told(event: &Event, most: usize) -> Value {
    let mut value = json!({
        "id": event.id,
        "at": event.at,
        "delivered": event.delivered,
        "client": event.client,
        "connection": event.connection,
        "way": if event.way == Way::Up { "up" } else { "down" },
    });
    let more = match &event.what {
        What::Piece(Piece::Head(head)) => json!({ "kind": "request", "text": head }),
        What::Answer { head, key, accept } => {
            json!({ "kind": "response", "text": head, "key": key, "accept": accept })
        }
        What::Piece(Piece::Body(body)) => json!({ "kind": "body", "text": body }),
        What::Piece(Piece::Garbage(bytes, why)) => {
            json!({ "kind": "garbage", "hex": hex(bytes), "why": why })
        }
        What::Piece(Piece::Frame(frame)) => told_frame(frame, most),
        What::Ended => json!({ "kind": "end", "text": "TCP connection ended (FIN)" }),
        What::Reset => json!({ "kind": "end", "text": "TCP connection reset (RST)" }),
        What::Refused(why) => {
            json!({ "kind": "end", "text": format!("no connection to the server: {why}") })
        }
        What::Cable(what) => json!({ "kind": "cable", "text": what }),
    };
    if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
        value.extend(more);
    }
    value
}

fn told_frame(frame: &Frame, most: usize) -> Value {
    let header = &frame.header;
    let shown = &frame.payload[..frame.payload.len().min(most)];
    let mut value = json!({
        "kind": header.kind(),
        "fin": header.fin,
        "rsv": header.rsv,
        "opcode": header.opcode,
        "mask": header.mask.map(|mask| hex(&mask)),
        "len": header.len,
        "header": hex(&header.bytes),
        "hex": hex(shown),
        "whole": shown.len() as u64 == header.len,
    });
    let said = match header.opcode {
        0x8 if shown.len() >= 2 => {
            value["code"] = u16::from_be_bytes([shown[0], shown[1]]).into();
            Some(&shown[2..])
        }
        0x0 | 0x1 => Some(shown),
        _ => None,
    };
    if let Some(said) = said {
        value["text"] = String::from_utf8_lossy(said).into();
    }
    value
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
