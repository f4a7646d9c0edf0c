//! The queue of frames to one client, and the task that writes them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Bytes;

use super::{Mutation, lock};

/// The most bytes of one write.
const BATCH: usize = 128 * 1024;

#[derive(Default)]
struct State {
    queue: VecDeque<Bytes>,
    bytes: usize,
    in_flight: usize,
    last: bool,
    silent: bool,
    /// A write failed: what is queued stays unwritten.
    failed: bool,
    /// The time at which the last write ended.
    written: Option<Instant>,
}

/// The queue of frames to one client.
pub(crate) struct Outbox {
    mutation: &'static dyn Mutation,
    state: Mutex<State>,
    filled: Notify,
    emptied: Notify,
}

impl Outbox {
    pub(crate) fn new(mutation: &'static dyn Mutation) -> Self {
        let (filled, emptied) = (Notify::new(), Notify::new());
        Self { mutation, state: Mutex::default(), filled, emptied }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Queues a frame without waiting.
    pub(crate) fn push(&self, frame: Bytes) {
        let frame = self.mutation.frame(frame);
        let mut state = self.state();
        if !state.last && !state.silent {
            state.bytes += frame.len();
            state.queue.push_back(frame);
            self.filled.notify_one();
        }
    }

    /// Queues the last frame. Later frames are ignored.
    pub(crate) fn push_last(&self, frame: Bytes) {
        self.push(frame);
        self.end();
    }

    /// Queues a frame after which nothing is sent, though the connection stays open.
    pub(crate) fn push_and_fall_silent(&self, frame: Bytes) {
        self.push(frame);
        self.state().silent = true;
    }

    /// Ignores later frames. Queued frames are still written.
    pub(crate) fn end(&self) {
        self.state().last = true;
        self.filled.notify_one();
    }

    /// Returns the number of queued frames, and of bytes that are not written yet.
    pub(crate) fn pending(&self) -> (usize, usize) {
        let state = self.state();
        (state.queue.len(), state.bytes + state.in_flight)
    }

    /// Returns how long the present write has taken.
    pub(crate) fn stuck(&self) -> Duration {
        let state = self.state();
        let since = state.written.filter(|_| state.in_flight > 0);
        since.map_or(Duration::ZERO, |at| at.elapsed())
    }

    /// Discards the queue.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        state.queue = VecDeque::new();
        state.bytes = 0;
        self.emptied.notify_waiters();
    }

    /// Discards the oldest frames if the queue is longer than this.
    pub(crate) fn keep_newest(&self, frames: usize) {
        let mut state = self.state();
        while state.queue.len() > frames {
            let oldest = state.queue.pop_front();
            state.bytes -= oldest.map_or(0, |frame| frame.len());
        }
    }

    /// Ends all waiting for writes, since nothing is written any more.
    pub(crate) fn abandon(&self) {
        self.clear();
        let mut state = self.state();
        (state.in_flight, state.last) = (0, true);
        self.emptied.notify_waiters();
    }

    /// Ends all waiting for writes after a failed one. What is pending stays so.
    fn fail(&self) {
        self.state().failed = true;
        self.emptied.notify_waiters();
    }

    /// Waits until at most `bytes` are yet to be written, or until a write fails.
    pub(crate) async fn at_most(&self, bytes: usize) {
        let has_more = || !self.state().failed && self.pending().1 > bytes;
        while has_more() {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if has_more() {
                emptied.await;
            }
        }
    }

    /// Moves queued frames into `batch` and returns their number; `None` after the last one.
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

/// A rest of the writer after each write of more than `frames` frames.
pub(crate) struct Pace {
    pub(crate) frames: usize,
    pub(crate) rest: Duration,
}

/// The writer task of one client.
pub(crate) async fn write(
    outbox: &Outbox,
    half: &mut OwnedWriteHalf,
    mutation: &dyn Mutation,
) -> std::io::Result<()> {
    let written = write_all(outbox, half, mutation).await;
    if written.is_err() {
        outbox.fail();
    }
    written
}

async fn write_all(
    outbox: &Outbox,
    half: &mut OwnedWriteHalf,
    mutation: &dyn Mutation,
) -> std::io::Result<()> {
    let pace = mutation.pace();
    let mut batch = Vec::new();
    while let Some(frames) = outbox.take(&mut batch).await {
        let mut first = 0;
        if let Some(size) = mutation.write_size() {
            first = batch.len().min(10 * size);
            for piece in batch[..first].chunks(size) {
                half.write_all(piece).await?;
                yield_now().await;
            }
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
