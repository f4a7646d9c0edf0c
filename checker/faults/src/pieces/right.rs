//! The right servers in other clothes.

use std::io;

use super::Exercise;
use crate::base::{self, Twist};
use crate::config::Config;
use crate::right as on;

/// What a piece runs on.
pub(crate) enum Works {
    /// The base server with these twists.
    Base(&'static [Twist]),
    /// A server of its own.
    Own(fn(Config) -> io::Result<()>),
}

/// One right server.
pub(crate) struct Right {
    pub(crate) name: &'static str,
    pub(crate) exercise: Exercise,
    pub(crate) sentence: &'static str,
    pub(crate) works: Works,
}

const fn right(
    exercise: Exercise,
    name: &'static str,
    works: Works,
    sentence: &'static str,
) -> Right {
    Right { name, exercise, sentence, works }
}

use Exercise::{Broadcast, Echo, Heartbeat};
use Works::{Base, Own};

pub(crate) const RIGHT: &[Right] = &[
    right(
        Echo,
        "raw-echo",
        Base(&[]),
        "Raw frames by hand, a reader and a writer task for each client.",
    ),
    right(
        Heartbeat,
        "raw-heartbeat",
        Base(&[]),
        "Raw frames by hand, one timer for each connection.",
    ),
    right(
        Broadcast,
        "raw-broadcast",
        Base(&[]),
        "Raw frames by hand, one list of clients under a lock.",
    ),
    right(
        Echo,
        "split-echo",
        Own(|config| on::on_all_cores(on::split(config, false))),
        "Split halves: one task reads, another writes what comes through a channel.",
    ),
    right(
        Heartbeat,
        "split-heartbeat",
        Own(|config| on::on_all_cores(on::split(config, true))),
        "Split halves, and the heartbeat puts its pings into the writer's channel.",
    ),
    right(
        Echo,
        "single-thread-echo",
        Own(|config| on::on_one_core(on::split(config, false))),
        "Everything on one thread: concurrency without parallelism.",
    ),
    right(
        Broadcast,
        "single-thread-broadcast",
        Own(|config| on::on_one_core(base::run(config, Broadcast, &[]))),
        "A whole room on one thread.",
    ),
    right(
        Echo,
        "threads-echo",
        Own(on::threads),
        "A thread for each connection, and no async at all.",
    ),
    right(
        Heartbeat,
        "sweep-heartbeat",
        Own(|config| on::on_all_cores(on::sweep(config))),
        "One timer for all: each beat sweeps the table of clients, aborts the dead and pings the rest.",
    ),
    right(
        Heartbeat,
        "opening-ping-heartbeat",
        Own(|config| on::on_all_cores(on::opening(config))),
        "One `interval` for each connection, whose first ping comes right at opening, or when the runtime gets to it.",
    ),
    right(
        Heartbeat,
        "stamped-pings-heartbeat",
        Base(&[Twist::StampedPings]),
        "Its pings carry the time, and any pong counts as an answer.",
    ),
    right(
        Broadcast,
        "channel-broadcast",
        Own(|config| on::on_all_cores(on::channel(config))),
        "tokio's `broadcast` channel: who lags by all of it is dropped.",
    ),
    right(
        Broadcast,
        "map-broadcast",
        Own(|config| on::on_all_cores(on::map(config))),
        "A map of bounded senders under a mutex; whose queue is full is taken out.",
    ),
    right(
        Broadcast,
        "actor-broadcast",
        Own(|config| on::on_all_cores(on::actor(config))),
        "An actor owns all clients and gets letters from everybody else.",
    ),
    right(
        Broadcast,
        "closes-slow-broadcast",
        Base(&[Twist::ClosesSlowSoon]),
        "Ends a client's connection as soon as 1,000 messages and 1 MiB are on their way to it and nothing moves.",
    ),
    right(
        Echo,
        "fragments-echo",
        Base(&[Twist::FragmentsLongReplies]),
        "Sends its long messages in fragments of 1,000 bytes, edges in the middle of characters included.",
    ),
    right(
        Echo,
        "other-headers-echo",
        Base(&[Twist::OtherHeaders]),
        "Its 101 has header names in lower case, values in other cases, and headers that nobody asked for.",
    ),
    right(
        Echo,
        "late-ready-echo",
        Base(&[Twist::ReadyLate]),
        "Accepts at once, and prints the ready line two seconds later.",
    ),
    right(
        Echo,
        "chatty-echo",
        Base(&[Twist::Chatty]),
        "Prints many lines of its own among the log lines, on both streams.",
    ),
    right(
        Echo,
        "closes-idle-echo",
        Base(&[Twist::ClosesIdle]),
        "Says goodbye to a client of which it has heard nothing for three quarters of a second.",
    ),
    right(
        Echo,
        "pinging-echo",
        Base(&[Twist::PingsInEcho]),
        "Pings its clients twenty times a second though nobody asked it to, and drops nobody.",
    ),
    right(
        Echo,
        "pieces-echo",
        Base(&[Twist::WritesInPieces]),
        "Writes seven bytes at a time, edges inside of frame headers included.",
    ),
    right(
        Broadcast,
        "nagle-broadcast",
        Base(&[Twist::WaitsForAcks]),
        "Leaves Nagle's algorithm on: small packets wait while others are on their way.",
    ),
    right(
        Echo,
        "page-echo",
        Base(&[Twist::ServesAPage]),
        "Has a page for browsers that come with plain HTTP, and keeps their connections open.",
    ),
    right(
        Echo,
        "resets-offenders-echo",
        Base(&[Twist::ResetsOffenders]),
        "Resets the connection of a client that breaks the protocol, without a close frame.",
    ),
    right(
        Heartbeat,
        "says-why-heartbeat",
        Base(&[Twist::SaysWhyItDrops]),
        "Sends a close frame to the dead, and ends their connections without waiting for an answer.",
    ),
    right(
        Echo,
        "fragments-and-pings-echo",
        Base(&[Twist::FragmentsEverything]),
        "Sends every message in fragments, with a ping after each and an empty one at the end.",
    ),
    right(
        Echo,
        "pongs-twice-echo",
        Base(&[Twist::PongsTwice]),
        "Answers a ping by hand though its library does already, and sends a pong that nobody asked for as well.",
    ),
    right(
        Heartbeat,
        "own-pongs-heartbeat",
        Base(&[Twist::OnlyItsOwnPongs]),
        "Takes only that pong for an answer which has the payload of the last ping.",
    ),
    right(
        Heartbeat,
        "resets-the-dead-heartbeat",
        Base(&[Twist::ResetsTheDead]),
        "Drops the dead with a TCP reset.",
    ),
];
