//! What is on its way to one client: a queue, emptied by a writer task that never waits for anything else.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Bytes;

/// As much as one write carries.
const BATCH: usize = 128 * 1024;

#[derive(Default)]
struct State {
    queue: VecDeque<Bytes>,
    bytes: usize,
    in_flight: usize,
    last: bool,
    silent: bool,
    /// When a write last went through.
    written: Option<Instant>,
}

/// The queue of frames to one client.
#[derive(Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    filled: Notify,
    emptied: Notify,
    disguise: Option<Disguise>,
}

/// For twists: another form of a frame.
pub(crate) type Disguise = fn(&Bytes) -> Bytes;

impl Outbox {
    pub(crate) fn new(disguise: Option<Disguise>) -> Self {
        Self { disguise, ..Self::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a frame, and never waits.
    pub(crate) fn push(&self, frame: Bytes) {
        let frame = if let Some(disguise) = self.disguise { disguise(&frame) } else { frame };
        let mut state = self.state();
        if !state.last && !state.silent {
            state.bytes += frame.len();
            state.queue.push_back(frame);
            self.filled.notify_one();
        }
    }

    /// Queues the last frame: whatever is pushed afterwards is ignored.
    pub(crate) fn push_last(&self, frame: Bytes) {
        self.push(frame);
        self.end();
    }

    /// For twists: queues a frame after which nothing is sent, with the connection left open.
    pub(crate) fn push_and_fall_silent(&self, frame: Bytes) {
        self.push(frame);
        self.state().silent = true;
    }

    /// Nothing more to come: what is queued is still written.
    pub(crate) fn end(&self) {
        self.state().last = true;
        self.filled.notify_one();
    }

    /// Frames queued and bytes not yet written.
    pub(crate) fn pending(&self) -> (usize, usize) {
        let state = self.state();
        (state.queue.len(), state.bytes + state.in_flight)
    }

    /// How long nothing could be written though something was to be.
    pub(crate) fn stuck(&self) -> Duration {
        let state = self.state();
        let since = state.written.filter(|_| state.in_flight > 0);
        since.map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// Forgets what is queued.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.queue = VecDeque::new();
        state.bytes = 0;
        self.emptied.notify_waiters();
    }

    /// For a twist: drops the oldest frames if there are more than this.
    pub(crate) fn keep_newest(&self, frames: usize) {
        let mut state = self.state();
        while state.queue.len() > frames {
            let oldest = state.queue.pop_front();
            state.bytes -= oldest.map_or(0, |frame| frame.len());
        }
    }

    /// Nothing is written any more: who waits for it waits in vain.
    pub(crate) fn abandon(&self) {
        self.clear();
        let mut state = self.state();
        (state.in_flight, state.last) = (0, true);
        self.emptied.notify_waiters();
    }

    /// Waits until at most `bytes` are yet to be written.
    pub(crate) async fn at_most(&self, bytes: usize) {
        while self.pending().1 > bytes {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.pending().1 > bytes {
                emptied.await;
            }
        }
    }

    /// Moves queued frames into `batch` and says how many; nothing once the last one is through.
    async fn take(&self, batch: &mut Vec<u8>) -> Option<usize> {
        batch.clear();
        let mut frames = 0;
        loop {
            {
                let mut state = self.state();
                state.in_flight = 0;
                state.written = Some(Instant::now());
                while batch.len() < BATCH {
                    let Some(frame) = state.queue.pop_front() else {
                        break;
                    };
                    batch.extend_from_slice(&frame);
                    state.bytes -= frame.len();
                    frames += 1;
                }
                state.in_flight = batch.len();
                self.emptied.notify_waiters();
                if !batch.is_empty() {
                    return Some(frames);
                }
                if state.last {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }
}

/// For twists: how long a writer rests after a write of more than so many frames.
pub(crate) struct Pace {
    pub(crate) frames: usize,
    pub(crate) rest: Duration,
}

/// The writer task of one client.
pub(crate) async fn write(
    outbox: &Outbox,
    half: &mut OwnedWriteHalf,
    pace: Option<Pace>,
    pieces: bool,
) -> std::io::Result<()> {
    let mut batch = Vec::new();
    while let Some(frames) = outbox.take(&mut batch).await {
        let first = if pieces { batch.len().min(70) } else { 0 };
        for piece in batch[..first].chunks(7) {
            half.write_all(piece).await?;
            yield_now().await;
        }
        half.write_all(&batch[first..]).await?;
        if batch.capacity() > 2 * BATCH {
            batch = Vec::new();
        }
        if let Some(pace) = &pace
            && frames > pace.frames
        {
            sleep(pace.rest).await;
        }
    }
    half.shutdown().await
}
