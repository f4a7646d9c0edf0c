//! What came out of a race, in figures.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cost::Cost;
use crate::idle::Idle;
use baseline::transports::measure::Sample;
use baseline::transports::plan::Contestant;
use baseline::transports::proxy::Bytes;

/// A race, as `--format json` tells it.
#[derive(Debug, Clone, Serialize)]
pub struct Race {
    /// What all chance in it follows from.
    pub seed: u64,
    /// The WebSocket server that took part.
    pub server: String,
    /// Distance of everybody from the servers: a round trip in milliseconds.
    pub rtt_ms: u64,
    /// How far events are apart, on the average, in milliseconds.
    pub apart_ms: u64,
    /// How long the race went on, in seconds.
    pub seconds: f64,
    /// How many events there were.
    pub events: usize,
    /// Whether each request had a connection of its own.
    pub reconnect: bool,
    /// Where it was run.
    pub machine: Machine,
    /// How far the median of another run with the same seed may lie from this one's, in milliseconds: what the machine
    /// itself adds, going by the floor (the greater of 0.1 ms and twice what lies between the floor's p50 and p90).
    pub noise_ms: f64,
    /// Each contestant, slowest first, the floor last.
    pub contestants: Vec<Result>,
}

/// The machine of a race.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The operating system.
    pub os: &'static str,
    /// The processor's architecture.
    pub arch: &'static str,
    /// How many processors.
    pub cpus: usize,
    /// The load average of the last minute before the race, where the system tells.
    pub load: Option<f64>,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        Machine {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            load: load.and_then(|load| load.split_whitespace().next()?.parse().ok()),
        }
    }
}

/// What one contestant showed.
#[derive(Debug, Clone, Serialize)]
pub struct Result {
    /// Its name, for programs.
    pub key: Contestant,
    /// Its name, for people.
    pub name: String,
    /// The median that theory says, in milliseconds, on a machine that takes no time.
    pub theory_ms: f64,
    /// From sending to arrival.
    pub latency: Latency,
    /// What was counted, and what the server took: one entry for each number of subscribers. Counts follow from the
    /// seed, `cpu_ms` does not.
    pub costs: Vec<Cost>,
    /// Numbers of subscribers that were left out, and why.
    pub left_out: Vec<LeftOut>,
    /// What a subscriber costs in an idle minute, if there was something to see.
    pub idle_minute: Option<Idle>,
    /// What went over the subscriber's line during the race in real time. Unlike `costs` it does not follow from the
    /// seed: a message may come with one answer or with the next.
    pub seen: Bytes,
    /// The cumulative curve: shares of the messages, and in how many milliseconds they had arrived.
    pub curve: Vec<Point>,
    /// Every single one.
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

/// So many subscribers were not tried.
#[derive(Debug, Clone, Serialize)]
pub struct LeftOut {
    /// How many.
    pub subscribers: usize,
    /// Why not.
    pub why: String,
}

/// A point of a cumulative curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The share of all messages, from 0 to 1.
    pub share: f64,
    /// They had arrived after so many milliseconds.
    pub ms: f64,
}

/// Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// How many were measured.
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// The interval in which the true median lies with 95 % probability.
    pub p50_between: (f64, f64),
    /// Nine of ten were no slower.
    pub p90: f64,
    /// Ninety-nine of a hundred were no slower.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// Puts times into a histogram: microseconds, three digits.
pub fn histogram(times: impl IntoIterator<Item = Duration>) -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are in order");
    for time in times {
        histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1));
    }
    histogram
}

impl Latency {
    /// Sums up a histogram of microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let millis =
            |share: f64| histogram.value_at_quantile(share.clamp(0.0, 1.0)) as f64 / 1_000.0;
        // Of n values, how many lie below the true median has a standard deviation of half the root of n.
        let spread = 0.98 / (histogram.len().max(1) as f64).sqrt();
        Latency {
            count: histogram.len(),
            p50: millis(0.5),
            p50_between: (millis(0.5 - spread), millis(0.5 + spread)),
            p90: millis(0.9),
            p99: millis(0.99),
            max: histogram.max() as f64 / 1_000.0,
        }
    }
}

/// The cumulative curve of a histogram of microseconds.
pub fn curve(histogram: &Histogram<u64>) -> Vec<Point> {
    let all = histogram.len().max(1) as f64;
    let mut below = 0;
    let mut points = Vec::new();
    for step in histogram.iter_recorded() {
        below += step.count_at_value();
        points.push(Point {
            share: below as f64 / all,
            ms: step.value_iterated_to() as f64 / 1_000.0,
        });
    }
    points
}

impl Race {
    /// What this contestant showed.
    pub fn of(&self, contestant: Contestant) -> Option<&Result> {
        self.contestants.iter().find(|result| result.key == contestant)
    }

    /// Sets the noise from what the floor shows.
    pub fn with_noise(mut self) -> Self {
        let floor = self.of(Contestant::Relay).map(|floor| floor.latency);
        self.noise_ms = floor.map_or(0.0, |floor| (2.0 * (floor.p90 - floor.p50)).max(0.1));
        self
    }
}

impl Result {
    /// What was counted with so many subscribers.
    pub fn cost(&self, subscribers: usize) -> Option<&Cost> {
        self.costs.iter().find(|cost| cost.subscribers == subscribers)
    }
}
