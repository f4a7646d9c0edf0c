//! The queue of events between the read task and the check.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use super::Received;
use crate::evidence::Evidence;

/// The client stops reading when this many bytes are queued. No check needs as many, and the memory
/// for a server that sends without end stays bounded.
const ROOM: usize = 8 << 20;
/// A client that the check has dropped stops reading after this many events. It may stay connected,
/// so the limit is three times what the longest check sends to one client.
const MOST_EVENTS: usize = 100_000;

#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    taken: Notify,
}

/// The sending half, held by the read task.
pub(super) struct EventSender {
    received: mpsc::UnboundedSender<Received>,
    backlog: Arc<Backlog>,
    events: usize,
}

/// The receiving half, held by the check.
pub(super) struct EventQueue {
    received: mpsc::UnboundedReceiver<Received>,
    backlog: Arc<Backlog>,
    evidence: Arc<Evidence>,
}

/// Makes a queue. Events count as evidence when the check takes them out. Counting them on arrival
/// would make the evidence depend on timing.
pub(super) fn events(evidence: Arc<Evidence>) -> (EventSender, EventQueue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let backlog = Arc::<Backlog>::default();
    (
        EventSender { received: sender, backlog: backlog.clone(), events: 0 },
        EventQueue { received: receiver, backlog, evidence },
    )
}

impl EventSender {
    pub(super) fn send(&mut self, received: Received) {
        self.events += 1;
        self.backlog.bytes.fetch_add(received.size(), Ordering::Relaxed);
        // Fails if the check has ended before the connection.
        let _ = self.received.send(received);
    }

    /// Waits until the queue has room. Returns `false` if the check has dropped the client and the
    /// server still sends more than any check needs.
    pub(super) async fn wait_for_room(&self) -> bool {
        while self.backlog.bytes.load(Ordering::Relaxed) > ROOM {
            tokio::select! {
                () = self.backlog.taken.notified() => {}
                () = self.received.closed() => break,
            }
        }
        !self.received.is_closed() || self.events <= MOST_EVENTS
    }
}

impl EventQueue {
    /// Waits for the next event; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Received> {
        let received = self.received.recv().await?;
        self.count_taken(&received);
        Some(received)
    }

    /// Takes the next event, if there is one.
    pub(super) fn try_next(&mut self) -> Option<Received> {
        let received = self.received.try_recv().ok()?;
        self.count_taken(&received);
        Some(received)
    }

    fn count_taken(&self, received: &Received) {
        self.evidence.add(&received.event);
        let before = self.backlog.bytes.fetch_sub(received.size(), Ordering::Relaxed);
        if before > ROOM {
            self.backlog.taken.notify_one();
        }
    }
}
