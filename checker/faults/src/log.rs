//! Standard output, written by a thread of its own: a log line must not hold up a connection.

use std::io::{BufWriter, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

/// Prints lines, in the order given.
#[derive(Clone)]
pub(crate) struct Log(SyncSender<String>);

impl Log {
    /// With `hoard`, nothing after the ready line leaves the buffer before it is full.
    pub(crate) fn start(hoard: bool) -> Self {
        let (lines, queue) = sync_channel(4096);
        thread::spawn(move || print(&queue, hoard));
        Self(lines)
    }

    /// Prints the ready line, at once.
    pub(crate) fn ready(&self, line: String) {
        self.line(line);
    }

    /// Prints one line. Nobody listening is no reason to stop serving.
    pub(crate) fn line(&self, line: impl Into<String>) {
        drop(self.0.send(line.into()));
    }
}

/// Flushes whenever it has nothing more to print.
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
