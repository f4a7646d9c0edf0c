//! Answers to messages and control frames, and the log lines.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tokio_tungstenite::tungstenite::Bytes;

use super::conn::Conn;
use super::reader::{End, Fragments, Message};
use super::{Exercise, Server, frame};

/// An event that the log tells. Its text is the line in the contract.
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    Connected,
    Received(&'a str),
    Disconnected(&'a End),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => write!(f, "Client connected"),
            Self::Received(said) => write!(f, "Received: {said}"),
            Self::Disconnected(_) => write!(f, "Client disconnected"),
        }
    }
}

/// A reply on its way, and the message that it answers.
#[derive(Clone)]
pub(crate) struct Reply<'a> {
    pub(crate) server: &'a Arc<Server>,
    pub(crate) conn: &'a Arc<Conn>,
    pub(crate) said: &'a str,
    pub(crate) frame: Bytes,
    /// The number of messages on this connection before.
    pub(crate) nth: u32,
    pub(crate) binary: bool,
    /// The client had sent the next message already.
    pub(crate) pipelined: bool,
}

impl Reply<'_> {
    /// Queues the reply for the sender, or for all clients of a room.
    pub(crate) fn deliver(&self) {
        if self.server.exercise == Exercise::Broadcast {
            self.server.hub.broadcast(self.server, self.conn, &self.frame);
        } else {
            self.conn.out.push(self.frame.clone());
        }
    }
}

/// Answers one message. Fails if the connection has to end.
pub(crate) async fn message(
    server: &Arc<Server>,
    conn: &Arc<Conn>,
    message: Message,
) -> Result<(), End> {
    let mutation = server.mutation;
    let nth = conn.messages.fetch_add(1, SeqCst);
    mutation.message(conn, &message);
    let (pipelined, binary) = (message.pipelined, message.binary);
    let said = if binary {
        mutation.decode_binary(server, conn, &message.bytes)?
    } else {
        mutation.decode_text(message)?
    };
    let Some(said) = said else { return Ok(()) };
    let said = mutation.receive(said).await?;
    mutation.log(&server.log, Event::Received(&said));
    let Some(reply) = mutation.reply(server, conn, &said) else { return Ok(()) };
    let frame = mutation.encode(&reply);
    mutation.deliver(Reply { server, conn, said: &said, frame, nth, binary, pipelined }).await
}

/// The text of a message; `None` if it gets no reply.
pub(crate) type Decoded = Result<Option<String>, End>;

/// A control frame.
pub(crate) struct Control<'a> {
    pub(crate) server: &'a Server,
    pub(crate) conn: &'a Conn,
    /// The fragments of the message that the frame may interrupt.
    pub(crate) fragments: &'a mut Fragments,
    pub(crate) opcode: u8,
    pub(crate) payload: &'a [u8],
}

impl Control<'_> {
    /// Answers the frame.
    pub(crate) fn handle(self) -> Result<(), End> {
        let Self { server, conn, payload, .. } = self;
        match self.opcode {
            frame::PING => server.mutation.ping(conn, payload),
            frame::PONG => server.mutation.pong(server, conn, payload),
            frame::CLOSE => return Err(read_close(payload)),
            _ => {}
        }
        Ok(())
    }

    /// Returns true if the frame is between two fragments of a message.
    pub(crate) fn is_in_message(&self) -> bool {
        self.fragments.partial.is_some()
    }
}

pub(crate) fn ping(conn: &Conn, payload: &[u8]) {
    conn.out.push(frame::encode(frame::PONG, payload));
}

pub(crate) fn pong(conn: &Conn) {
    conn.pongs.fetch_add(1, SeqCst);
    conn.alive.store(true, SeqCst);
}

/// Reads the code and the reason of a close frame.
fn read_close(payload: &[u8]) -> End {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { End::closed(None) } else { End::Violation(1002) };
    };
    let Ok(reason) = std::str::from_utf8(reason) else { return End::Violation(1007) };
    match u16::from_be_bytes(*code) {
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => {
            End::Closed { code: Some(code), reason: reason.to_owned() }
        }
        _ => End::Violation(1002),
    }
}
