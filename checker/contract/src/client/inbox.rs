//! What a client has heard and the check has not yet asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use super::Moment;
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
pub(super) struct Slot {
    moments: mpsc::UnboundedSender<Moment>,
    backlog: Arc<Backlog>,
}

/// The end that the check empties.
pub(super) struct Inbox {
    moments: mpsc::UnboundedReceiver<Moment>,
    backlog: Arc<Backlog>,
    evidence: Arc<Evidence>,
}

/// Both ends. What the check takes out is evidence; what only came is not, or it would be chance whether it is counted.
pub(super) fn inbox(evidence: Arc<Evidence>) -> (Slot, Inbox) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let backlog = Arc::<Backlog>::default();
    (
        Slot { moments: sender, backlog: backlog.clone() },
        Inbox { moments: receiver, backlog, evidence },
    )
}

impl Slot {
    pub(super) fn put(&self, moment: Moment) {
        self.backlog.bytes.fetch_add(moment.size(), Ordering::Relaxed);
        // The check may be over before the connection is.
        let _ = self.moments.send(moment);
    }

    /// Waits until there is room.
    pub(super) async fn room(&self) {
        while self.backlog.bytes.load(Ordering::Relaxed) > ROOM {
            tokio::select! {
                () = self.backlog.taken.notified() => {}
                () = self.moments.closed() => return,
            }
        }
    }
}

impl Inbox {
    /// The next moment; `None` when there will be none.
    pub(super) async fn next(&mut self) -> Option<Moment> {
        let moment = self.moments.recv().await?;
        self.taken(&moment);
        Some(moment)
    }

    /// The next moment, if it is there.
    pub(super) fn try_next(&mut self) -> Option<Moment> {
        let moment = self.moments.try_recv().ok()?;
        self.taken(&moment);
        Some(moment)
    }

    fn taken(&self, moment: &Moment) {
        self.evidence.add(&moment.heard);
        let before = self.backlog.bytes.fetch_sub(moment.size(), Ordering::Relaxed);
        if before > ROOM {
            self.backlog.taken.notify_one();
        }
    }
}
