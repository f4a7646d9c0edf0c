//! A timer with microsecond precision.
//!
//! tokio's timers count whole milliseconds, which is long compared to the latencies measured here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// A task is woken this long before its deadline and spins for the rest. Systems wake threads late,
/// never early.
const EARLY: Duration = Duration::from_micros(200);

/// Wakes tasks at deadlines with microsecond precision. Its thread ends with its last clone.
#[derive(Clone)]
pub struct Clock {
    calls: Sender<(Instant, oneshot::Sender<()>)>,
}

impl Clock {
    /// Starts the clock's thread.
    pub fn start() -> std::io::Result<Self> {
        let (calls, incoming) = channel();
        std::thread::Builder::new().name("clock".to_string()).spawn(move || run(&incoming))?;
        Ok(Clock { calls })
    }

    /// Waits until this moment.
    pub(crate) async fn sleep_until(&self, moment: Instant) {
        let early = moment.checked_sub(EARLY).unwrap_or(moment);
        if early > Instant::now() {
            let (wake, woken) = oneshot::channel();
            if self.calls.send((early, wake)).is_ok() {
                let _ = woken.await;
            }
        }
        self.spin_until(moment).await;
    }

    /// Waits until this moment without putting the thread to sleep.
    pub(crate) async fn spin_until(&self, moment: Instant) {
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
