//! A server's age, and how far this machine's clock can be trusted.

use std::time::{Duration, Instant};

use super::TestContext;
use crate::client::Client;
use crate::stall_monitor::{Lateness, TICK};
use crate::uptime_cache::UptimeCache;
use crate::verdict::{CheckError, CheckResult, FailureKind};

/// A server that is right only when young, for a second, is not right.
const OF_AGE: Duration = Duration::from_millis(1_010);
/// How often somebody talks meanwhile, where a server need not keep who doesn't.
const SMALL_TALK: Duration = OF_AGE.checked_div(3).expect("not zero");

impl TestContext {
    /// Waits until the server is a second old, unless this program has been waited for before; what to say of what goes
    /// wrong from then on.
    ///
    /// It counts from its first answer, the moment to give, whatever it counts its own age from.
    pub async fn wait_for_uptime(&mut self, answered: Instant) -> &'static str {
        self.grows_older(answered, OF_AGE).await;
        if self.aged { "once the server is a second old, " } else { "" }
    }

    /// The same, with a client that talks meanwhile.
    ///
    /// # Errors
    /// When it gets no right reply.
    pub async fn wait_for_uptime_with(
        &mut self,
        client: &mut Client,
        answered: Instant,
    ) -> CheckResult<&'static str> {
        while self.grows_older(answered, SMALL_TALK).await {
            client.exchange(&self.token()).await?;
        }
        Ok(self.wait_for_uptime(answered).await)
    }

    /// Waits for so long, or until the server is of age, in which case it says no.
    async fn grows_older(&mut self, answered: Instant, at_most: Duration) -> bool {
        if self.settings.program.age().is_some_and(UptimeCache::seen) {
            return false;
        }
        let left = OF_AGE.saturating_sub(answered.elapsed());
        tokio::time::sleep(left.min(at_most)).await;
        self.aged = left <= at_most;
        !self.aged
    }

    /// Remembers of a server that has passed whether it was waited for.
    pub fn remember_uptime(&self) {
        if let Some(age) = self.settings.program.age().filter(|_| self.aged) {
            // What can't be remembered is merely waited for again.
            let _ = age.remember();
        }
    }

    /// How late things happened since then.
    pub fn lateness(&self, since: Instant) -> Lateness {
        Lateness {
            worst: self.settings.stalls.worst_since(self.before(since)),
            limit: self.beat / 6,
        }
    }

    /// What was late before it began makes what follows come early.
    fn before(&self, since: Instant) -> Instant {
        since.checked_sub(self.beat * 2).unwrap_or(since)
    }

    /// How long the server's threads have waited for a processor since the check began, all together; nothing where the
    /// system doesn't tell.
    pub fn run_queue_delay(&self) -> Duration {
        let now = self.server.waited().unwrap_or_default();
        self.waited.map_or(Duration::ZERO, |before| now.saturating_sub(before))
    }

    /// The most by which this machine can have delayed something since then: a wait of the checker, and all waits of the
    /// server since the check began.
    pub fn delays_since(&self, since: Instant) -> Duration {
        let stalls = &self.settings.stalls;
        let ours = stalls.worst_since(since).max(stalls.longest_wait_since(since));
        ours + TICK + self.run_queue_delay()
    }

    /// Returns the typical delay of each of `events` events since then: the median stall of the
    /// checker, and the server's share of run-queue delay.
    pub fn typical_delay_since(&self, since: Instant, events: usize) -> Duration {
        let events = u32::try_from(events).unwrap_or(u32::MAX).max(1);
        self.settings.stalls.median_since(since) + self.run_queue_delay() / events
    }

    /// Why this can't be said of a server's heartbeats by what happened since then, if the machine was too busy for that.
    pub fn too_busy(&self, since: Instant, error: &CheckError) -> Option<String> {
        // What never came, or came in other words, a wait does not explain.
        let timed = match error {
            CheckError::Failed(failure) if failure.certain => return None,
            CheckError::Failed(failure) => {
                matches!(failure.kind, FailureKind::WrongTiming | FailureKind::EndedEarly)
            }
            CheckError::Inconclusive(_) | CheckError::HostBusy(_) => true,
        };
        let Lateness { worst, limit } = self.lateness(since);
        let ours = format!("an answer that takes no time took {} ms", worst.as_millis());
        let why = if worst > limit {
            ours
        } else {
            // The delays add up, and a wait of the checker may have been longer than it was measured. Together they can
            // make a right beat look like an early one if they are as long as what tells the two apart (see the checks).
            if !timed || self.delays_since(self.before(since)) <= self.beat * 3 / 10 {
                return None;
            }
            let (waited, thread) = (
                self.run_queue_delay(),
                self.settings.stalls.longest_wait_since(self.before(since)),
            );
            format!(
                "the server was kept waiting for a processor for {} ms, a thread of the checker for {} ms, and {ours}",
                waited.as_millis(),
                thread.as_millis()
            )
        };
        let beat = self.beat.as_millis();
        Some(format!(
            "this machine is too busy to judge heartbeats: {why}, with an interval of {beat} ms"
        ))
    }
}
