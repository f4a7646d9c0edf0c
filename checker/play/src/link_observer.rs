//! Records the frames of one connection in the event log.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use baseline::transports::proxy::{Direction, End, Observer};
use harness::sync::lock;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::dissect::{Dissector, Piece};
use crate::event_log::{EventKind, EventLog, KEPT_PAYLOAD};

/// Observes one connection of a client.
pub struct LinkObserver {
    client: usize,
    connection: usize,
    log: Arc<EventLog>,
    upload: Mutex<Dissector>,
    download: Mutex<Dissector>,
    key: Mutex<String>,
    server_ended: Arc<AtomicBool>,
}

impl LinkObserver {
    /// Makes the observer of a client's connection; both numbers begin at 1. It sets `server_ended`
    /// when the server's FIN or RST is read.
    pub fn new(
        client: usize,
        connection: usize,
        log: Arc<EventLog>,
        server_ended: Arc<AtomicBool>,
    ) -> Self {
        LinkObserver {
            client,
            connection,
            log,
            upload: Mutex::new(Dissector::new(KEPT_PAYLOAD)),
            download: Mutex::new(Dissector::new(KEPT_PAYLOAD)),
            key: Mutex::default(),
            server_ended,
        }
    }

    fn record(&self, direction: Direction, kind: EventKind) -> u64 {
        self.log.record(self.client, self.connection, direction, kind)
    }

    /// Remembers the key of an upgrade request, and adds the accept key to its response.
    fn event_kind(&self, direction: Direction, piece: Piece) -> EventKind {
        let Piece::Head(head) = piece else { return EventKind::Piece(piece) };
        let mut key = lock(&self.key);
        if direction == Direction::Up {
            let sent = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_string())
            });
            *key = sent.unwrap_or_default();
            return EventKind::Piece(Piece::Head(head));
        }
        let accept = derive_accept_key(key.as_bytes());
        EventKind::Response { head, key: key.clone(), accept }
    }
}

impl Observer for LinkObserver {
    /// The ids of events. Events of other connections may lie between them.
    type Mark = Range<u64>;

    fn read(&self, direction: Direction, bytes: &[u8]) -> Range<u64> {
        let dissector = if direction == Direction::Up { &self.upload } else { &self.download };
        let mut ids = 0..0;
        lock(dissector).feed(bytes, |piece| {
            let id = self.record(direction, self.event_kind(direction, piece));
            ids = if ids.is_empty() { id..id + 1 } else { ids.start..id + 1 };
        });
        ids
    }

    fn ended(&self, direction: Direction, end: End) -> Range<u64> {
        if direction == Direction::Down {
            self.server_ended.store(true, Ordering::Relaxed);
        }
        let id = self.record(direction, EventKind::End(end));
        id..id + 1
    }

    fn delivered(&self, ids: Range<u64>) {
        self.log.mark_delivered(self.client, self.connection, ids);
    }
}
