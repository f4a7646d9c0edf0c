//! The checks of `broadcast`.
//!
//! A server may disconnect a client to which more than 1,000 messages or 1 MiB are on their way. So
//! no check exceeds that for a client that must be served.

mod beats;
mod leaver;
mod load;
mod talk;

use super::{Check, MINIMUM, check};
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Broadcast;

const WELCOMED: &[&str] = &["broadcast::welcome"];
const SPREADS: &[&str] = &["broadcast::welcome", "broadcast::everyone"];
const LESSON: &str = "lessons/05-broadcast.md";
/// The memory that a slow client may cost the server, in bytes.
const SLOW_COST: u64 = 32 << 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        hint: "Send the welcome on the newcomer's own socket before it joins the channel that everyone hears.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 59, messages: 59, ..MINIMUM },
        ..check("broadcast::welcome", Broadcast, include_str!("welcome.md"), |ctx| {
            Box::pin(talk::welcome(ctx))
        })
    },
    Check {
        explained_by: &["broadcast::welcome"],
        requires: WELCOMED,
        needs_uptime: true,
        hint: "Every connection's task subscribes to one tokio::sync::broadcast channel; what a client sends goes into the channel, and what comes out of it goes to the client, its sender included.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 5, messages: 100, ..MINIMUM },
        ..check("broadcast::everyone", Broadcast, include_str!("everyone.md"), |ctx| {
            Box::pin(talk::everyone(ctx))
        })
    },
    Check {
        explained_by: SPREADS,
        requires: SPREADS,
        hint: "One channel keeps the order of what goes in. A task spawned for each message, or each receiver, does not.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 4, messages: 400, ..MINIMUM },
        ..check("broadcast::order", Broadcast, include_str!("order.md"), |ctx| {
            Box::pin(talk::order(ctx))
        })
    },
    Check {
        explained_by: &[
            "broadcast::welcome",
            "broadcast::everyone",
            "broadcast::order",
            "broadcast::crowd",
        ],
        requires: SPREADS,
        hint: "Let everything go through one channel, the sender's own copy too; a reply sent to the sender directly arrives at another place in the order.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 36, messages: 12_000, ..MINIMUM },
        ..check("broadcast::agreement", Broadcast, include_str!("agreement.md"), |ctx| {
            Box::pin(talk::agreement(ctx))
        })
    },
    Check {
        explained_by: SPREADS,
        requires: SPREADS,
        hint: "subscribe() hears only what is sent after it. Keep no history, and subscribe for each connection anew.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 5, messages: 20, ..MINIMUM },
        ..check("broadcast::latecomer", Broadcast, include_str!("latecomer.md"), |ctx| {
            Box::pin(talk::latecomer(ctx))
        })
    },
    Check {
        explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::latecomer"],
        requires: SPREADS,
        hint: "A send that fails concerns one client: leave its loop and let the others go on. In a channel a receiver that is dropped is simply gone.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 8, messages: 40, ..MINIMUM },
        ..check("broadcast::leaver", Broadcast, include_str!("leaver.md"), |ctx| {
            Box::pin(leaver::leaver(ctx))
        })
    },
    Check {
        inconclusive_after: &["broadcast::slow"],
        explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::order"],
        requires: SPREADS,
        heavy: true,
        hint: "A channel of capacity 16 loses the 17th message that waits. Give it room for more than 1,000, and look at what recv() says: Lagged means that messages were lost.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 106, messages: 26_000, ..MINIMUM },
        ..check("broadcast::crowd", Broadcast, include_str!("crowd.md"), |ctx| {
            Box::pin(load::crowd(ctx))
        })
    },
    Check {
        explained_by: &[
            "broadcast::welcome",
            "broadcast::everyone",
            "broadcast::order",
            "broadcast::leaver",
            "broadcast::crowd",
        ],
        requires: SPREADS,
        heavy: true,
        hint: "Never await one client's socket while others wait, and never queue without a limit: a bounded channel, and whoever lags behind it is dropped.",
        lesson: LESSON,
        minimum: MinimumEvidence { connections: 3, messages: 40_000, ..MINIMUM },
        ..check("broadcast::slow", Broadcast, include_str!("slow.md"), |ctx| {
            Box::pin(load::slow(ctx))
        })
    },
    Check {
        explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::leaver"],
        requires: WELCOMED,
        uses_heartbeats: true,
        hint: "Bring the heartbeat over: one more branch in the same select!, beside the socket and the channel.",
        lesson: "lessons/04-heartbeats.md",
        minimum: MinimumEvidence { connections: 7, messages: 20, pings: 14, ends: 2, ..MINIMUM },
        ..check("broadcast::heartbeat", Broadcast, include_str!("heartbeat.md"), |ctx| {
            Box::pin(beats::beats(ctx))
        })
    },
];
