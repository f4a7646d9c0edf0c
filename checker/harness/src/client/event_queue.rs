//! What a client has heard and the check has not yet asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use super::Received;
use crate::evidence::Evidence;

/// So many bytes wait for the check before the client stops reading: more than any check asks for, and no more
/// than a machine can spare for a server that talks without end.
const ROOM: usize = 8 << 20;

#[derive(Default)]
struct Backlog {
    bytes: AtomicUsize,
    taken: Notify,
}

/// The end that the ear fills.
pub(super) struct EventSender {
    received: mpsc::UnboundedSender<Received>,
    backlog: Arc<Backlog>,
}

/// The end that the check empties.
pub(super) struct EventQueue {
    received: mpsc::UnboundedReceiver<Received>,
    backlog: Arc<Backlog>,
    evidence: Arc<Evidence>,
}

/// Both ends. What the check takes out is evidence; what only came is not, or it would be chance whether it is counted.
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
        // The check may be over before the connection is.
        let _ = self.received.send(received);
    }

    /// Waits until there is room.
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
    /// The next moment; `None` when there will be none.
    pub(super) async fn next(&mut self) -> Option<Received> {
        let received = self.received.recv().await?;
        self.count_taken(&received);
        Some(received)
    }

    /// The next moment, if it is there.
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
