//! Heartbeat intervals, and how far a measured time may be from them.

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::{Instant, interval_at};

/// The longest time from opening to the first ping: "about one interval".
pub const FIRST_PING: f64 = 1.25;
/// The band for a single gap between two pings, which a stall of the host may lengthen.
pub const SINGLE_GAP: RangeInclusive<f64> = 0.55..=1.6;
/// The band for the mean of several gaps: a stall lengthens one gap, and the mean by little.
pub const MEAN_GAP: RangeInclusive<f64> = 0.8..=1.25;
/// The band for the time from an unanswered ping to the disconnect. A client has a full interval
/// to answer; the lower end allows for a ping that was received late.
pub const DISCONNECT: RangeInclusive<f64> = 0.7..=1.6;
/// The longest time from an unanswered ping to the fastest of several disconnects. A server that
/// disconnects between two ticks is always later.
pub const PROMPT: f64 = 1.25;

/// The heartbeat interval in a server's environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(pub Duration);

impl Interval {
    /// Waits for this many intervals.
    pub async fn pause(self, factor: f64) {
        tokio::time::sleep(self.times(factor)).await;
    }

    /// Returns a timer that ticks each time this many intervals have passed.
    pub fn every(self, factor: f64) -> tokio::time::Interval {
        let period = self.times(factor);
        interval_at(Instant::now() + period, period)
    }

    /// Returns this many intervals.
    pub fn times(self, factor: f64) -> Duration {
        self.0.mul_f64(factor)
    }

    /// Returns a measured time in intervals.
    pub fn ratio(self, time: Duration) -> f64 {
        time.as_secs_f64() / self.0.as_secs_f64()
    }

    /// Returns whether a measured time lies in this band.
    pub fn is_within(self, time: Duration, band: &RangeInclusive<f64>) -> bool {
        band.contains(&self.ratio(time))
    }
}
