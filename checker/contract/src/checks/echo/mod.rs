//! The checks of `echo`.

pub(super) mod ends;
pub(super) mod handshake;
mod log;
pub(super) mod payloads;
pub(super) mod talk;
pub(super) mod texts;

use super::{Check, LEAST, check};
use crate::evidence::Least;
use crate::exercise::Exercise::Echo;

const WELCOMED: &[&str] = &["echo::handshake", "echo::welcome"];
const ECHOES: &[&str] = &["echo::handshake", "echo::welcome", "echo::reply"];
/// What says twice or never what others wait for.
const TALKS: &[&str] = &["echo::welcome", "echo::reply", "echo::order"];
/// And what keeps others waiting, or mixes up what they say.
const TOGETHER: &[&str] =
    &["echo::welcome", "echo::reply", "echo::order", "echo::concurrent", "echo::payloads"];

pub(super) const CHECKS: &[Check] = &[
    Check {
        hint: "accept_async(stream).await does the whole handshake; await it inside the connection's own task.",
        lesson: "lessons/02-the-handshake.md",
        least: Least { connections: 13, ..LEAST },
        ..check(
            "echo::handshake",
            Echo,
            "A valid upgrade request gets 101 with Upgrade, Connection and the right Sec-WebSocket-Accept, and no subprotocol or extension that was not offered.",
            |arena| Box::pin(handshake::handshake(arena)),
        )
    },
    Check {
        needs: &["echo::handshake"],
        hint: "Right after the handshake, and before anything is read, send Message::text(\"Welcome! Connection established.\").",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 4, messages: 4, ..LEAST },
        ..check(
            "echo::welcome",
            Echo,
            "The first message on every connection, unasked, is the text \"Welcome! Connection established.\".",
            |arena| Box::pin(talk::welcome(arena)),
        )
    },
    Check {
        explained_by: &["echo::welcome"],
        needs: WELCOMED,
        ages: true,
        hint: "format!(\"Server received: {text}\") and nothing else: no trim(), no case changes, the same for every message and client.",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 15, messages: 55, ..LEAST },
        ..check(
            "echo::reply",
            Echo,
            "A text message M is answered to its sender with the text \"Server received: M\", M unchanged, white space at its ends included.",
            |arena| Box::pin(talk::reply(arena)),
        )
    },
    Check {
        explained_by: &["echo::welcome", "echo::reply"],
        needs: ECHOES,
        hint: "Answer each message where you read it, in one loop; a task spawned for each message may overtake its neighbour.",
        lesson: "lessons/03-echo.md",
        least: Least { messages: 1_230, ..LEAST },
        ..check(
            "echo::order",
            Echo,
            "Pipelined messages are answered one for one, in order, none lost.",
            |arena| Box::pin(talk::order(arena)),
        )
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
        needs: ECHOES,
        hint: "The library hands you whole messages of up to 64 MiB: pass the text on as it is, whatever its length and content.",
        lesson: "lessons/03-echo.md",
        heavy: true,
        least: Least { connections: 4, messages: 80, ..LEAST },
        ..check(
            "echo::payloads",
            Echo,
            "So are an empty message, multi-byte text, markup and JSON, 64 KiB and 1 MiB, and a message in several fragments with a ping in between.",
            |arena| Box::pin(payloads::payloads(arena)),
        )
    },
    Check {
        explained_by: TALKS,
        needs: ECHOES,
        hint: "Message::Binary carries bytes: String::from_utf8_lossy turns them into text and puts U+FFFD where they are none.",
        lesson: "lessons/03-echo.md",
        least: Least { messages: 10, ..LEAST },
        ..check(
            "echo::binary",
            Echo,
            "A binary message is answered as text, its bytes read as UTF-8 with U+FFFD for what is not.",
            |arena| Box::pin(payloads::binary(arena)),
        )
    },
    Check {
        explained_by: TALKS,
        needs: ECHOES,
        hint: "tokio::spawn a task for each accepted stream, and await the handshake inside it: the accept loop awaits accept() only.",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 150, messages: 248, ..LEAST },
        ..check(
            "echo::concurrent",
            Echo,
            "Many clients are served at once; one that says nothing, and one that never finishes the handshake, hold up no one.",
            |arena| Box::pin(talk::concurrent(arena)),
        )
    },
    Check {
        explained_by: &["echo::welcome"],
        needs: WELCOMED,
        hint: "The library queues the pong by itself, and sends it when you go on polling; don't answer by hand, and don't leave the loop on Message::Ping.",
        lesson: "lessons/04-heartbeats.md",
        least: Least { pongs: 4, ..LEAST },
        ..check(
            "echo::ping",
            Echo,
            "A client's ping is answered by a pong with the same payload.",
            |arena| Box::pin(talk::ping(arena)),
        )
    },
    Check {
        explained_by: &["echo::welcome", "echo::concurrent"],
        needs: WELCOMED,
        hint: "Don't leave the loop at Message::Close: the library's answer goes out when you poll on. Read until next() gives None, then drop the socket.",
        lesson: "lessons/03-echo.md",
        least: Least { closes: 8, ends: 8, ..LEAST },
        ..check(
            "echo::close",
            Echo,
            "A client's close frame is answered by a close frame with the same code, then the TCP connection ends.",
            |arena| Box::pin(ends::close(arena)),
        )
    },
    Check {
        explained_by: TOGETHER,
        needs: ECHOES,
        hint: "next() gives Some(Err(…)) when a client vanishes: leave that connection's loop, and let no unwrap() or `?` end anything else.",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 27, messages: 66, ..LEAST },
        ..check(
            "echo::abrupt",
            Echo,
            "A client that vanishes (TCP reset, or in the middle of a frame) harms no other client.",
            |arena| Box::pin(ends::abrupt(arena)),
        )
    },
    Check {
        explained_by: TOGETHER,
        needs: ECHOES,
        hint: "The library finds these errors for you: when next() gives an Err, end this connection by dropping it, and go on serving the others.",
        lesson: "lessons/02-the-handshake.md",
        least: Least { connections: 26, messages: 40, ends: 19, ..LEAST },
        ..check(
            "echo::violations",
            Echo,
            "A plain HTTP request is not upgraded; an unmasked frame, a reserved opcode or bit, a \
             long or fragmented control frame, invalid UTF-8 or random bytes end that connection \
             and no other.",
            |arena| Box::pin(ends::violations(arena)),
        )
    },
    Check {
        explained_by: &[
            "echo::welcome",
            "echo::reply",
            "echo::order",
            "echo::concurrent",
            "echo::abrupt",
            "echo::violations",
        ],
        needs: ECHOES,
        hint: "println! exactly `Client connected` after the handshake, `Received: <message>` for each message, and `Client disconnected` after the loop, however it ended.",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 11, messages: 14, ..LEAST },
        ..check(
            "echo::log",
            Echo,
            "stdout has one line for each event: `Client connected`, `Received: <message>`, `Client disconnected`.",
            |arena| Box::pin(log::log(arena)),
        )
    },
];
