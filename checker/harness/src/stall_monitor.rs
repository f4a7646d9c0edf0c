//! Measures how late tasks run on this machine. A verdict by time is only as precise as the machine
//! allows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::loopback_probe;
use crate::sync::lock;
use crate::threads::{Waits, Workers};

/// Time between two samples. A stall that begins between two samples may be longer than measured by
/// this much.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The lateness of this machine while heartbeats were judged.
#[derive(Debug, Clone, Copy)]
pub struct Lateness {
    /// The longest stall of the checker or of the loopback probe.
    pub worst: Duration,
    /// The longest stall at which a failure counts.
    pub limit: Duration,
}

/// Records the stalls of the checker, of the loopback probe, and of each thread of the checker.
#[derive(Clone)]
pub struct StallMonitor {
    samples: Arc<Mutex<Samples>>,
}

struct Samples {
    finished: Vec<Sample>,
    /// The start of the unfinished sample.
    began: Instant,
    workers: Workers,
    /// The run-queue delays of the workers at that time.
    waits: Waits,
}

/// A finished sample.
struct Sample {
    ended: Instant,
    /// The lateness of its timer, or of the loopback probe.
    late: Duration,
    /// The longest run-queue delay of one thread in this time.
    run_queue_delay: Duration,
}

impl StallMonitor {
    /// Starts a monitor that samples until its last clone is dropped.
    pub fn start() -> Self {
        let (workers, waits) = <(Workers, Waits)>::default();
        let samples = Arc::new(Mutex::new(Samples {
            finished: Vec::new(),
            began: Instant::now(),
            workers,
            waits,
        }));
        let ours = Arc::downgrade(&samples);
        tokio::spawn(async move {
            // On a worker: only now do all workers run and have their names.
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
                let run_queue_delay = waits.longest_since(&samples.waits);
                samples.finished.push(Sample { ended, late, run_queue_delay });
                (samples.began, samples.waits) = (ended, waits);
            }
        });
        StallMonitor { samples }
    }

    /// Returns the longest stall since then.
    ///
    /// The unfinished sample counts, too. After a stall of the whole machine the check may run
    /// first, and would miss the stall otherwise.
    pub fn worst_since(&self, since: Instant) -> Duration {
        let samples = lock(&self.samples);
        samples.worst(since, samples.began.elapsed().saturating_sub(TICK), |sample| sample.late)
    }

    /// Returns the stall that this share of the samples since then does not exceed. A single long
    /// stall does not change it.
    pub fn quantile_since(&self, since: Instant, share: f64) -> Duration {
        let samples = lock(&self.samples);
        let recent = samples.finished.iter().rev().take_while(|sample| sample.ended >= since);
        let mut stalls: Vec<Duration> = recent.map(|sample| sample.late).collect();
        stalls.sort_unstable();
        stalls.get((stalls.len() as f64 * share) as usize).copied().unwrap_or_default()
    }

    /// Returns the longest run-queue delay of a single thread since then, zero where it is unknown.
    /// A waiting thread may hold the events of one client while all other clients make progress.
    pub fn longest_wait_since(&self, since: Instant) -> Duration {
        let samples = lock(&self.samples);
        samples.worst(since, samples.workers.waits().longest_since(&samples.waits), |sample| {
            sample.run_queue_delay
        })
    }
}

impl Samples {
    /// Returns the maximum over the samples that ended since then and the unfinished one.
    fn worst(
        &self,
        since: Instant,
        present: Duration,
        of: impl Fn(&Sample) -> Duration,
    ) -> Duration {
        self.finished
            .iter()
            .rev()
            .take_while(|sample| sample.ended >= since)
            .map(of)
            .fold(present, Duration::max)
    }
}
