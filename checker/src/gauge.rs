//! How late things happen on this machine right now. What is judged by time is judged only as sharply as
//! the machine allows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::peer;

/// How often the gauge looks.
const TICK: Duration = Duration::from_millis(10);

/// Remembers when the checker, or a peer that does nothing but answer, was kept waiting for the processor.
#[derive(Clone)]
pub struct Gauge {
    late: Arc<Mutex<Vec<(Instant, Duration)>>>,
}

impl Gauge {
    /// A gauge that looks until it is dropped.
    pub fn start() -> Self {
        let late = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::downgrade(&late);
        tokio::spawn(async move {
            loop {
                let since = Instant::now();
                tokio::time::sleep(TICK).await;
                let slept = since.elapsed().saturating_sub(TICK);
                let lateness = slept.max(peer::round_trip().await);
                let Some(late) = ours.upgrade() else { return };
                late.lock().expect("no panic holds it").push((Instant::now(), lateness));
            }
        });
        Gauge { late }
    }

    /// The longest that anyone was kept waiting since then.
    pub fn worst_since(&self, since: Instant) -> Duration {
        let late = self.late.lock().expect("no panic holds it");
        late.iter().rev().take_while(|(at, _)| *at >= since).map(|(_, lateness)| *lateness).max().unwrap_or_default()
    }
}
