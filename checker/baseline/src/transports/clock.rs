//! An alarm clock that is on time.
//!
//! The runtime's timers count whole milliseconds; next to what is measured here that is long.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// So long before its moment a task is woken, to spend the rest awake: systems wake late, never early.
const EARLY: Duration = Duration::from_micros(200);

/// Wakes tasks at moments given to the microsecond. It runs as long as it, or a clone, lives.
#[derive(Clone)]
pub struct Clock {
    calls: Sender<(Instant, oneshot::Sender<()>)>,
}

impl Clock {
    /// A clock with a thread of its own.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start() -> std::io::Result<Self> {
        let (calls, incoming) = channel();
        std::thread::Builder::new().name("clock".to_string()).spawn(move || run(&incoming))?;
        Ok(Clock { calls })
    }

    /// Waits until then.
    pub async fn sleep_until(&self, moment: Instant) {
        let early = moment.checked_sub(EARLY).unwrap_or(moment);
        if early > Instant::now() {
            let (wake, woken) = oneshot::channel();
            if self.calls.send((early, wake)).is_ok() {
                let _ = woken.await;
            }
        }
        self.spin_until(moment).await;
    }

    /// Waits until then without letting the thread fall asleep.
    pub async fn spin_until(&self, moment: Instant) {
        while Instant::now() < moment {
            tokio::task::yield_now().await;
        }
    }
}

fn run(incoming: &Receiver<(Instant, oneshot::Sender<()>)>) {
    let mut waiting = BinaryHeap::new();
    let mut sleepers = std::collections::HashMap::new();
    let mut number: u64 = 0;
    loop {
        let call = match waiting.peek() {
            None => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(&Reverse((moment, _))) => {
                let left = Instant::saturating_duration_since(&moment, Instant::now());
                incoming.recv_timeout(left)
            }
        };
        match call {
            Ok((moment, wake)) => {
                number += 1;
                waiting.push(Reverse((moment, number)));
                sleepers.insert(number, wake);
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some(Reverse((_, number))) = waiting.pop() else { continue };
                if let Some(wake) = sleepers.remove(&number) {
                    let _ = wake.send(());
                }
            }
        }
    }
}
