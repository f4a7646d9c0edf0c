//! Progress, the time that is left, and the throughput.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::model::Steps;

/// Shows one line in place of the last one, on a terminal.
pub(crate) fn line(text: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[2K{text}");
        let _ = std::io::stderr().flush();
    }
}

/// The pace of a class.
pub(crate) struct Pace {
    began: Instant,
    all: usize,
    done: usize,
}

impl Pace {
    pub(crate) fn new(all: usize) -> Self {
        Pace { began: Instant::now(), all, done: 0 }
    }

    /// Counts one more, and returns the line to show.
    pub(crate) fn step(&mut self, name: &str) -> String {
        self.done += 1;
        let left =
            self.began.elapsed().as_secs_f64() / self.done as f64 * (self.all - self.done) as f64;
        format!("{} of {} graded, last {name}; about {} left", self.done, self.all, duration(left))
    }
}

fn duration(seconds: f64) -> String {
    if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) }
}

/// Renders how many submissions were graded a minute, and where the time of one went.
pub(crate) fn throughput(steps: &[Steps], jobs: usize, elapsed: Duration) -> String {
    let minutes = elapsed.as_secs_f64() / 60.0;
    let count = steps.len();
    let mean = |step: fn(&Steps) -> u64| {
        let sum: u64 = steps.iter().map(step).sum();
        sum as f64 / 1000.0 / count.max(1) as f64
    };
    format!(
        "{count} graded in {:.1} s: {:.1} a minute. On average one waited {:.1} s for others to be \
         built, took {:.1} s to build and {:.1} s to grade, {jobs} at a time.",
        elapsed.as_secs_f64(),
        count as f64 / minutes.max(f64::EPSILON),
        mean(|steps| steps.wait),
        mean(|steps| steps.build),
        mean(|steps| steps.grade),
    )
}
