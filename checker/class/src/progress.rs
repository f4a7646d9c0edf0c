//! How far it has come, how long it may last, and how fast it was.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Shows one line in place of the last one, on a terminal.
pub(crate) fn line(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K{text}");
        let _ = std::io::stderr().flush();
    }
}

/// The pace so far.
pub(crate) struct Pace {
    began: Instant,
    all: usize,
    done: usize,
}

impl Pace {
    pub(crate) fn new(all: usize) -> Self {
        Pace { began: Instant::now(), all, done: 0 }
    }

    /// One more is done: what to show.
    pub(crate) fn step(&mut self, name: &str) -> String {
        self.done += 1;
        let left =
            self.began.elapsed().as_secs_f64() / self.done as f64 * (self.all - self.done) as f64;
        format!("{} of {} graded, last {name}; about {} left", self.done, self.all, told(left))
    }
}

fn told(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

/// How fast so many were graded.
pub(crate) fn throughput(count: usize, elapsed: Duration) -> String {
    let minutes = elapsed.as_secs_f64() / 60.0;
    format!(
        "{count} graded in {:.1} s: {:.1} a minute.",
        elapsed.as_secs_f64(),
        count as f64 / minutes.max(f64::EPSILON)
    )
}
