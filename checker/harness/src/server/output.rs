//! The output of a server. It is read until the stream ends, so that the server never blocks on a
//! full pipe. The lines kept are limited.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

use crate::wire::lossy;

/// The most lines kept.
const LINES: usize = 2_000;
/// The most bytes kept of a line.
const LINE_BYTES: usize = 1_024;
/// The starts of the contract's log lines. These lines are stored separately, so that other output
/// does not displace them.
const EVENTS: [&str; 3] = ["Client connected", "Client disconnected", RECEIVED];
/// The start of the log line of a message.
const RECEIVED: &str = "Received: ";
/// The most log lines of the contract kept, more than any check counts.
const EVENT_LINES: usize = 1_000;
/// The most lines kept of a panic: `assert_eq!` and a long message take several.
const PANIC_LINES: usize = 16;

/// The stream of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The output of one server.
pub struct Output {
    seen: Mutex<Seen>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Seen {
    lines: VecDeque<(Stream, String)>,
    events: Vec<String>,
    received: usize,
    panic: Vec<String>,
    panic_is_complete: bool,
    ready: Option<String>,
}

impl Output {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Output { seen: Mutex::default(), changed: watch::Sender::new(0) })
    }

    /// Reads until the stream ends.
    pub(super) async fn read(self: Arc<Self>, stream: Stream, mut from: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 64 * 1024];
        let mut line = Vec::new();
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let mut rest = &buffer[..read];
            while !rest.is_empty() {
                let before = line.len();
                let taken = rest.read_until(b'\n', &mut line).expect("reading from memory");
                let ended = taken > 0 && line.ends_with(b"\n");
                // A line may be endless: keep only its start.
                line.truncate(before.max(LINE_BYTES).min(line.len()));
                if ended {
                    self.store(stream, &line);
                    line.clear();
                }
            }
            self.changed.send_modify(|version| *version += 1);
        }
        if !line.is_empty() {
            self.store(stream, &line);
        }
        self.changed.send_modify(|version| *version += 1);
    }

    fn store(&self, stream: Stream, line: &[u8]) {
        let line = lossy(&line[..line.len().min(LINE_BYTES)]);
        let line = line.trim_end_matches(['\n', '\r']).to_string();
        let mut seen = self.seen.lock().expect("no panic holds it");
        if stream == Stream::Stderr && !seen.panic_is_complete {
            let begins = line.contains("panicked at");
            let ends = line.starts_with("note: ") || seen.panic.len() == PANIC_LINES;
            if seen.panic.is_empty() == begins && !ends {
                seen.panic.push(line.clone());
            } else {
                seen.panic_is_complete = !seen.panic.is_empty();
            }
        }
        if stream == Stream::Stdout && seen.ready.is_none() && line.starts_with(super::READY) {
            seen.ready = Some(line.clone());
        }
        let event = stream == Stream::Stdout && EVENTS.iter().any(|event| line.starts_with(event));
        seen.received += usize::from(event && line.starts_with(RECEIVED));
        if event && seen.events.len() < EVENT_LINES {
            seen.events.push(line.clone());
        }
        if seen.lines.len() == LINES {
            seen.lines.pop_front();
        }
        seen.lines.push_back((stream, line));
    }

    /// Returns the lines kept, oldest first.
    pub fn lines(&self) -> Vec<(Stream, String)> {
        self.seen.lock().expect("no panic holds it").lines.iter().cloned().collect()
    }

    /// Returns the lines of the first panic: its place and its message.
    pub fn panic(&self) -> Vec<String> {
        self.seen.lock().expect("no panic holds it").panic.clone()
    }

    /// Returns true if the main thread panicked first. That usually ends the process.
    pub fn main_panicked(&self) -> bool {
        self.panic().first().is_some_and(|line| line.starts_with("thread 'main'"))
    }

    /// Returns true if the output has the error "address in use" of Unix, Windows or Node.
    pub fn reports_address_in_use(&self) -> bool {
        const MESSAGES: [&str; 4] =
            ["address already in use", "address in use", "eaddrinuse", "only one usage of each"];
        let reports = |line: &str| {
            let line = line.to_lowercase();
            MESSAGES.iter().any(|message| line.contains(message))
        };
        self.lines().iter().any(|(_, line)| reports(line))
    }

    /// Returns the number and title of the TODO at which the program panicked.
    pub fn todo(&self) -> Option<String> {
        let panic = self.panic().join(" ");
        let (_, todo) = panic.split_once("not yet implemented")?;
        Some(todo.trim_start_matches([':', ' ']).to_string())
    }

    /// Returns the ready line, if it was printed.
    pub fn ready(&self) -> Option<String> {
        self.seen.lock().expect("no panic holds it").ready.clone()
    }

    /// Counts the contract's log lines that are exactly `line`.
    pub fn count(&self, line: &str) -> usize {
        let seen = self.seen.lock().expect("no panic holds it");
        seen.events.iter().filter(|event| event.trim_end() == line).count()
    }

    /// Counts the log lines of messages.
    pub fn count_received(&self) -> usize {
        self.seen.lock().expect("no panic holds it").received
    }

    /// Waits until `found` is true. Returns false if `gone` completes before.
    pub async fn wait_for(&self, found: impl Fn(&Self) -> bool, gone: impl Future) -> bool {
        let mut changed = self.changed.subscribe();
        tokio::pin!(gone);
        loop {
            changed.mark_unchanged();
            if found(self) {
                return true;
            }
            tokio::select! {
                _ = changed.changed() => {}
                _ = &mut gone => return found(self),
            }
        }
    }
}
