//! How late things happen on this machine right now. What is judged by time is judged only as sharply as
//! the machine allows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::loopback_probe;
use crate::sync::lock;
use crate::threads::{Waits, Workers};

/// How often the gauge looks. A wait that begins between two looks may have been longer than it saw, by so much.
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
    looks: Arc<Mutex<Looks>>,
}

struct Looks {
    over: Vec<Look>,
    /// When the present one began.
    began: Instant,
    workers: Workers,
    /// What they had waited for when it did.
    waits: Waits,
}

/// A look that is over.
struct Look {
    ended: Instant,
    /// How late it was.
    late: Duration,
    /// The longest that one thread waited meanwhile.
    waited: Duration,
}

impl StallMonitor {
    /// A gauge that looks until it is dropped.
    pub fn start() -> Self {
        let (workers, waits) = <(Workers, Waits)>::default();
        let looks =
            Arc::new(Mutex::new(Looks { over: Vec::new(), began: Instant::now(), workers, waits }));
        let ours = Arc::downgrade(&looks);
        tokio::spawn(async move {
            // Here they run, and have their names.
            if let Some(looks) = ours.upgrade() {
                let mut looks = lock(&looks);
                looks.workers = Workers::running();
                looks.waits = looks.workers.waits();
            }
            loop {
                let began = Instant::now();
                tokio::time::sleep(TICK).await;
                let slept = began.elapsed().saturating_sub(TICK);
                let late = slept.max(loopback_probe::round_trip().await);
                let Some(looks) = ours.upgrade() else { return };
                let mut looks = lock(&looks);
                let (ended, waits) = (Instant::now(), looks.workers.waits());
                let waited = waits.longest_since(&looks.waits);
                looks.over.push(Look { ended, late, waited });
                (looks.began, looks.waits) = (ended, waits);
            }
        });
        StallMonitor { looks }
    }

    /// The longest that anyone was kept waiting since then.
    ///
    /// The look that is not over counts as well: after a stall of the whole machine the check may be the first to go
    /// on, and would not be told of the stall otherwise.
    pub fn worst_since(&self, since: Instant) -> Duration {
        let looks = lock(&self.looks);
        looks.worst(since, looks.began.elapsed().saturating_sub(TICK), |look| look.late)
    }

    /// The longest that a single thread of the checker has waited for a processor since then, where the system tells: it
    /// may hold what is due to one client while all others have their turn.
    pub fn longest_wait_since(&self, since: Instant) -> Duration {
        let looks = lock(&self.looks);
        looks.worst(since, looks.workers.waits().longest_since(&looks.waits), |look| look.waited)
    }
}

impl Looks {
    /// Of those that ended since then, and the present one.
    fn worst(&self, since: Instant, present: Duration, of: impl Fn(&Look) -> Duration) -> Duration {
        self.over
            .iter()
            .rev()
            .take_while(|look| look.ended >= since)
            .map(of)
            .fold(present, Duration::max)
    }
}
