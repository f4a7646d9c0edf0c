//! How long the threads of this program that run tasks wait for a processor.
//!
//! A task that is due on one thread may be kept waiting while all others have their turn: what a runtime can't take from
//! a thread waits with it. Nobody else is late then, so the scheduler's own books are read.

use std::time::Duration;

#[cfg(target_os = "linux")]
use std::{collections::HashMap, fs};

/// What each thread had waited for in all, at some moment. Empty where the system doesn't tell.
#[derive(Default)]
pub struct Waits {
    /// By the thread's id, in nanoseconds.
    #[cfg(target_os = "linux")]
    waited: HashMap<String, u64>,
}

impl Waits {
    /// Of the threads of tokio's runtimes.
    #[cfg(target_os = "linux")]
    pub fn now() -> Self {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let waited = threads.filter_map(|thread| {
            let path = thread.path();
            // Others may wait as long as they like: a soak keeps the processors busy by threads of its own.
            fs::read_to_string(path.join("comm")).ok().filter(|name| name.starts_with("tokio"))?;
            let stat = fs::read_to_string(path.join("schedstat")).ok()?;
            let waited = stat.split_whitespace().nth(1)?.parse().ok()?;
            Some((thread.file_name().to_string_lossy().into_owned(), waited))
        });
        Waits { waited: waited.collect() }
    }

    /// Of the threads of tokio's runtimes.
    #[cfg(not(target_os = "linux"))]
    pub fn now() -> Self {
        Waits::default()
    }

    /// The longest that one thread has waited since then.
    #[cfg(target_os = "linux")]
    pub fn longest_since(&self, before: &Waits) -> Duration {
        let since = |(thread, waited): (&String, &u64)| waited.saturating_sub(*before.waited.get(thread).unwrap_or(&0));
        Duration::from_nanos(self.waited.iter().map(since).max().unwrap_or_default())
    }

    /// The longest that one thread has waited since then.
    #[cfg(not(target_os = "linux"))]
    pub fn longest_since(&self, _before: &Waits) -> Duration {
        Duration::ZERO
    }
}
