//! The contestants, and the schedule of a race, which follows from a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::{Serialize, Serializer};

/// Time between two contestants' publishing of the same event, so that they don't compete for the
/// processor.
const SLOT: Duration = Duration::from_millis(2);

/// A transport that takes part in the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    /// Short polling with this period.
    Short(Duration),
    /// Long polling.
    Long,
    /// Server-sent events.
    Events,
    /// A WebSocket.
    Push,
    /// A TCP connection without a protocol: the lower bound.
    Relay,
}

impl Contestant {
    /// All contestants, slowest first, the lower bound last.
    pub const ALL: [Contestant; 7] = [
        Contestant::Short(Duration::from_secs(1)),
        Contestant::Short(Duration::from_millis(100)),
        Contestant::Short(Duration::from_millis(10)),
        Contestant::Long,
        Contestant::Events,
        Contestant::Push,
        Contestant::Relay,
    ];

    /// Returns the name for people.
    pub fn name(self) -> String {
        match self {
            Contestant::Short(period) if period >= Duration::from_secs(1) => {
                format!("short poll {} s", period.as_secs())
            }
            Contestant::Short(period) => format!("short poll {} ms", period.as_millis()),
            Contestant::Long => "long poll".to_string(),
            Contestant::Events => "server-sent events".to_string(),
            Contestant::Push => "WebSocket push".to_string(),
            Contestant::Relay => "bare TCP (floor)".to_string(),
        }
    }

    /// Returns the name for programs.
    pub fn key(self) -> String {
        match self {
            Contestant::Short(period) => format!("short-{}", period.as_millis()),
            Contestant::Long => "long".to_string(),
            Contestant::Events => "events".to_string(),
            Contestant::Push => "push".to_string(),
            Contestant::Relay => "relay".to_string(),
        }
    }

    /// Returns the period of a short poller.
    pub fn period(self) -> Option<Duration> {
        if let Contestant::Short(period) = self { Some(period) } else { None }
    }

    /// Computes the median latency from sending to arrival on an infinitely fast machine. `rtt` is
    /// one round trip, `request` is the time of a request (two round trips if it connects first),
    /// and `apart` is the mean time between events.
    ///
    /// A message takes half a round trip to the server and half to the subscriber. A short poller
    /// with period T finds it after T/2 at the median. A long poller needs one request to ask
    /// again; events in that time wait for the rest of it.
    pub fn theory(self, rtt: Duration, request: Duration, apart: Duration) -> Duration {
        match self {
            Contestant::Short(period) => period / 2 + request,
            Contestant::Long => {
                let events = request.as_secs_f64() / apart.as_secs_f64();
                // Share of the events of a cycle that find a poll waiting.
                let at_once = (-events).exp() / (events + (-events).exp());
                let waiting = if at_once < 0.5 { (0.5 - at_once) / (1.0 - at_once) } else { 0.0 };
                request + request.mul_f64(waiting)
            }
            Contestant::Events => request,
            Contestant::Push | Contestant::Relay => rtt,
        }
    }
}

impl Serialize for Contestant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.key())
    }
}

/// One message and when it is sent.
#[derive(Debug, Clone)]
pub struct Event {
    /// The time since the start of the race.
    pub at: Duration,
    /// The text, unique in the plan.
    pub text: String,
    order: [u8; Contestant::ALL.len()],
}

impl Event {
    /// Returns the time at which this contestant publishes the event. Contestants publish one after
    /// another, in an order that changes from event to event.
    pub(crate) fn moment(&self, contestant: Contestant) -> Duration {
        let place = Contestant::ALL.iter().position(|one| *one == contestant).unwrap_or_default();
        self.at + SLOT * u32::from(self.order[place])
    }
}

/// The schedule of a race.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The length of the race.
    pub window: Duration,
    seed: u64,
}

impl Plan {
    /// Plans events as a Poisson process with this mean time between them. Their times
    /// are independent of each other and of a poller's period.
    pub fn new(seed: u64, window: Duration, apart: Duration) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut events = Vec::new();
        let mut at = Duration::ZERO;
        loop {
            at += apart.mul_f64(-(1.0 - rng.random::<f64>()).ln());
            if at >= window {
                return Plan { events, window, seed };
            }
            let length = rng.random_range(8..64);
            let letters: String =
                (0..length).map(|_| rng.sample(rand::distr::Alphanumeric) as char).collect();
            let mut order = [0, 1, 2, 3, 4, 5, 6];
            order.shuffle(&mut rng);
            events.push(Event { at, text: format!("#{} {letters}", events.len() + 1), order });
        }
    }

    /// Returns the offset of a subscriber's polls within the period. Each subscriber has its own,
    /// as clients that started at different times.
    pub fn phase(&self, period: Duration, subscriber: usize) -> Duration {
        let stream = (subscriber as u64) << 32 | u64::from(period.subsec_micros());
        period.mul_f64(
            StdRng::seed_from_u64(self.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)).random(),
        )
    }
}
