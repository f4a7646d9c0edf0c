//! How late things happen on this machine right now. What is judged by time is judged only as sharply as
//! the machine allows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::loopback_probe;
use crate::sync::lock;
use crate::threads::{Waits, Workers};

/// How often the gauge samples. A wait that begins between two samples may have been longer than it saw, by so much.
pub const TICK: Duration = Duration::from_millis(10);

/// How late things happened on this machine while heartbeats were judged.
#[derive(Debug, Clone, Copy)]
pub struct Lateness {
    /// The longest that the checker or its reference peer was kept waiting.
    pub worst: Duration,
    /// From when on no failure would have been believed.
    pub limit: Duration,
}

/// Remembers when the checker, or a peer that does nothing but answer, was kept waiting for the processor, and when a
/// single thread of the checker was.
#[derive(Clone)]
pub struct StallMonitor {
    samples: Arc<Mutex<Samples>>,
}

struct Samples {
    over: Vec<Sample>,
    /// When the present one began.
    began: Instant,
    workers: Workers,
    /// What they had waited for when it did.
    waits: Waits,
}

/// A sample that is over.
struct Sample {
    ended: Instant,
    /// How late it was.
    late: Duration,
    /// The longest that one thread waited meanwhile.
    waited: Duration,
}

impl StallMonitor {
    /// A gauge that samples until it is dropped.
    pub fn start() -> Self {
        let (workers, waits) = <(Workers, Waits)>::default();
        let samples = Arc::new(Mutex::new(Samples {
            over: Vec::new(),
            began: Instant::now(),
            workers,
            waits,
        }));
        let ours = Arc::downgrade(&samples);
        tokio::spawn(async move {
            // Here they run, and have their names.
            if let Some(samples) = ours.upgrade() {
                let mut samples = lock(&samples);
                samples.workers = Workers::running();
                samples.waits = samples.workers.waits();
            }
            loop {
                let began = Instant::now();
                tokio::time::sleep(TICK).await;
                let slept = began.elapsed().saturating_sub(TICK);
                let late = slept.max(loopback_probe::round_trip().await);
                let Some(samples) = ours.upgrade() else { return };
                let mut samples = lock(&samples);
                let (ended, waits) = (Instant::now(), samples.workers.waits());
                let waited = waits.longest_since(&samples.waits);
                samples.over.push(Sample { ended, late, waited });
                (samples.began, samples.waits) = (ended, waits);
            }
        });
        StallMonitor { samples }
    }

    /// The longest that anyone was kept waiting since then.
    ///
    /// The sample that is not over counts as well: after a stall of the whole machine the check may be the first to go
    /// on, and would not be told of the stall otherwise.
    pub fn worst_since(&self, since: Instant) -> Duration {
        let samples = lock(&self.samples);
        samples.worst(since, samples.began.elapsed().saturating_sub(TICK), |sample| sample.late)
    }

    /// The longest that a single thread of the checker has waited for a processor since then, where the system tells: it
    /// may hold what is due to one client while all others have their turn.
    pub fn longest_wait_since(&self, since: Instant) -> Duration {
        let samples = lock(&self.samples);
        samples.worst(since, samples.workers.waits().longest_since(&samples.waits), |sample| {
            sample.waited
        })
    }
}

impl Samples {
    /// Of those that ended since then, and the present one.
    fn worst(
        &self,
        since: Instant,
        present: Duration,
        of: impl Fn(&Sample) -> Duration,
    ) -> Duration {
        self.over
            .iter()
            .rev()
            .take_while(|sample| sample.ended >= since)
            .map(of)
            .fold(present, Duration::max)
    }
}
