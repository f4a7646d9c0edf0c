//! The loads, and the quantities that each measures.

use std::fmt;
use std::time::Duration;

use harness::exercise::Exercise;

use crate::drive::{self, DriveError, Tally, Window};
use crate::peer::{Peer, Peers, StartError};

/// The heartbeat interval of idle connections.
const INTERVAL: Duration = Duration::from_secs(1);
/// An interval so long that no ping falls into the window.
const NO_HEARTBEAT: Duration = Duration::from_secs(3600);
/// The size of a broadcast message in bytes.
const SMALL: usize = 64;

/// One load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Each client sends messages and receives the replies.
    Echo {
        /// The number of clients.
        clients: usize,
        /// Messages in flight for each client.
        in_flight: usize,
        /// Bytes of a message.
        size: usize,
    },
    /// One client sends messages, and every client receives them.
    Broadcast {
        /// The number of clients.
        clients: usize,
        /// Messages in flight.
        in_flight: usize,
    },
    /// Clients connect, receive the welcome and reset the connection.
    Handshakes,
    /// Clients only answer one ping a second.
    Idle {
        /// The number of clients.
        clients: usize,
    },
}

/// One value that one load measured on one server in one round.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Sample {
    /// The quantity. A load may measure several.
    pub quantity: Quantity,
    /// The value in the quantity's unit.
    pub value: f64,
    /// The rate by the clock instead of the server's CPU time.
    pub by_clock: Option<f64>,
    /// The 99th percentile of the latency in milliseconds.
    pub p99: Option<f64>,
    /// The share of the time during which the server ran.
    pub busy: Option<f64>,
}

/// A measured quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Messages, deliveries or handshakes for each second of the server's CPU time, or of the
    /// clock where CPU time is unknown.
    Rate,
    /// KiB of the server's memory for each connection.
    Memory,
    /// Microseconds of the server's CPU time for each ping.
    Ping,
}

impl Quantity {
    /// Returns the unit.
    pub fn unit(self) -> &'static str {
        match self {
            Quantity::Rate => "a second",
            Quantity::Memory => "KiB a connection",
            Quantity::Ping => "µs a ping",
        }
    }

    /// Returns true if a larger value is better.
    pub fn more_is_better(self) -> bool {
        self == Quantity::Rate
    }
}

/// Why a load could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The server does not run.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The run failed.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

impl Load {
    /// 64 bytes, 16 messages in flight.
    pub const ECHO_PIPELINED: Load = Load::Echo { clients: 50, in_flight: 16, size: 64 };
    /// 64 KiB, one message at a time.
    pub const ECHO_LARGE: Load = Load::Echo { clients: 50, in_flight: 1, size: 64 << 10 };
    /// 100 clients, 64 messages in flight.
    pub const BROADCAST_PIPELINED: Load = Load::Broadcast { clients: 100, in_flight: 64 };
    /// 100 clients, one message at a time.
    pub const BROADCAST_SINGLE: Load = Load::Broadcast { clients: 100, in_flight: 1 };
    /// 1,000 idle clients.
    pub const IDLE: Load = Load::Idle { clients: 1_000 };

    /// The loads that compare the peers, in the order of the tables.
    pub const ALL: [Load; 9] = [
        Load::Echo { clients: 50, in_flight: 1, size: 64 },
        Load::ECHO_PIPELINED,
        Load::ECHO_LARGE,
        Load::Broadcast { clients: 10, in_flight: 64 },
        Load::BROADCAST_PIPELINED,
        Load::Broadcast { clients: 1_000, in_flight: 64 },
        Load::BROADCAST_SINGLE,
        Load::Handshakes,
        Load::IDLE,
    ];

    /// The loads that compare the steps.
    pub const STEPS: [Load; 5] = [
        Load::ECHO_PIPELINED,
        Load::ECHO_LARGE,
        Load::BROADCAST_PIPELINED,
        Load::BROADCAST_SINGLE,
        Load::IDLE,
    ];

    /// Returns the loads that show how the cost grows with the number of clients.
    pub fn growth() -> Vec<Load> {
        let sizes = [1, 10, 100, 1_000, 5_000];
        let broadcasts = sizes.map(|clients| Load::Broadcast { clients, in_flight: 1 });
        broadcasts.into_iter().chain(sizes.map(|clients| Load::Idle { clients })).collect()
    }

    /// Returns the number of clients.
    pub fn clients(self) -> usize {
        match self {
            Load::Echo { clients, .. }
            | Load::Broadcast { clients, .. }
            | Load::Idle { clients } => clients,
            Load::Handshakes => 32,
        }
    }

    /// Returns true if several messages are in flight. One write can then carry many of them.
    pub fn has_backlog(self) -> bool {
        matches!(
            self,
            Load::Echo { in_flight, .. } | Load::Broadcast { in_flight, .. } if in_flight > 1
        )
    }

    /// Returns true if the peer supports this load. `floor` only returns bytes to their sender.
    pub fn suits(self, peer: Peer) -> bool {
        peer != Peer::Floor || matches!(self, Load::Echo { .. })
    }

    /// Starts a server and measures it under this load.
    ///
    /// # Errors
    /// If the server does not start or violates the contract.
    pub fn measure(
        self,
        peers: &Peers,
        peer: Peer,
        window: Window,
    ) -> Result<Vec<Sample>, MeasureError> {
        let start = |exercise, interval| peers.start(peer, exercise, interval);
        Ok(match self {
            Load::Echo { clients, in_flight, size } => {
                let server = start(Exercise::Echo, NO_HEARTBEAT)?;
                let shape = (clients, in_flight, size);
                vec![rate(&drive::echo(&server, peer == Peer::Floor, shape, window)?)]
            }
            Load::Broadcast { clients, in_flight } => {
                let server = start(Exercise::Broadcast, NO_HEARTBEAT)?;
                vec![rate(&drive::broadcast(&server, (clients, in_flight, SMALL), window)?)]
            }
            Load::Handshakes => {
                let server = start(Exercise::Echo, NO_HEARTBEAT)?;
                vec![rate(&drive::handshakes(&server, window)?)]
            }
            Load::Idle { clients } => {
                let server = start(Exercise::Heartbeat, INTERVAL)?;
                // Whole intervals: any window of this length contains the same number of pings.
                let window = Window { warm_up: INTERVAL.mul_f64(1.5), measured: INTERVAL * 2 };
                let (memory, pings) = drive::idle(&server, clients, window)?;
                let mut samples = Vec::new();
                if let Some((before, after)) = memory {
                    let bytes = after.saturating_sub(before) as f64 / clients as f64;
                    samples.push(sample(Quantity::Memory, bytes / 1024.0, None));
                }
                if let Some(processor) = pings.processor.filter(|_| pings.count > 0) {
                    let value = processor.as_secs_f64() * 1e6 / pings.count as f64;
                    samples.push(sample(Quantity::Ping, value, busy(&pings)));
                }
                samples
            }
        })
    }
}

fn sample(quantity: Quantity, value: f64, busy: Option<f64>) -> Sample {
    Sample { quantity, value, by_clock: None, p99: None, busy }
}

fn rate(tally: &Tally) -> Sample {
    let by_clock = tally.count as f64 / tally.wall.as_secs_f64();
    let value =
        tally.processor.map_or(by_clock, |processor| tally.count as f64 / processor.as_secs_f64());
    let p99 = tally.p99.map(|p99| p99.as_secs_f64() * 1e3);
    let by_clock = Some(by_clock);
    Sample { quantity: Quantity::Rate, value, by_clock, p99, busy: busy(tally) }
}

fn busy(tally: &Tally) -> Option<f64> {
    Some(tally.processor?.as_secs_f64() / tally.wall.as_secs_f64())
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = |count: usize| {
            if count == 1 { "1 client".to_string() } else { format!("{count} clients") }
        };
        match *self {
            Load::Echo { clients: count, in_flight, size } => {
                let size =
                    if size < 1024 { format!("{size} B") } else { format!("{} KiB", size / 1024) };
                write!(f, "echo, {size}, {}, {in_flight} in flight", clients(count))
            }
            Load::Broadcast { clients: count, in_flight } => {
                write!(f, "broadcast, {}, {in_flight} in flight", clients(count))
            }
            Load::Handshakes => write!(f, "handshakes"),
            Load::Idle { clients: count } => write!(f, "idle, {}", clients(count)),
        }
    }
}
