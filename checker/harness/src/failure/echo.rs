//! Causes of failures that only checks of `echo` find.

use std::time::Duration;

use super::{Awaited, Cause};
use crate::client::ClientEvent;
use crate::verdict::FailureKind;

/// A cause that only checks of `echo` find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EchoCause {
    /// The response to the upgrade request is not valid HTTP.
    InvalidResponse {
        /// The parser's message.
        error: String,
    },
    /// A header of the `101` response is missing or wrong.
    WrongHeader {
        /// The header's name.
        name: &'static str,
        /// The right header.
        expected: String,
        /// The values of the headers with this name.
        got: Vec<String>,
    },
    /// The `101` response names a subprotocol or an extension that the client did not offer.
    NotOffered {
        /// The header's name.
        name: &'static str,
        /// The value of the client's header; empty if the client sent none.
        offered: String,
        /// The name that the client did not offer.
        granted: String,
    },
    /// The `101` response names more than one subprotocol.
    SeveralSubprotocols(Vec<String>),
    /// A reply came before the welcome.
    ReplyBeforeWelcome {
        /// The reply.
        reply: String,
    },
    /// A message after the welcome is no reply.
    SecondWelcome {
        /// The message.
        text: String,
    },
    /// The server is right or wrong depending on `CI` in its environment.
    DependsOnCi {
        /// The server with the error has `CI` in its environment.
        is_set: bool,
        /// The failure that a client saw.
        noticed: Box<Cause>,
    },
    /// The replies to two messages came in the wrong order.
    OutOfOrder {
        /// The number of the message that was answered first, from 1.
        first: usize,
        /// The number of the message that was answered later.
        later: usize,
    },
    /// A message was not answered, and a later one was.
    LostReply {
        /// The number of the message without a reply, from 1.
        lost: usize,
        /// The number of the message that was answered.
        answered: usize,
    },
    /// A message was answered twice.
    SecondReply {
        /// The number of the message, from 1.
        number: usize,
        /// The number of the message that the client expected a reply to.
        awaited: usize,
    },
    /// A reply that is too long to show differs from the expected one.
    WrongLongReply {
        /// The awaited reply.
        awaited: Awaited,
        /// The length of the expected reply, in bytes.
        expected: usize,
        /// The length of the reply, in bytes.
        got: usize,
        /// The first byte that differs.
        first_difference: usize,
    },
    /// A text that is a property name in some languages was not echoed.
    PropertyName {
        /// The text.
        name: &'static str,
        /// The failure that a client saw.
        noticed: Box<Cause>,
    },
    /// The server stopped serving a client after some number of bytes.
    ByteLimit {
        /// The bytes that the client had sent.
        sent: usize,
        /// The failure that a client saw.
        noticed: Box<Cause>,
    },
    /// The server accepted compression, and did not answer a compressed message.
    UnsupportedCompression {
        /// The failure that a client saw.
        noticed: Box<Cause>,
    },
    /// A client was not served because of other connections.
    Disturbed {
        /// The other connections.
        by: Disturbance,
        /// The failure that a client saw.
        noticed: Box<Cause>,
    },
    /// An unsolicited pong was answered with a message.
    PongAnswered {
        /// The message.
        text: String,
    },
    /// A message came after the server's close frame.
    MessageAfterClose(ClientEvent),
    /// The server upgraded a request that is no upgrade request.
    InvalidRequestUpgraded {
        /// The request, as a noun phrase.
        request: &'static str,
        /// The first line of the response.
        status_line: String,
    },
    /// The connection did not end after a violation of RFC 6455.
    ViolationTolerated {
        /// The violation, as a noun phrase.
        violation: &'static str,
        /// How long the client waited for the end.
        waited: Duration,
    },
    /// A violation of RFC 6455 was answered.
    ViolationAnswered {
        /// The violation, as a noun phrase.
        violation: &'static str,
        /// The answer.
        answer: ClientEvent,
    },
    /// The log does not have a line exactly as often as its event happened.
    WrongLog {
        /// The line.
        line: LogLine,
        /// How often the event happened.
        expected: usize,
        /// How often the log has the line.
        got: usize,
    },
    /// The log has more `Received` lines than there were messages.
    TooManyReceived {
        /// The number of messages.
        messages: usize,
        /// The number of lines.
        lines: usize,
    },
}

/// Connections that must not disturb a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// Clients that send nothing.
    Silent,
    /// This many unfinished handshakes.
    UnfinishedHandshakes(usize),
    /// A client that does not read its replies.
    NotReading,
    /// A client that disappeared.
    Disappeared,
    /// A client that broke the protocol.
    Violation,
}

/// A line of the server's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogLine {
    /// `Client connected`
    Connected,
    /// `Received: <message>`
    Received(String),
    /// `Client disconnected`
    Disconnected,
}

impl LogLine {
    /// Returns the line as the server must print it.
    pub fn text(&self) -> String {
        match self {
            LogLine::Connected => "Client connected".to_string(),
            LogLine::Received(message) => format!("Received: {message}"),
            LogLine::Disconnected => "Client disconnected".to_string(),
        }
    }
}

impl EchoCause {
    /// Makes the cause of a client's failure that other connections explain.
    pub fn disturbed(by: Disturbance, noticed: Cause) -> Self {
        EchoCause::Disturbed { by, noticed: Box::new(noticed) }
    }

    pub(super) fn kind(&self) -> FailureKind {
        match self {
            EchoCause::InvalidResponse { .. }
            | EchoCause::WrongHeader { .. }
            | EchoCause::NotOffered { .. }
            | EchoCause::SeveralSubprotocols(_)
            | EchoCause::InvalidRequestUpgraded { .. } => FailureKind::Handshake,
            EchoCause::ReplyBeforeWelcome { .. }
            | EchoCause::SecondWelcome { .. }
            | EchoCause::PongAnswered { .. }
            | EchoCause::MessageAfterClose(_)
            | EchoCause::ViolationAnswered { .. } => FailureKind::Unexpected,
            EchoCause::OutOfOrder { .. }
            | EchoCause::LostReply { .. }
            | EchoCause::SecondReply { .. }
            | EchoCause::WrongLongReply { .. } => FailureKind::WrongMessage,
            EchoCause::ViolationTolerated { .. } => FailureKind::StillOpen,
            EchoCause::WrongLog { .. } | EchoCause::TooManyReceived { .. } => FailureKind::Log,
            EchoCause::DependsOnCi { noticed, .. }
            | EchoCause::PropertyName { noticed, .. }
            | EchoCause::ByteLimit { noticed, .. }
            | EchoCause::UnsupportedCompression { noticed }
            | EchoCause::Disturbed { noticed, .. } => noticed.kind(),
        }
    }
}
