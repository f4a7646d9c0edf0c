//! What a server prints: read without end, so that it never blocks on a full pipe; remembered with a cap.

use std::collections::VecDeque;
use std::io::BufRead;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

use crate::wire::lossy;

/// How many lines are remembered.
const LINES: usize = 2_000;
/// How many bytes of a line are remembered.
const LINE_BYTES: usize = 1_024;
/// What the log lines that the contract asks for begin with. They are remembered apart, so that no other output, however
/// much, drives them out; as many of them as any check looks at, and more.
const EVENTS: [&str; 3] = ["Client connected", "Client disconnected", RECEIVED];
/// What the log line of a message begins with.
const RECEIVED: &str = "Received: ";
const EVENT_LINES: usize = 1_000;
/// The most lines of a panic that are kept: `assert_eq!` and a long message take several.
const PANIC_LINES: usize = 16;

/// Where a line was printed.
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
                // Of an endless line only the beginning is kept in memory.
                line.truncate(before.max(LINE_BYTES).min(line.len()));
                if ended {
                    self.remember(stream, &line);
                    line.clear();
                }
            }
            self.changed.send_modify(|version| *version += 1);
        }
        if !line.is_empty() {
            self.remember(stream, &line);
        }
        self.changed.send_modify(|version| *version += 1);
    }

    fn remember(&self, stream: Stream, line: &[u8]) {
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

    /// The lines remembered, oldest first.
    pub fn lines(&self) -> Vec<(Stream, String)> {
        self.seen.lock().expect("no panic holds it").lines.iter().cloned().collect()
    }

    /// The first panic's message, where and what, if there was one.
    pub fn panic(&self) -> Vec<String> {
        self.seen.lock().expect("no panic holds it").panic.clone()
    }

    /// Whether the first panic was the main thread's, which mostly ends the process.
    pub fn main_panicked(&self) -> bool {
        self.panic().first().is_some_and(|line| line.starts_with("thread 'main'"))
    }

    /// Whether the program said that an address is in use, in the words of Unix, Windows or Node.
    pub fn found_address_in_use(&self) -> bool {
        const WORDS: [&str; 4] =
            ["address already in use", "address in use", "eaddrinuse", "only one usage of each"];
        let says = |line: &str| WORDS.iter().any(|words| line.to_lowercase().contains(words));
        self.lines().iter().any(|(_, line)| says(line))
    }

    /// The number of the TODO that the program panicked at, if it did.
    pub fn todo(&self) -> Option<String> {
        let panic = self.panic().join(" ");
        let (_, todo) = panic.split_once("not yet implemented")?;
        Some(todo.trim_start_matches([':', ' ']).to_string())
    }

    /// The ready line, if it was printed.
    pub fn ready(&self) -> Option<String> {
        self.seen.lock().expect("no panic holds it").ready.clone()
    }

    /// How many of the contract's log lines are exactly `line`.
    pub fn count(&self, line: &str) -> usize {
        let seen = self.seen.lock().expect("no panic holds it");
        seen.events.iter().filter(|event| event.trim_end() == line).count()
    }

    /// How many messages have been logged.
    pub fn received(&self) -> usize {
        self.seen.lock().expect("no panic holds it").received
    }

    /// Waits until `found` is true. Ends, with `false`, only when `gone` does.
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
