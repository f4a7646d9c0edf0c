//! The checks of `heartbeat`.
//!
//! Their clock is the server's own: a healthy witness counts its pings, and "by the witness's second ping
//! from now" is a deadline on any machine. What is judged by time is judged against the length of that beat.

pub(super) mod beats;
pub(super) mod drops;
pub(super) mod signs;

use std::time::{Duration, Instant};

use super::{Check, LEAST, check, echo};
use crate::arena::Arena;
use crate::evidence::Least;
use crate::exercise::Exercise::Heartbeat;
use crate::verdict::{Checked, Fundamental};

/// What a beat may be shorter or longer than it should, as a share of itself.
const SHORTEST: f64 = 0.55;
const LONGEST: f64 = 1.6;
/// What it may be on the average of several.
const SHORTEST_MEAN: f64 = 0.8;
const LONGEST_MEAN: f64 = 1.25;
/// The first ping comes within one interval of opening, and a quarter more.
const LATEST_FIRST: f64 = 1.25;
/// The gaps between pings that are looked at; three times as many where their typical deviation is a larger share of an
/// interval than `SUSPICIOUS`. With an interval that varies by 30 % either way, one client in a hundred looks regular.
const GAPS: usize = 6;
const SUSPICIOUS: f64 = 0.025;
/// The largest standard deviation of regular gaps, as a share of an interval.
const IRREGULAR: f64 = 0.1;
/// A client has a full interval to answer; half of one is a mistake that must not pass for a late ping.
const SHORTEST_GRACE: f64 = 0.7;
/// Who is dropped later than this, again and again, is dropped between two beats.
const PROMPT: f64 = 1.25;

const LIVES: &[&str] = &["heartbeat::echo", "heartbeat::pings"];
/// What makes a beat no measure.
const BEATS: &[&str] = &["heartbeat::echo", "heartbeat::steady", "heartbeat::alive"];
/// And what, with it, makes it moot whether the dead are dropped.
const HEARTS: &[&str] =
    &["heartbeat::echo", "heartbeat::steady", "heartbeat::alive", "heartbeat::neighbours"];
/// What makes it moot how a client is dropped.
const DROPS: &[&str] = &[
    "heartbeat::echo",
    "heartbeat::steady",
    "heartbeat::alive",
    "heartbeat::dead",
    "heartbeat::neighbours",
];
/// And how one is dropped to which, or from which, messages are on their way.
const DROPS_AMID_TRAFFIC: &[&str] = &[
    "heartbeat::echo",
    "heartbeat::steady",
    "heartbeat::busy",
    "heartbeat::alive",
    "heartbeat::dead",
    "heartbeat::neighbours",
];
const LESSON: &str = "lessons/04-heartbeats.md";

pub(super) const CHECKS: &[Check] = &[
    Check {
        ages: true,
        hint: "Bring your echo server over as it was green, and let select! choose between the next message and the next beat.",
        lesson: LESSON,
        least: Least { connections: 25, messages: 200, closes: 5, ends: 5, ..LEAST },
        ..check(
            "heartbeat::echo",
            Heartbeat,
            "The contract of `echo` still holds: handshake, welcome, reply, order, concurrent, close.",
            |arena| Box::pin(still_echo(arena)),
        )
    },
    Check {
        explained_by: &["heartbeat::echo", "heartbeat::steady"],
        needs: &["heartbeat::echo"],
        beats: true,
        hint: "Give each connection a tokio::time::interval of HEARTBEAT_INTERVAL_MS milliseconds and send Message::Ping at each tick.",
        lesson: LESSON,
        least: Least { connections: 16, pings: 16, ..LEAST },
        ..check(
            "heartbeat::pings",
            Heartbeat,
            "Every connection gets its first ping, unasked, within about one interval of opening, also one that opens after all others have left.",
            |arena| Box::pin(beats::pings(arena)),
        )
    },
    Check {
        explained_by: &["heartbeat::echo", "heartbeat::alive", "heartbeat::interval"],
        needs: LIVES,
        beats: true,
        hint: "Create the interval once, before the loop: made anew in each turn of select! it starts from zero each time.",
        lesson: LESSON,
        least: Least { connections: 3, pings: 20, ..LEAST },
        ..check(
            "heartbeat::steady",
            Heartbeat,
            "After the first ping comes one each interval: none skipped, no bursts.",
            |arena| Box::pin(beats::steady(arena)),
        )
    },
    Check {
        moot_after: &["heartbeat::steady", "heartbeat::busy"],
        explained_by: &["heartbeat::echo", "heartbeat::alive"],
        needs: LIVES,
        beats: true,
        hint: "HEARTBEAT_INTERVAL_MS is in milliseconds: Duration::from_millis, used as it is, neither capped nor replaced.",
        lesson: LESSON,
        least: Least { connections: 4, messages: 25, pings: 5, ..LEAST },
        ..check(
            "heartbeat::interval",
            Heartbeat,
            "The interval is the one configured: with a long one no ping comes early (one right at opening is allowed).",
            |arena| Box::pin(beats::interval(arena)),
        )
    },
    Check {
        explained_by: BEATS,
        needs: LIVES,
        beats: true,
        hint: "Messages and beats are two branches of one select!; a message must neither reset the interval nor count as a beat.",
        lesson: LESSON,
        least: Least { connections: 6, messages: 10, pings: 20, ..LEAST },
        ..check(
            "heartbeat::busy",
            Heartbeat,
            "Traffic neither postpones, replaces nor adds pings.",
            |arena| Box::pin(beats::busy(arena)),
        )
    },
    Check {
        moot_after: &["heartbeat::pings", "heartbeat::steady", "heartbeat::interval"],
        explained_by: &["heartbeat::echo"],
        needs: LIVES,
        beats: true,
        hint: "Set the alive flag at every Message::Pong, and clear it only when you send the next ping.",
        lesson: LESSON,
        least: Least { connections: 4, messages: 5, pings: 27, ..LEAST },
        ..check(
            "heartbeat::alive",
            Heartbeat,
            "A client that answers pings is never dropped, though it never sends a message.",
            |arena| Box::pin(drops::alive(arena)),
        )
    },
    Check {
        explained_by: HEARTS,
        needs: LIVES,
        beats: true,
        hint: "At each beat: is the flag still cleared since the last ping? Then leave the loop and drop the socket, without a close handshake. Otherwise clear it and ping.",
        lesson: LESSON,
        least: Least { connections: 9, pings: 11, ends: 4, ..LEAST },
        ..check(
            "heartbeat::dead",
            Heartbeat,
            "A client from which no pong came between one beat and the next is dropped at that next beat: the TCP connection ends, and not before it had a full interval to answer.",
            |arena| Box::pin(drops::dead(arena)),
        )
    },
    Check {
        explained_by: DROPS,
        needs: LIVES,
        beats: true,
        hint: "A pong counts for one beat: clear the flag each time you ping, not only the first time.",
        lesson: LESSON,
        least: Least { connections: 2, pings: 5, ends: 1, ..LEAST },
        ..check(
            "heartbeat::relapse",
            Heartbeat,
            "So is one that answered for a while and then fell silent: a pong counts for one beat, not for ever.",
            |arena| Box::pin(signs::relapse(arena)),
        )
    },
    Check {
        explained_by: DROPS_AMID_TRAFFIC,
        needs: LIVES,
        beats: true,
        hint: "Only Message::Pong proves that the client answers; set the flag there and nowhere else.",
        lesson: LESSON,
        least: Least { connections: 8, messages: 8, pings: 8, ends: 4, ..LEAST },
        ..check(
            "heartbeat::chatter",
            Heartbeat,
            "Messages are not pongs: a client that sends text but never a pong is dropped like a silent one.",
            |arena| Box::pin(signs::chatter(arena)),
        )
    },
    Check {
        moot_after: &["heartbeat::dead"],
        explained_by: &[
            "heartbeat::echo",
            "heartbeat::steady",
            "heartbeat::interval",
            "heartbeat::busy",
            "heartbeat::alive",
        ],
        needs: LIVES,
        beats: true,
        hint: "Each connection has a flag and an end of its own: what one client leaves unanswered must touch no other.",
        lesson: LESSON,
        least: Least { connections: 6, messages: 14, pings: 11, ends: 1, ..LEAST },
        ..check(
            "heartbeat::neighbours",
            Heartbeat,
            "Dropping one client disturbs no other.",
            |arena| Box::pin(drops::neighbours(arena)),
        )
    },
    Check {
        explained_by: DROPS_AMID_TRAFFIC,
        needs: LIVES,
        beats: true,
        hint: "While you await a send that hangs, no beat is looked at: give every write a limit (timeout, or select! against the beat), and drop the connection when it is over.",
        lesson: LESSON,
        least: Least { connections: 4, messages: 6, pings: 2, ..LEAST },
        ..check(
            "heartbeat::stalled",
            Heartbeat,
            "A client that also stops reading, so that the server's writes to it no longer go through, is dropped within about five intervals, whatever the write was.",
            |arena| Box::pin(drops::stalled(arena)),
        )
    },
];

/// Sets the pace of what a client does; its first tick comes after one period.
pub(in crate::checks) fn metronome(period: Duration) -> tokio::time::Interval {
    tokio::time::interval_at(tokio::time::Instant::now() + period, period)
}

async fn still_echo(arena: &mut Arena) -> Checked {
    // What all checks of heartbeats stand on comes first: they wait for it.
    echo::handshake::plainly(arena).await.fundamental()?;
    arena.hold_back(true);
    echo::talk::welcome(arena).await?;
    arena.hold_back(false);
    let mut client = arena.join().await?;
    client.exchange(&arena.token()).await.fundamental()?;
    let answered = Instant::now();
    arena.sound();
    echo::handshake::in_all_ways(arena).await?;
    // More than a simple message is asked of echo itself.
    for text in [format!(" {} ", arena.token()), String::new(), arena.token()] {
        client.exchange(&text).await?;
    }
    echo::talk::order(arena).await?;
    echo::talk::concurrent(arena).await?;
    let when = arena.aged(answered).await;
    client.exchange(&arena.token()).await.map_err(|trouble| trouble.amid(when))?;
    echo::ends::close_after(arena, 8).await
}
