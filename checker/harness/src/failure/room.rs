//! Failures in a room of several clients: the causes of `broadcast` and `latency`.

use std::time::Duration;

use super::{Cause, Instead};
use crate::client::ClientEvent;
use crate::verdict::FailureKind;

/// The form in which a client sends a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageForm {
    /// A text in one frame.
    Text,
    /// A text in several frames.
    Fragments,
    /// A binary message.
    Binary,
}

/// The place of a wrong message among one sender's messages. Places count from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disorder {
    /// This later message came first, and the expected one followed it.
    OvertakenBy(usize),
    /// A later message came, and the expected one never did.
    Lost,
    /// This earlier message came again.
    Repeated(usize),
    /// Something else came, or nothing.
    None,
}

/// The message that a slow client received once it read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resumed {
    /// A later message, one of these. The expected one was left out.
    Later {
        /// The first message with the same text.
        first: usize,
        /// The last message with the same text.
        last: usize,
    },
    /// A message that it had received before.
    Repeated(String),
    /// A text that no client had sent.
    Unsent(String),
    /// Nothing for this long.
    Nothing(Duration),
}

/// The cause of a failure in a room of several clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomCause {
    /// One message did not reach the clients as it should.
    Delivery {
        /// The client that sent it.
        sender: usize,
        /// Its form.
        form: MessageForm,
        /// The clients that did not receive it.
        missed: Vec<usize>,
        /// The number of clients in the room.
        of: usize,
        /// The text that each client should have received.
        expected: String,
        /// The event that the first of `missed` received instead.
        instead: Instead,
        /// The text received instead is the one of the message before.
        repeated: bool,
    },
    /// One sender's messages did not reach a client one for one and in order.
    Sequence {
        /// The client.
        client: usize,
        /// The message that should have come next, from 1.
        number: usize,
        /// The number of messages.
        of: usize,
        /// The text of that message.
        expected: String,
        /// The event that the client received instead.
        instead: Instead,
        /// The place of that event among the messages.
        disorder: Disorder,
    },
    /// A client did not receive all of several messages.
    Incomplete {
        /// The client.
        client: usize,
        /// The number of messages that it had received.
        received: usize,
        /// The number of messages sent.
        of: usize,
        /// The event that the client received instead of the next message.
        instead: Instead,
    },
    /// A client received a message a second time.
    Repeated {
        /// The client.
        client: usize,
        /// The text.
        text: String,
    },
    /// A client received a text that no client had sent.
    Unsent {
        /// The client.
        client: usize,
        /// The text.
        text: String,
    },
    /// A client received another welcome than its own.
    SecondWelcome {
        /// The client.
        client: usize,
        /// No other client had joined after it.
        newest: bool,
    },
    /// A newcomer received other clients' messages before its welcome.
    BeforeWelcome {
        /// The text that it received first.
        text: String,
    },
    /// A newcomer missed a message that was sent right after its welcome.
    MissedAfterWelcome {
        /// The text that it should have received.
        expected: String,
        /// The later text that it received first, if one came.
        later: Option<String>,
    },
    /// A newcomer received a message that was sent before it joined.
    FromThePast {
        /// The newcomer was in the middle of its handshake when the message was sent.
        in_handshake: bool,
        /// The text that it should have received.
        expected: String,
        /// The text that it received.
        text: String,
    },
    /// Two clients received the same messages in different orders.
    Disagreement {
        /// The first place at which they differ, from 1.
        place: usize,
        /// The two clients, each with the text that it received there.
        received: [(usize, String); 2],
    },
    /// A client that stopped reading costs the server too much memory.
    Memory {
        /// The allowed growth in bytes.
        allowed: u64,
        /// The growth in bytes.
        grown: u64,
        /// The growth in bytes of a server without a slow client.
        without: u64,
        /// The number of messages sent past the slow client.
        messages: usize,
    },
    /// Messages to the other clients wait for a client that stopped reading.
    HeldUp {
        /// The number of messages sent together.
        messages: usize,
        /// The time that as many messages took while all clients read.
        usual: Duration,
        /// The time after which they had not all arrived.
        waited: Duration,
    },
    /// A slow client that reads again receives neither the next message nor the end.
    Gap {
        /// The next message, from 1.
        next: usize,
        /// The message that came instead.
        resumed: Resumed,
    },
    /// A client that stopped reading stays connected although no other client sends anything.
    StalledStays {
        /// The time after which it was still connected.
        waited: Duration,
    },
    /// A pushed message takes too long.
    LatePush {
        /// The median time of pushed messages.
        push: Duration,
        /// The longest allowed median time.
        limit: Duration,
        /// The median time of short polling.
        polling: Duration,
        /// The polling interval.
        interval: Duration,
    },
}

impl RoomCause {
    /// Returns the kind of failure.
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            RoomCause::Delivery { instead, .. }
            | RoomCause::Sequence { instead, .. }
            | RoomCause::Incomplete { instead, .. } => instead.kind(),
            RoomCause::Disagreement { .. } => FailureKind::WrongMessage,
            RoomCause::Repeated { .. }
            | RoomCause::Unsent { .. }
            | RoomCause::SecondWelcome { .. }
            | RoomCause::BeforeWelcome { .. }
            | RoomCause::MissedAfterWelcome { .. }
            | RoomCause::FromThePast { .. } => FailureKind::Unexpected,
            RoomCause::Memory { .. } => FailureKind::Memory,
            RoomCause::HeldUp { .. } | RoomCause::LatePush { .. } => FailureKind::WrongTiming,
            RoomCause::Gap { resumed: Resumed::Nothing(_), .. } => FailureKind::Silence,
            RoomCause::Gap { .. } => FailureKind::Unexpected,
            RoomCause::StalledStays { .. } => FailureKind::StillOpen,
        }
    }
}

impl Instead {
    /// Returns the kind of failure if this came instead of a text message.
    fn kind(&self) -> FailureKind {
        match self {
            Instead::Nothing(_) => FailureKind::Silence,
            Instead::Ended | Instead::Sent(ClientEvent::Close(_) | ClientEvent::End(_)) => {
                FailureKind::EndedEarly
            }
            Instead::Sent(ClientEvent::Violation(_)) => FailureKind::Protocol,
            Instead::Sent(ClientEvent::Text(_) | ClientEvent::Binary(_)) => {
                FailureKind::WrongMessage
            }
            Instead::Sent(_) => FailureKind::Unexpected,
        }
    }
}

impl Cause {
    /// Returns the event that came instead of the awaited one, if an expectation was not met.
    pub fn instead(&self) -> Option<Instead> {
        match self {
            Cause::Missing { instead, .. } => Some(instead.clone()),
            Cause::WrongText { got, .. } => Some(Instead::Sent(ClientEvent::Text(got.clone()))),
            _ => None,
        }
    }
}
