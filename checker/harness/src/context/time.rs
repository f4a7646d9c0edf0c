//! The uptime of the server, and the delays of this machine.

use std::time::{Duration, Instant};

use super::TestContext;
use crate::client::Client;
use crate::interval::Interval;
use crate::stall_monitor::{Lateness, TICK};
use crate::uptime_cache::UptimeCache;
use crate::verdict::{CheckError, CheckResult, FailureKind};

/// Minimum uptime before a check may pass: some faults show only after the first second.
const MINIMUM_UPTIME: Duration = Duration::from_millis(1_010);
/// The time between two messages during the wait. A server may drop a client that is idle.
const MESSAGE_INTERVAL: Duration = MINIMUM_UPTIME.checked_div(3).expect("not zero");

impl TestContext {
    /// Returns the heartbeat interval of the check.
    pub fn interval(&self) -> Interval {
        Interval(self.beat)
    }

    /// Waits for the minimum uptime, unless the same program has passed after it before. Returns
    /// the circumstance of a failure from then on.
    ///
    /// The uptime counts from the server's first answer: a server counts from its start or later.
    pub async fn wait_for_uptime(&mut self, answered: Instant) -> &'static str {
        self.wait_at_most(answered, MINIMUM_UPTIME).await;
        if self.reached_uptime { "once the server is a second old" } else { "" }
    }

    /// Waits for the minimum uptime, with a client that sends messages meanwhile.
    pub async fn wait_for_uptime_with(
        &mut self,
        client: &mut Client,
        answered: Instant,
    ) -> CheckResult<&'static str> {
        while self.wait_at_most(answered, MESSAGE_INTERVAL).await {
            client.exchange(&self.token()).await?;
        }
        Ok(self.wait_for_uptime(answered).await)
    }

    /// Waits for the minimum uptime, but at most this long. Returns true if the wait goes on.
    async fn wait_at_most(&mut self, answered: Instant, limit: Duration) -> bool {
        if self.settings.program.uptime_cache().is_some_and(UptimeCache::seen) {
            return false;
        }
        let left = MINIMUM_UPTIME.saturating_sub(answered.elapsed());
        tokio::time::sleep(left.min(limit)).await;
        self.reached_uptime = left <= limit;
        !self.reached_uptime
    }

    /// Records that the program has passed after the minimum uptime, if the check waited for it.
    pub fn remember_uptime(&self) {
        if let Some(cache) = self.settings.program.uptime_cache().filter(|_| self.reached_uptime) {
            // Without an entry the next check waits again.
            let _ = cache.remember();
        }
    }

    /// Returns the longest stall since then, and the longest one that a verdict allows.
    pub fn lateness(&self, since: Instant) -> Lateness {
        Lateness {
            worst: self.settings.stalls.worst_since(self.shortly_before(since)),
            limit: self.beat / 6,
        }
    }

    /// Returns a time two intervals earlier. A stall shortly before makes later events come early.
    fn shortly_before(&self, since: Instant) -> Instant {
        since.checked_sub(self.beat * 2).unwrap_or(since)
    }

    /// Returns the run-queue delay of all the server's threads since the check began, zero where it
    /// is unknown.
    pub fn run_queue_delay(&self) -> Duration {
        let now = self.server.run_queue_delay().unwrap_or_default();
        self.initial_delay.map_or(Duration::ZERO, |before| now.saturating_sub(before))
    }

    /// Returns the longest delay of an event since then that this machine explains: one stall of
    /// the checker, and all run-queue delay of the server since the check began.
    pub fn delays_since(&self, since: Instant) -> Duration {
        let stalls = &self.settings.stalls;
        let own = stalls.worst_since(since).max(stalls.longest_wait_since(since));
        own + TICK + self.run_queue_delay()
    }

    /// Returns the delay that most of `events` events since then do not exceed: the stall of the
    /// checker that nine in ten do not exceed, and the server's share of run-queue delay.
    pub fn typical_delay_since(&self, since: Instant, events: usize) -> Duration {
        let events = u32::try_from(events).unwrap_or(u32::MAX).max(1);
        self.settings.stalls.quantile_since(since, 0.9) + self.run_queue_delay() / events
    }

    /// Returns why this machine was too busy since then to judge heartbeats, if it was.
    pub fn too_busy(&self, since: Instant, error: &CheckError) -> Option<String> {
        // A delay explains neither a missing event nor a wrong one.
        let timed = match error {
            CheckError::Failed(failure) if failure.certain => return None,
            CheckError::Failed(failure) => {
                matches!(failure.kind, FailureKind::WrongTiming | FailureKind::EndedEarly)
            }
            CheckError::Inconclusive(_) | CheckError::HostBusy(_) => true,
        };
        let Lateness { worst, limit } = self.lateness(since);
        let stall = format!("the checker itself was {} ms late", worst.as_millis());
        let why = if worst > limit {
            stall
        } else {
            // Delays add up, and a stall of the checker may be longer than measured. If together
            // they reach the width of the bands, a right ping can look like an early one.
            if !timed || self.delays_since(self.shortly_before(since)) <= self.beat * 3 / 10 {
                return None;
            }
            let (waited, thread) = (
                self.run_queue_delay(),
                self.settings.stalls.longest_wait_since(self.shortly_before(since)),
            );
            format!(
                "the server waited {} ms for a processor, \
                 a thread of the checker {} ms, and {stall}",
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
