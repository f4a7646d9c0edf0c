//! How late things happen on this machine right now. What is judged by time is judged only as sharply as
//! the machine allows.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::peer;
use crate::threads::Waits;

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

/// Remembers when the checker, a single thread of it, or a peer that does nothing but answer, was kept waiting for the
/// processor.
#[derive(Clone)]
pub struct Gauge {
    looks: Arc<Mutex<Looks>>,
}

struct Looks {
    /// When each look ended that is over, and how late it was.
    over: Vec<(Instant, Duration)>,
    /// When the present one began.
    began: Instant,
    /// What the threads had waited for when it did.
    waits: Waits,
}

impl Gauge {
    /// A gauge that looks until it is dropped.
    pub fn start() -> Self {
        let looks = Arc::new(Mutex::new(Looks { over: Vec::new(), began: Instant::now(), waits: Waits::now() }));
        let ours = Arc::downgrade(&looks);
        tokio::spawn(async move {
            loop {
                let began = Instant::now();
                tokio::time::sleep(TICK).await;
                let slept = began.elapsed().saturating_sub(TICK);
                let lateness = slept.max(peer::round_trip().await);
                let Some(looks) = ours.upgrade() else { return };
                let mut looks = looks.lock().expect("no panic holds it");
                let (now, waits) = (Instant::now(), Waits::now());
                let waited = waits.longest_since(&looks.waits);
                looks.over.push((now, lateness.max(waited)));
                (looks.began, looks.waits) = (now, waits);
            }
        });
        Gauge { looks }
    }

    /// The longest that anyone was kept waiting since then.
    ///
    /// The look that is not over counts as well: after a stall of the whole machine the check may be the first to go
    /// on, and would not be told of the stall otherwise.
    pub fn worst_since(&self, since: Instant) -> Duration {
        let looks = self.looks.lock().expect("no panic holds it");
        let over = looks.over.iter().rev().take_while(|(at, _)| *at >= since).map(|(_, lateness)| *lateness);
        let present = looks.began.elapsed().saturating_sub(TICK).max(Waits::now().longest_since(&looks.waits));
        over.fold(present, Duration::max)
    }
}
