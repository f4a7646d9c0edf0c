//! Who races, and what happens when: all of it follows from a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::{Serialize, Serializer};

/// What lies between the moments at which two contestants publish the same event, so that none is in another's way.
const SLOT: Duration = Duration::from_millis(2);

/// A way of learning what others say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contestant {
    /// Asking over and over, with this period.
    Short(Duration),
    /// Asking, and being answered when there is something to tell.
    Long,
    /// Server-sent events.
    Events,
    /// A WebSocket.
    Push,
    /// A bare TCP connection: the floor.
    Relay,
}

impl Contestant {
    /// All, slowest first, the floor last.
    pub const ALL: [Contestant; 7] = [
        Contestant::Short(Duration::from_secs(1)),
        Contestant::Short(Duration::from_millis(100)),
        Contestant::Short(Duration::from_millis(10)),
        Contestant::Long,
        Contestant::Events,
        Contestant::Push,
        Contestant::Relay,
    ];

    /// What people call it.
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

    /// The same, for programs.
    pub fn key(self) -> String {
        match self {
            Contestant::Short(period) => format!("short-{}", period.as_millis()),
            Contestant::Long => "long".to_string(),
            Contestant::Events => "events".to_string(),
            Contestant::Push => "push".to_string(),
            Contestant::Relay => "relay".to_string(),
        }
    }

    /// The period, of those who ask by the clock.
    pub fn period(self) -> Option<Duration> {
        if let Contestant::Short(period) = self { Some(period) } else { None }
    }

    /// What theory says about the median from sending to arrival, on a machine that takes no time, with events so far
    /// apart on the average, over a line of which a round trip takes so long and a request so long: twice as much
    /// if it must connect first.
    ///
    /// A message travels to the server, and from there to who listens. Who asks every T finds it after T/2 at the
    /// median. A long poll that was answered is a request away: what happens meanwhile waits for the rest of it.
    pub fn theory(self, rtt: Duration, request: Duration, apart: Duration) -> Duration {
        match self {
            Contestant::Short(period) => period / 2 + request,
            Contestant::Long => {
                let events = request.as_secs_f64() / apart.as_secs_f64();
                // Of each cycle's events, those that find somebody waiting.
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
    /// When, since the beginning.
    pub at: Duration,
    /// What; no two are the same.
    pub text: String,
    order: [u8; Contestant::ALL.len()],
}

impl Event {
    /// When this contestant publishes it: it is the same event to all, but not at the same instant.
    /// Who is first changes from event to event.
    pub fn moment(&self, contestant: Contestant) -> Duration {
        let place = Contestant::ALL.iter().position(|one| *one == contestant).unwrap_or_default();
        self.at + SLOT * u32::from(self.order[place])
    }
}

/// What happens when.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The events, in order.
    pub events: Vec<Event>,
    /// How long it goes on.
    pub window: Duration,
    seed: u64,
}

impl Plan {
    /// A Poisson process: events so far apart on the average, at moments that know nothing of each other nor of
    /// any poller's rhythm.
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

    /// When in its period a subscriber asks: each at another moment, as people who came at different times.
    pub fn phase(&self, period: Duration, subscriber: usize) -> Duration {
        let stream = (subscriber as u64) << 32 | u64::from(period.subsec_micros());
        period.mul_f64(
            StdRng::seed_from_u64(self.seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)).random(),
        )
    }
}
