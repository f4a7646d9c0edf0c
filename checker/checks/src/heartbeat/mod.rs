//! The checks of `heartbeat`.
//!
//! Their clock is the server's own: a healthy witness counts its pings, and "by the witness's
//! second ping from now" is a deadline on any machine. Times are compared with the interval between
//! these pings.

pub(super) mod beats;
pub(super) mod drops;
pub(super) mod signs;

use std::time::{Duration, Instant};

use super::{Check, MINIMUM, check, echo};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::verdict::{CheckError, CheckResult, FailureKind, Fundamental};

/// The shortest and longest single interval, as a share of the nominal one.
const SHORTEST: f64 = 0.55;
const LONGEST: f64 = 1.6;
/// The shortest and longest mean of several intervals, as a share of the nominal one.
const SHORTEST_MEAN: f64 = 0.8;
const LONGEST_MEAN: f64 = 1.25;
/// The first ping must come within 1.25 intervals of opening.
const LATEST_FIRST: f64 = 1.25;
/// The number of gaps between pings to examine, and the most of them. The check examines more while
/// their typical deviation is above `SUSPICIOUS`, as a share of an interval. If intervals vary by
/// 30 % either way, 3 in 100 look regular, so the check examines two servers.
const GAPS: usize = 6;
const MOST_GAPS: usize = 12;
const SUSPICIOUS: f64 = 0.035;
/// The largest standard deviation of regular gaps, and the smallest typical deviation of irregular
/// ones, as shares of an interval.
const IRREGULAR: f64 = 0.1;
const TYPICAL: f64 = 0.06;
/// The shortest time to answer a ping. A client has a full interval; half of one is a common
/// mistake that must not pass for a late ping.
const SHORTEST_GRACE: f64 = 0.7;
/// The latest disconnect after an unanswered ping, in intervals. A server that is always later does
/// not disconnect at its ping.
const PROMPT: f64 = 1.25;

const LIVES: &[&str] = &["heartbeat::echo", "heartbeat::pings"];
/// If one of these fails, the pings are useless as a clock.
const BEATS: &[&str] = &["heartbeat::echo", "heartbeat::steady", "heartbeat::alive"];
/// If one of these fails, it is open whether dead clients are disconnected.
const HEARTS: &[&str] =
    &["heartbeat::echo", "heartbeat::steady", "heartbeat::alive", "heartbeat::neighbours"];
/// If one of these fails, it is open how a client is disconnected.
const DROPS: &[&str] = &[
    "heartbeat::echo",
    "heartbeat::steady",
    "heartbeat::alive",
    "heartbeat::dead",
    "heartbeat::neighbours",
];
/// The same, for a client that sends or receives other messages.
const DROPS_AMID_TRAFFIC: &[&str] = &[
    "heartbeat::echo",
    "heartbeat::steady",
    "heartbeat::busy",
    "heartbeat::alive",
    "heartbeat::dead",
    "heartbeat::neighbours",
];
/// The same, for a client that reads nothing. Checks of what counts as a sign of life are closer to
/// the cause.
const DROPS_OF_THE_STALLED: &[&str] = &[
    "heartbeat::echo",
    "heartbeat::steady",
    "heartbeat::busy",
    "heartbeat::alive",
    "heartbeat::dead",
    "heartbeat::chatter",
    "heartbeat::neighbours",
];
const LESSON: &str = "lessons/04-heartbeats.md";

pub(super) const CHECKS: &[Check] = &[
    Check {
        needs_uptime: true,
        hint: "Bring your echo server over as it was green, and let select! choose between the next message and the next beat.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 25, messages: 200, closes: 5, ends: 5, ..MINIMUM },
        ..check("heartbeat::echo", Heartbeat, include_str!("echo.md"), |ctx| {
            Box::pin(still_echo(ctx))
        })
    },
    Check {
        explained_by: &["heartbeat::echo", "heartbeat::steady"],
        requires: &["heartbeat::echo"],
        uses_heartbeats: true,
        hint: "Give each connection a tokio::time::interval of HEARTBEAT_INTERVAL_MS milliseconds and send Message::Ping at each tick.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 16, pings: 16, ..MINIMUM },
        ..check("heartbeat::pings", Heartbeat, include_str!("pings.md"), |ctx| {
            Box::pin(beats::pings(ctx))
        })
    },
    Check {
        explained_by: &["heartbeat::echo", "heartbeat::alive", "heartbeat::interval"],
        requires: LIVES,
        uses_heartbeats: true,
        hint: "Create the interval once, before the loop: made anew in each turn of select! it starts from zero each time.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 3, pings: 20, ..MINIMUM },
        ..check("heartbeat::steady", Heartbeat, include_str!("steady.md"), |ctx| {
            Box::pin(beats::steady(ctx))
        })
    },
    Check {
        inconclusive_after: &["heartbeat::steady", "heartbeat::busy"],
        explained_by: &["heartbeat::echo", "heartbeat::alive"],
        requires: LIVES,
        uses_heartbeats: true,
        hint: "HEARTBEAT_INTERVAL_MS is in milliseconds: Duration::from_millis, used as it is, neither capped nor replaced.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 4, messages: 31, pings: 5, ..MINIMUM },
        ..check("heartbeat::interval", Heartbeat, include_str!("interval.md"), |ctx| {
            Box::pin(beats::interval(ctx))
        })
    },
    Check {
        explained_by: BEATS,
        requires: LIVES,
        uses_heartbeats: true,
        hint: "Messages and beats are two branches of one select!; a message must neither reset the interval nor count as a beat.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 6, messages: 10, pings: 20, ..MINIMUM },
        ..check("heartbeat::busy", Heartbeat, include_str!("busy.md"), |ctx| {
            Box::pin(beats::busy(ctx))
        })
    },
    Check {
        inconclusive_after: &["heartbeat::pings", "heartbeat::steady", "heartbeat::interval"],
        explained_by: &["heartbeat::echo"],
        requires: LIVES,
        uses_heartbeats: true,
        hint: "Set the alive flag at every Message::Pong, and clear it only when you send the next ping.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 4, messages: 5, pings: 27, ..MINIMUM },
        ..check("heartbeat::alive", Heartbeat, include_str!("alive.md"), |ctx| {
            Box::pin(drops::alive(ctx))
        })
    },
    Check {
        explained_by: HEARTS,
        requires: LIVES,
        uses_heartbeats: true,
        hint: "At each beat: is the flag still cleared since the last ping? Then leave the loop and drop the socket, without a close handshake. Otherwise clear it and ping.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 9, pings: 11, ends: 4, ..MINIMUM },
        ..check("heartbeat::dead", Heartbeat, include_str!("dead.md"), |ctx| {
            Box::pin(drops::dead(ctx))
        })
    },
    Check {
        explained_by: DROPS,
        requires: LIVES,
        uses_heartbeats: true,
        hint: "A pong counts for one beat: clear the flag each time you ping, not only the first time.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 2, pings: 5, ends: 1, ..MINIMUM },
        ..check("heartbeat::relapse", Heartbeat, include_str!("relapse.md"), |ctx| {
            Box::pin(signs::relapse(ctx))
        })
    },
    Check {
        explained_by: DROPS_AMID_TRAFFIC,
        requires: LIVES,
        uses_heartbeats: true,
        hint: "Only Message::Pong proves that the client answers; set the flag there and nowhere else.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 8, messages: 8, pings: 8, ends: 4, ..MINIMUM },
        ..check("heartbeat::chatter", Heartbeat, include_str!("chatter.md"), |ctx| {
            Box::pin(signs::chatter(ctx))
        })
    },
    Check {
        inconclusive_after: &["heartbeat::dead"],
        explained_by: &[
            "heartbeat::echo",
            "heartbeat::steady",
            "heartbeat::interval",
            "heartbeat::busy",
            "heartbeat::alive",
        ],
        requires: LIVES,
        uses_heartbeats: true,
        hint: "Each connection has a flag and an end of its own: what one client leaves unanswered must touch no other.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 6, messages: 14, pings: 11, ends: 1, ..MINIMUM },
        ..check("heartbeat::neighbours", Heartbeat, include_str!("neighbours.md"), |ctx| {
            Box::pin(drops::neighbours(ctx))
        })
    },
    Check {
        explained_by: DROPS_OF_THE_STALLED,
        requires: LIVES,
        uses_heartbeats: true,
        hint: "While you await a send that hangs, no beat is looked at: give every write a limit (timeout, or select! against the beat), and drop the connection when it is over.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 4, messages: 6, pings: 2, ..MINIMUM },
        ..check("heartbeat::stalled", Heartbeat, include_str!("stalled.md"), |ctx| {
            Box::pin(drops::stalled(ctx))
        })
    },
];

/// Creates an interval timer. Its first tick comes after one period.
pub(crate) fn metronome(period: Duration) -> tokio::time::Interval {
    tokio::time::interval_at(tokio::time::Instant::now() + period, period)
}

async fn still_echo(ctx: &mut TestContext) -> CheckResult {
    let began = Instant::now();
    let error = match echo_as_before(ctx).await {
        Err(error) if error.is(FailureKind::EndedEarly) => error,
        other => return other,
    };
    // A server may send a ping that is not due for a minute, and disconnect a client because a busy
    // machine delays the answer.
    Err(match ctx.too_busy(began, &error) {
        Some(busy) => CheckError::HostBusy(busy),
        None => error,
    })
}

async fn echo_as_before(ctx: &mut TestContext) -> CheckResult {
    // All checks of heartbeats require this, so it comes first.
    echo::handshake::plainly(ctx).await.fundamental()?;
    echo::welcome::any_message(ctx).await.fundamental()?;
    echo::welcome::welcome(ctx).await?;
    let mut client = ctx.join().await?;
    client.exchange(&ctx.token()).await.fundamental()?;
    let answered = Instant::now();
    ctx.gate_passed();
    echo::handshake::in_all_ways(ctx).await?;
    // The check of the echo itself needs more than one simple message.
    for text in [format!(" {} ", ctx.token()), String::new(), ctx.token()] {
        client.exchange(&text).await?;
    }
    echo::order::order(ctx).await?;
    echo::concurrent::concurrent(ctx).await?;
    let when = ctx.wait_for_uptime(answered).await;
    client.exchange(&ctx.token()).await.map_err(|error| error.context(when))?;
    echo::close::close_after(ctx, 8).await
}
