//! The checks of `echo`.

pub(super) mod ends;
pub(super) mod handshake;
mod log;
pub(super) mod payloads;
pub(super) mod talk;
pub(super) mod texts;

use super::{Check, MINIMUM, check};
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;

const WELCOMED: &[&str] = &["echo::handshake", "echo::welcome"];
const ECHOES: &[&str] = &["echo::handshake", "echo::welcome", "echo::reply"];
/// Checks that fail if the server sends a message twice or never.
const TALKS: &[&str] = &["echo::welcome", "echo::reply", "echo::order"];
/// The same, and those that fail if the server delays messages or mixes them up.
const TOGETHER: &[&str] =
    &["echo::welcome", "echo::reply", "echo::order", "echo::concurrent", "echo::payloads"];

pub(super) const CHECKS: &[Check] = &[
    Check {
        hint: "accept_async(stream).await does the whole handshake; await it inside the connection's own task.",
        lesson: "lessons/02-the-handshake.md",
        minimum: MinimumEvidence { connections: 13, ..MINIMUM },
        ..check("echo::handshake", Echo, include_str!("handshake.md"), |ctx| {
            Box::pin(handshake::handshake(ctx))
        })
    },
    Check {
        requires: &["echo::handshake"],
        hint: "Right after the handshake, and before anything is read, send Message::text(\"Welcome! Connection established.\").",
        lesson: "lessons/03-echo.md",
        minimum: MinimumEvidence { connections: 4, messages: 4, ..MINIMUM },
        ..check("echo::welcome", Echo, include_str!("welcome.md"), |ctx| {
            Box::pin(talk::welcome(ctx))
        })
    },
    Check {
        explained_by: &["echo::welcome"],
        requires: WELCOMED,
        needs_uptime: true,
        hint: "format!(\"Server received: {text}\") and nothing else: no trim(), no case changes, the same for every message and client.",
        lesson: "lessons/03-echo.md",
        minimum: MinimumEvidence { connections: 15, messages: 55, ..MINIMUM },
        ..check("echo::reply", Echo, include_str!("reply.md"), |ctx| Box::pin(talk::reply(ctx)))
    },
    Check {
        explained_by: &["echo::welcome", "echo::reply"],
        requires: ECHOES,
        hint: "Answer each message where you read it, in one loop; a task spawned for each message may overtake its neighbour.",
        lesson: "lessons/03-echo.md",
        minimum: MinimumEvidence { messages: 1_230, ..MINIMUM },
        ..check("echo::order", Echo, include_str!("order.md"), |ctx| Box::pin(talk::order(ctx)))
    },
    Check {
        explained_by: &[
            "echo::handshake",
            "echo::welcome",
            "echo::reply",
            "echo::order",
            "echo::concurrent",
            "echo::ping",
        ],
        requires: ECHOES,
        hint: "The library hands you whole messages of up to 64 MiB: pass the text on as it is, whatever its length and content.",
        lesson: "lessons/03-echo.md",
        heavy: true,
        minimum: MinimumEvidence { connections: 4, messages: 80, ..MINIMUM },
        ..check("echo::payloads", Echo, include_str!("payloads.md"), |ctx| {
            Box::pin(payloads::payloads(ctx))
        })
    },
    Check {
        explained_by: TALKS,
        requires: ECHOES,
        hint: "Message::Binary carries bytes: String::from_utf8_lossy turns them into text and puts U+FFFD where they are none.",
        lesson: "lessons/03-echo.md",
        minimum: MinimumEvidence { messages: 10, ..MINIMUM },
        ..check("echo::binary", Echo, include_str!("binary.md"), |ctx| {
            Box::pin(payloads::binary(ctx))
        })
    },
    Check {
        explained_by: TALKS,
        requires: ECHOES,
        hint: "tokio::spawn a task for each accepted stream, and await the handshake inside it: the accept loop awaits accept() only.",
        lesson: "lessons/03-echo.md",
        minimum: MinimumEvidence { connections: 150, messages: 248, ..MINIMUM },
        ..check("echo::concurrent", Echo, include_str!("concurrent.md"), |ctx| {
            Box::pin(talk::concurrent(ctx))
        })
    },
    Check {
        explained_by: &["echo::welcome"],
        requires: WELCOMED,
        hint: "The library queues the pong by itself, and sends it when you go on polling; don't answer by hand, and don't leave the loop on Message::Ping.",
        lesson: "lessons/04-heartbeats.md",
        minimum: MinimumEvidence { pongs: 4, ..MINIMUM },
        ..check("echo::ping", Echo, include_str!("ping.md"), |ctx| Box::pin(talk::ping(ctx)))
    },
    Check {
        explained_by: &["echo::welcome", "echo::concurrent"],
        requires: WELCOMED,
        hint: "Don't leave the loop at Message::Close: the library's answer goes out when you poll on. Read until next() gives None, then drop the socket.",
        lesson: "lessons/03-echo.md",
        minimum: MinimumEvidence { closes: 8, ends: 8, ..MINIMUM },
        ..check("echo::close", Echo, include_str!("close.md"), |ctx| Box::pin(ends::close(ctx)))
    },
    Check {
        explained_by: TOGETHER,
        requires: ECHOES,
        hint: "next() gives Some(Err(…)) when a client vanishes: leave that connection's loop, and let no unwrap() or `?` end anything else.",
        lesson: "lessons/03-echo.md",
        minimum: MinimumEvidence { connections: 27, messages: 66, ..MINIMUM },
        ..check("echo::abrupt", Echo, include_str!("abrupt.md"), |ctx| Box::pin(ends::abrupt(ctx)))
    },
    Check {
        explained_by: TOGETHER,
        requires: ECHOES,
        hint: "The library finds these errors for you: when next() gives an Err, end this connection by dropping it, and go on serving the others.",
        lesson: "lessons/02-the-handshake.md",
        minimum: MinimumEvidence { connections: 26, messages: 40, ends: 19, ..MINIMUM },
        ..check("echo::violations", Echo, include_str!("violations.md"), |ctx| {
            Box::pin(ends::violations(ctx))
        })
    },
    Check {
        explained_by: &[
            "echo::welcome",
            "echo::reply",
            "echo::order",
            "echo::concurrent",
            "echo::abrupt",
            "echo::violations",
            "echo::binary",
        ],
        requires: ECHOES,
        hint: "println! exactly `Client connected` after the handshake, `Received: <message>` for each message, and `Client disconnected` after the loop, however it ended.",
        lesson: "lessons/03-echo.md",
        minimum: MinimumEvidence { connections: 11, messages: 14, ..MINIMUM },
        ..check("echo::log", Echo, include_str!("log.md"), |ctx| Box::pin(log::log(ctx)))
    },
];
