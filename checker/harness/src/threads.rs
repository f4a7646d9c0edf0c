//! Run-queue delay of this program's worker threads: how long they wait for a processor.
//!
//! A runtime can't move every task to another thread. Such a task waits with its thread while all
//! other tasks run on time. The scheduler's statistics show this wait; a timer does not.

use std::fs::File;
use std::time::Duration;

/// The threads of tokio's runtimes. Empty where the system has no such statistics.
#[derive(Default)]
pub(crate) struct Workers {
    /// The `/proc/self/task/TID/schedstat` of each (`man 5 proc_pid_schedstat`).
    schedstats: Vec<File>,
}

/// The total run-queue delay of each thread up to some moment.
#[derive(Default)]
pub(crate) struct Waits(Vec<Duration>);

impl Workers {
    /// Finds the worker threads that run now. Other threads don't matter: a stress test keeps the
    /// processors busy with threads of its own.
    pub(crate) fn running() -> Self {
        #[cfg(target_os = "linux")]
        {
            let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
            let schedstats = threads.filter_map(|thread| {
                let path = thread.path();
                std::fs::read_to_string(path.join("comm"))
                    .ok()
                    .filter(|name| name.starts_with("tokio"))?;
                File::open(path.join("schedstat")).ok()
            });
            Workers { schedstats: schedstats.collect() }
        }
        #[cfg(not(target_os = "linux"))]
        Workers { schedstats: Vec::new() }
    }

    /// Reads the run-queue delays up to now.
    pub(crate) fn waits(&self) -> Waits {
        Waits(
            self.schedstats
                .iter()
                .map(|schedstat| run_queue_delay(schedstat).unwrap_or_default())
                .collect(),
        )
    }
}

/// Reads the second number: the run-queue delay in nanoseconds.
#[cfg(target_os = "linux")]
fn run_queue_delay(schedstat: &File) -> Option<Duration> {
    use std::os::unix::fs::FileExt;
    let mut page = [0; 128];
    let length = schedstat.read_at(&mut page, 0).ok()?;
    let numbers = std::str::from_utf8(&page[..length]).ok()?;
    Some(Duration::from_nanos(numbers.split_whitespace().nth(1)?.parse().ok()?))
}

#[cfg(not(target_os = "linux"))]
fn run_queue_delay(_schedstat: &File) -> Option<Duration> {
    None
}

impl Waits {
    /// Returns the longest delay of one thread since then.
    pub(crate) fn longest_since(&self, before: &Waits) -> Duration {
        let since = self.0.iter().zip(&before.0).map(|(now, then)| now.saturating_sub(*then));
        since.max().unwrap_or_default()
    }
}
