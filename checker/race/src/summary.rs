//! The results of a race.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cost::Cost;
use crate::idle::Idle;
use baseline::transports::measure::Sample;
use baseline::transports::plan::Contestant;
use baseline::transports::proxy::Bytes;

/// The results of a race, as `--format json` prints them.
#[derive(Debug, Clone, Serialize)]
pub struct Race {
    /// The seed of all random choices.
    pub seed: u64,
    /// The name of the WebSocket server.
    pub server: String,
    /// The round trip time between all clients and the servers, in milliseconds.
    pub rtt_ms: u64,
    /// The mean time between events in milliseconds.
    pub apart_ms: u64,
    /// The length of the race in seconds.
    pub seconds: f64,
    /// The number of events.
    pub events: usize,
    /// True if each request opened a new connection.
    pub reconnect: bool,
    /// The machine.
    pub machine: Machine,
    /// The expected difference between the medians of two runs with the same seed, in
    /// milliseconds: 0.1 ms, or twice the difference between the floor's p50 and p90 if that is
    /// more.
    pub noise_ms: f64,
    /// The contestants, slowest first, the floor last.
    pub contestants: Vec<Result>,
}

/// The least number of events for which the 99th percentile is not the slowest one.
const ENOUGH: usize = 100;
/// What the costs in CPU time measure, for the terminal and for the page.
pub(crate) const CPU_MEASURE: &str = "The server's CPU time, in ms for 1 000 messages delivered";

/// A machine.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The operating system.
    pub os: &'static str,
    /// The processor's architecture.
    pub arch: &'static str,
    /// The number of processors.
    pub cpus: usize,
    /// The load average of the minute before the race, where it is known.
    pub load: Option<f64>,
}

impl Machine {
    /// Describes this machine.
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

/// The results of one contestant.
#[derive(Debug, Clone, Serialize)]
pub struct Result {
    /// The name for programs.
    pub key: Contestant,
    /// The name for people.
    pub name: String,
    /// The median on an infinitely fast machine, in milliseconds.
    pub theory_ms: f64,
    /// The latency from sending to arrival.
    pub latency: Latency,
    /// The costs, one entry for each number of subscribers. They follow from the seed, except
    /// `cpu_ms`.
    pub costs: Vec<Cost>,
    /// The numbers of subscribers that were left out.
    pub left_out: Vec<LeftOut>,
    /// The cost of a subscriber in an idle minute, if it is known.
    pub idle_minute: Option<Idle>,
    /// The bytes through the subscriber's proxy during the race in real time. They do not follow
    /// from the seed: a message may arrive with one response or with the next.
    pub seen: Bytes,
    /// The cumulative distribution of the latency.
    pub curve: Vec<Point>,
    /// The samples.
    #[serde(skip)]
    pub samples: Vec<Sample>,
}

/// A number of subscribers that was left out.
#[derive(Debug, Clone, Serialize)]
pub struct LeftOut {
    /// The number.
    pub subscribers: usize,
    /// The reason.
    pub why: String,
}

/// A point of a cumulative curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The share of all messages, from 0 to 1.
    pub share: f64,
    /// The milliseconds after which they had arrived.
    pub ms: f64,
}

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// The number of samples.
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// The 95 % confidence interval of the median.
    pub p50_between: (f64, f64),
    /// The 90th percentile.
    pub p90: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The maximum.
    pub max: f64,
}

/// Makes a histogram of times in microseconds, with three significant digits.
pub fn histogram(times: impl IntoIterator<Item = Duration>) -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("the bounds are in order");
    for time in times {
        histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1));
    }
    histogram
}

impl Latency {
    /// Summarises a histogram of microseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let millis =
            |share: f64| histogram.value_at_quantile(share.clamp(0.0, 1.0)) as f64 / 1_000.0;
        // The number of n samples below the true median has a standard deviation of √n / 2.
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

/// Returns the cumulative distribution of a histogram of microseconds.
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
    /// Returns the results of this contestant.
    pub fn of(&self, contestant: Contestant) -> Option<&Result> {
        self.contestants.iter().find(|result| result.key == contestant)
    }

    /// Returns a remark if the percentiles rest on a handful of events.
    pub fn few_events(&self) -> Option<String> {
        let events = self.events;
        if events >= ENOUGH {
            return None;
        }
        // A mean distance that fits so many events into the same time.
        let every = (self.seconds * 1_000.0 / ENOUGH as f64).floor().max(1.0);
        Some(format!(
            "p99 of {events} events is the slowest of them; with --every {every} there are {ENOUGH}."
        ))
    }

    /// Sets the noise from the latency of the floor.
    pub fn with_noise(mut self) -> Self {
        let floor = self.of(Contestant::Relay).map(|floor| floor.latency);
        self.noise_ms = floor.map_or(0.0, |floor| (2.0 * (floor.p90 - floor.p50)).max(0.1));
        self
    }
}

impl Result {
    /// Returns the cost with this number of subscribers.
    pub fn cost(&self, subscribers: usize) -> Option<&Cost> {
        self.costs.iter().find(|cost| cost.subscribers == subscribers)
    }
}
