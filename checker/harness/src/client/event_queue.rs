//! The queue of events between the read task and the check.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use super::Received;
use crate::evidence::Evidence;

/// The client stops reading when this many bytes are queued. No check needs as many, and the memory
/// for a server that sends without end stays bounded.
const ROOM: usize = 8 << 20;

#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    taken: Notify,
}

/// The sending half, held by the read task.
pub(super) struct EventSender {
    received: mpsc::UnboundedSender<Received>,
    backlog: Arc<Backlog>,
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
        EventSender { received: sender, backlog: backlog.clone() },
        EventQueue { received: receiver, backlog, evidence },
    )
}

impl EventSender {
    pub(super) fn send(&self, received: Received) {
        self.backlog.bytes.fetch_add(received.size(), Ordering::Relaxed);
        // Fails if the check has ended before the connection.
        let _ = self.received.send(received);
    }

    /// Waits until the queue has room.
    pub(super) async fn wait_for_room(&self) {
        while self.backlog.bytes.load(Ordering::Relaxed) > ROOM {
            tokio::select! {
                () = self.backlog.taken.notified() => {}
                () = self.received.closed() => return,
            }
        }
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
