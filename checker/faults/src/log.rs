//! Writes standard output from a thread of its own, so that no connection waits for it.

use std::io::{BufWriter, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

/// Prints lines in order.
#[derive(Clone)]
pub(crate) struct Log(SyncSender<String>);

impl Log {
    /// Starts the thread. With `hoard`, lines after the first wait until the buffer is full.
    pub(crate) fn start(hoard: bool) -> Self {
        let (lines, queue) = sync_channel(4096);
        thread::spawn(move || print(&queue, hoard));
        Self(lines)
    }

    /// Prints one line. The server continues if standard output is closed.
    pub(crate) fn line(&self, line: impl Into<String>) {
        drop(self.0.send(line.into()));
    }
}

/// Prints lines, and flushes when the queue is empty.
fn print(queue: &Receiver<String>, hoard: bool) {
    let (mut flushed, mut lines) = (false, 0_u64);
    let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout());
    loop {
        let line = match queue.try_recv() {
            Ok(line) => line,
            Err(TryRecvError::Empty) => {
                if !(hoard && flushed) {
                    drop(out.flush());
                }
                let Ok(line) = queue.recv() else { return };
                flushed = lines > 0;
                line
            }
            Err(TryRecvError::Disconnected) => return,
        };
        lines += 1;
        drop(out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")));
    }
}
