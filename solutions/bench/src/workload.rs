//! The loads of a run: which there are, and what each tells of a server.

use std::fmt;
use std::time::Duration;

use checker::exercise::Exercise;

use crate::drive::{self, Measured, Window};
use crate::peer::{Peer, Peers};

/// Idle connections are pinged so often.
const BEAT: Duration = Duration::from_secs(1);
/// No ping in the window.
const NO_BEAT: Duration = Duration::from_secs(3600);
/// The size of a broadcast message, in bytes.
const SMALL: usize = 64;

/// One load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Each of the clients has messages in flight, and gets them back.
    Echo {
        /// How many clients.
        clients: usize,
        /// How many messages each has in flight.
        in_flight: usize,
        /// Bytes of a message.
        size: usize,
    },
    /// One client has messages in flight, and all get them.
    Broadcast {
        /// How many clients.
        clients: usize,
        /// How many messages.
        in_flight: usize,
    },
    /// Clients come, are welcomed, and are gone.
    Handshakes,
    /// Clients do nothing but answer a ping a second.
    Idle {
        /// How many clients.
        clients: usize,
    },
}

/// What one load told of one server in one round.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Told {
    /// What it is called; several things may be told.
    pub figure: Figure,
    /// The figure.
    pub value: f64,
    /// The same by the clock and not by the server's processor time, where that makes a difference.
    pub by_clock: Option<f64>,
    /// The time, in milliseconds, that 99 of 100 messages took at most.
    pub p99: Option<f64>,
    /// Which part of the time the server ran.
    pub busy: Option<f64>,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Messages, deliveries or handshakes for each second of the server's processor; of the clock, where that is not
    /// known.
    Rate,
    /// KiB of the server's memory for each connection.
    Memory,
    /// Microseconds of the server's processor for each ping.
    Ping,
}

impl Figure {
    /// In which unit.
    pub fn unit(self) -> &'static str {
        match self {
            Figure::Rate => "a second",
            Figure::Memory => "KiB a connection",
            Figure::Ping => "µs a ping",
        }
    }

    /// Whether more is better.
    pub fn grows(self) -> bool {
        self == Figure::Rate
    }
}

impl Load {
    /// All loads, in the order of the tables.
    pub fn all() -> Vec<Load> {
        let echo = |clients, in_flight, size| Load::Echo { clients, in_flight, size };
        let broadcast = |clients, in_flight| Load::Broadcast { clients, in_flight };
        let mut all = Vec::new();
        for (size, deep) in [(64, true), (1 << 10, true), (64 << 10, false)] {
            all.extend([1, 50, 64, 1_000].map(|clients| echo(clients, 1, size)));
            if deep {
                all.push(echo(50, 16, size));
            }
        }
        all.extend([
            broadcast(10, 64),
            broadcast(100, 64),
            broadcast(1_000, 64),
            broadcast(100, 1),
        ]);
        all.push(Load::Handshakes);
        all.extend([Load::Idle { clients: 1_000 }, Load::Idle { clients: 5_000 }]);
        all
    }

    /// Those that show how cost grows.
    pub fn growing() -> Vec<Load> {
        let sizes = [1, 10, 100, 1_000, 5_000];
        let broadcasts = sizes.map(|clients| Load::Broadcast { clients, in_flight: 1 });
        broadcasts.into_iter().chain(sizes.map(|clients| Load::Idle { clients })).collect()
    }

    /// How many clients.
    pub fn clients(self) -> usize {
        match self {
            Load::Echo { clients, .. }
            | Load::Broadcast { clients, .. }
            | Load::Idle { clients } => clients,
            Load::Handshakes => 32,
        }
    }

    /// Whether messages wait for each other, which is when one write can serve many.
    pub fn has_backlog(self) -> bool {
        matches!(self, Load::Echo { in_flight, .. } | Load::Broadcast { in_flight, .. } if in_flight > 1)
    }

    /// Whether that peer can be asked for it.
    pub fn suits(self, peer: Peer) -> bool {
        // The floor sends back, and that is all.
        peer != Peer::Floor || matches!(self, Load::Echo { .. })
    }

    /// Puts the load on a server of that peer.
    ///
    /// # Errors
    /// When the server does not keep the contract under it.
    pub fn measure(self, peers: &Peers, peer: Peer, window: Window) -> Result<Vec<Told>, String> {
        let failed = |why| format!("{}, {self}: {why}", peer.name());
        let start = |exercise, beat| peers.start(peer, exercise, beat);
        Ok(match self {
            Load::Echo { clients, in_flight, size } => {
                let server = start(Exercise::Echo, NO_BEAT)?;
                let shape = (clients, in_flight, size);
                vec![rate(
                    drive::echo(&server, peer == Peer::Floor, shape, window).map_err(failed)?,
                )]
            }
            Load::Broadcast { clients, in_flight } => {
                let server = start(Exercise::Broadcast, NO_BEAT)?;
                vec![rate(
                    drive::broadcast(&server, (clients, in_flight, SMALL), window)
                        .map_err(failed)?,
                )]
            }
            Load::Handshakes => {
                vec![rate(
                    drive::handshakes(&start(Exercise::Echo, NO_BEAT)?, window).map_err(failed)?,
                )]
            }
            Load::Idle { clients } => {
                let server = start(Exercise::Heartbeat, BEAT)?;
                // Whole beats, or it would depend on when the window begins how many are in it.
                let window = Window { warm_up: BEAT.mul_f64(2.5), measured: BEAT * 3 };
                let (memory, pings) = drive::idle(&server, clients, window).map_err(failed)?;
                let mut told = Vec::new();
                if let Some((before, after)) = memory {
                    let bytes = after.saturating_sub(before) as f64 / clients as f64;
                    let value = bytes / 1024.0;
                    told.push(Told {
                        figure: Figure::Memory,
                        value,
                        by_clock: None,
                        p99: None,
                        busy: None,
                    });
                }
                if let Some(processor) = pings.processor.filter(|_| pings.count > 0) {
                    let value = processor.as_secs_f64() * 1e6 / pings.count as f64;
                    told.push(Told {
                        figure: Figure::Ping,
                        value,
                        by_clock: None,
                        p99: None,
                        busy: busy(&pings),
                    });
                }
                told
            }
        })
    }
}

fn rate(measured: Measured) -> Told {
    let by_clock = measured.count as f64 / measured.wall.as_secs_f64();
    let value = measured
        .processor
        .map_or(by_clock, |processor| measured.count as f64 / processor.as_secs_f64());
    let p99 = measured.p99.map(|p99| p99.as_secs_f64() * 1e3);
    Told { figure: Figure::Rate, value, by_clock: Some(by_clock), p99, busy: busy(&measured) }
}

fn busy(measured: &Measured) -> Option<f64> {
    Some(measured.processor?.as_secs_f64() / measured.wall.as_secs_f64())
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
