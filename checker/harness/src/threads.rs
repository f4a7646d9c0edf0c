//! How long the threads of this program that run tasks wait for a processor.
//!
//! A task that is due on one thread may be kept waiting while all others have their turn: what a runtime can't take from
//! a thread waits with it. Nobody else is late then, so the scheduler's own schedstats are read.

use std::fs::File;
use std::time::Duration;

/// The threads of tokio's runtimes: none where the system doesn't tell about them.
#[derive(Default)]
pub struct Workers {
    /// What the scheduler says of each (Linux: proc_pid_schedstat).
    schedstats: Vec<File>,
}

/// What each of these threads has run_queue_delay for in all, until some moment.
#[derive(Default)]
pub struct Waits(Vec<Duration>);

impl Workers {
    /// Those that run now. Others may wait as long as they like: a soak keeps the processors busy by threads of its own.
    pub fn running() -> Self {
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

    /// What they have run_queue_delay for until now.
    pub fn waits(&self) -> Waits {
        Waits(
            self.schedstats
                .iter()
                .map(|schedstat| run_queue_delay(schedstat).unwrap_or_default())
                .collect(),
        )
    }
}

/// The second number, in nanoseconds.
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
    /// The longest that one thread has run_queue_delay since then.
    pub fn longest_since(&self, before: &Waits) -> Duration {
        let since = self.0.iter().zip(&before.0).map(|(now, then)| now.saturating_sub(*then));
        since.max().unwrap_or_default()
    }
}
