//! Renders the failures of heartbeats in words.

use std::time::Duration;

use harness::failure::heartbeat::{BlockedWrite, HeartbeatCause, Timing};
use harness::interval::Interval;

/// Headline, expected and got.
pub(super) fn sentence(cause: &HeartbeatCause) -> (String, String, String) {
    let (expected, got) = rows(cause);
    (headline(cause), expected, got)
}

fn headline(cause: &HeartbeatCause) -> String {
    match cause {
        HeartbeatCause::NoFirstPing(_) => {
            "The server sent no ping within about one interval of opening.".to_string()
        }
        HeartbeatCause::LateFirstPing(_) => {
            "The server sent its first ping later than about one interval after opening."
                .to_string()
        }
        HeartbeatCause::ShortGap { .. } => {
            "The server sent two pings in less than an interval.".to_string()
        }
        HeartbeatCause::LongGap { .. } => {
            "The server left out a ping, or sent it much too late.".to_string()
        }
        HeartbeatCause::WrongMeanGap(Timing { interval, time }) => {
            let wrong = if *time < interval.0 { "often" } else { "seldom" };
            format!("The server sent pings too {wrong}.")
        }
        HeartbeatCause::IrregularGaps { .. } => {
            "The server sent pings at irregular intervals.".to_string()
        }
        HeartbeatCause::PingsTooEarly { .. } => {
            "The server sent pings although the interval is long.".to_string()
        }
        HeartbeatCause::WrongPingCount { client, expected, got } => {
            let wrong = if got > expected { "more" } else { "fewer" };
            format!("The server sent {wrong} pings to {client} than to a quiet client.")
        }
        HeartbeatCause::DroppedAlive { .. } => {
            "The server dropped a client that answered every ping.".to_string()
        }
        HeartbeatCause::DroppedUnpinged => {
            "The server dropped a client to which it had sent no ping.".to_string()
        }
        HeartbeatCause::DroppedAfterLatePong => {
            "The server dropped a client that had answered late in the interval.".to_string()
        }
        HeartbeatCause::NotDropped => {
            "The server did not drop a client that left a ping unanswered.".to_string()
        }
        HeartbeatCause::DroppedEarly(_) => {
            "The server dropped a client before it had a full interval to answer.".to_string()
        }
        HeartbeatCause::DroppedLate(_) => {
            "The server dropped a client too late after an unanswered ping.".to_string()
        }
        HeartbeatCause::DroppedBetweenPings(_) => {
            "The server drops clients between two pings, and not when the next one is due."
                .to_string()
        }
        HeartbeatCause::StalledNotDropped { write, .. } => format!(
            "The server did not drop a client that stopped reading while {} to it blocked.",
            noun(*write)
        ),
    }
}

/// Expected and got.
fn rows(cause: &HeartbeatCause) -> (String, String) {
    match cause {
        HeartbeatCause::NoFirstPing(Timing { interval, time }) => {
            (first_ping(*interval), format!("none in {} ms", time.as_millis()))
        }
        HeartbeatCause::LateFirstPing(timing) => (first_ping(timing.interval), after(timing)),
        HeartbeatCause::ShortGap { ping, gap } | HeartbeatCause::LongGap { ping, gap } => {
            (format!("ping {ping} {} after ping {}", one(gap.interval), ping - 1), measured(gap))
        }
        HeartbeatCause::WrongMeanGap(mean) => {
            (format!("{} from ping to ping, on the average", one(mean.interval)), measured(mean))
        }
        HeartbeatCause::IrregularGaps { interval, gaps, shortest, longest } => (
            format!("{} from each ping to the next", one(*interval)),
            format!("{gaps} gaps of {} to {} ms", shortest.as_millis(), longest.as_millis()),
        ),
        HeartbeatCause::PingsTooEarly { pings, timing: Timing { interval, time } } => (
            format!(
                "with HEARTBEAT_INTERVAL_MS={}, no ping so soon (one right at opening is allowed)",
                interval.0.as_millis()
            ),
            format!("{} in {} ms", counted(*pings, "ping"), time.as_millis()),
        ),
        HeartbeatCause::WrongPingCount { expected, got, .. } => (
            format!("{expected} pings, give or take one, as a quiet client in the same time"),
            counted(*got, "ping"),
        ),
        HeartbeatCause::DroppedAlive { pings } => (
            "the connection stays open as long as pings are answered".to_string(),
            format!("its end after {}", counted(*pings, "answered ping")),
        ),
        HeartbeatCause::DroppedUnpinged => (
            "a ping, then a full interval to answer it".to_string(),
            "the end of the TCP connection".to_string(),
        ),
        HeartbeatCause::DroppedAfterLatePong => (
            "a pong counts whenever it comes between one ping and the next".to_string(),
            "the end of the TCP connection".to_string(),
        ),
        HeartbeatCause::NotDropped => (
            "the end of the TCP connection when the next ping is due".to_string(),
            "still open three pings later".to_string(),
        ),
        HeartbeatCause::DroppedEarly(timing)
        | HeartbeatCause::DroppedLate(timing)
        | HeartbeatCause::DroppedBetweenPings(timing) => (
            format!(
                "the end of the TCP connection {} after the unanswered ping",
                one(timing.interval)
            ),
            format!("its end {}", after(timing)),
        ),
        HeartbeatCause::StalledNotDropped { waited, .. } => (
            "the end of the TCP connection, although the server's write blocks".to_string(),
            format!("still open after five intervals ({} ms)", waited.as_millis()),
        ),
    }
}

fn noun(write: BlockedWrite) -> &'static str {
    match write {
        BlockedWrite::Reply => "a reply",
        BlockedWrite::Ping => "a ping",
    }
}

fn first_ping(interval: Interval) -> String {
    format!("a ping within about {} ms of opening", millis(interval.0))
}

fn one(interval: Interval) -> String {
    format!("one interval ({} ms)", millis(interval.0))
}

fn after(timing: &Timing) -> String {
    format!("after {}", measured(timing))
}

fn measured(Timing { interval, time }: &Timing) -> String {
    format!("{} ms ({:.1} intervals)", millis(*time), interval.ratio(*time))
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}
