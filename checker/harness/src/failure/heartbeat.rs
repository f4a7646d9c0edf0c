//! Failures of heartbeats, as data.

use std::time::Duration;

use crate::interval::Interval;
use crate::verdict::FailureKind;

/// A measured time, and the interval to compare it with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The interval in the server's environment.
    pub interval: Interval,
    /// The measured time.
    pub time: Duration,
}

/// The write of the server that blocks because a client does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockedWrite {
    /// The reply to a message of that client.
    Reply,
    /// A ping.
    Ping,
}

/// An error of the server with its pings, or with a client that answers none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatCause {
    /// No ping came in this time.
    NoFirstPing(Timing),
    /// The first ping came late.
    LateFirstPing(Timing),
    /// A ping came too soon after the one before it.
    ShortGap {
        /// The number of the ping, from 2.
        ping: usize,
        /// The time between the two pings.
        gap: Timing,
    },
    /// A ping came too late after the one before it, or not at all.
    LongGap {
        /// The number of the ping, from 2.
        ping: usize,
        /// The time since the ping before it.
        gap: Timing,
    },
    /// The mean of several gaps is too short or too long.
    WrongMeanGap(Timing),
    /// The gaps differ too much.
    IrregularGaps {
        /// The interval in the server's environment.
        interval: Interval,
        /// The number of gaps.
        gaps: usize,
        /// The shortest gap.
        shortest: Duration,
        /// The longest gap.
        longest: Duration,
    },
    /// Pings came long before they were due.
    PingsTooEarly {
        /// The number of pings.
        pings: usize,
        /// The interval, and the time since the server's start.
        timing: Timing,
    },
    /// A client got more or fewer pings than a quiet client.
    WrongPingCount {
        /// The client, as a noun phrase: "a client that sends pings".
        client: &'static str,
        /// The pings of the quiet client.
        expected: usize,
        /// The client's pings.
        got: usize,
    },
    /// A client that answered every ping was dropped.
    DroppedAlive {
        /// The number of answered pings.
        pings: usize,
    },
    /// A client was dropped that had got no ping.
    DroppedUnpinged,
    /// A client was dropped although it had answered late in the interval.
    DroppedAfterLatePong,
    /// A client that answered no ping was still connected three pings later.
    NotDropped,
    /// A client was dropped too soon after the unanswered ping.
    DroppedEarly(Timing),
    /// A client was dropped too late after the unanswered ping.
    DroppedLate(Timing),
    /// The fastest of several disconnects came too late to be at the next ping.
    DroppedBetweenPings(Timing),
    /// A client that stopped reading was not dropped.
    StalledNotDropped {
        /// The write that blocks.
        write: BlockedWrite,
        /// The time since the client stopped reading.
        waited: Duration,
    },
}

impl HeartbeatCause {
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Self::DroppedAlive { .. } | Self::DroppedUnpinged | Self::DroppedAfterLatePong => {
                FailureKind::EndedEarly
            }
            Self::NotDropped | Self::StalledNotDropped { .. } => FailureKind::StillOpen,
            _ => FailureKind::WrongTiming,
        }
    }

    /// Returns true if no delay of a busy host explains the failure.
    pub(super) fn is_certain(&self) -> bool {
        match self {
            // Several intervals without any ping are not a delay.
            Self::NoFirstPing(Timing { interval, time }) => *time > interval.times(4.0),
            // `steady` compares the gaps with the typical delay before it fails.
            Self::IrregularGaps { .. } => true,
            // A single ping at opening may have been due and late. A delay does not make two.
            Self::PingsTooEarly { pings, .. } => *pings > 1,
            _ => false,
        }
    }
}
