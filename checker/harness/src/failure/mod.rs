//! Failures of a server, as data. The checker's `report` renders them in words.

pub mod echo;
pub mod heartbeat;
pub mod room;
pub mod start;

use std::borrow::Cow;
use std::time::Duration;

use self::echo::EchoCause;
use self::heartbeat::HeartbeatCause;
use self::room::RoomCause;
use self::start::StartCause;
use crate::client::ClientEvent;
use crate::verdict::FailureKind;

/// The event that a client waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Awaited {
    /// The response to the upgrade request.
    UpgradeResponse,
    /// The welcome.
    Welcome,
    /// The reply to this message.
    ReplyTo(String),
    /// Something else, as a noun phrase: "the reply to a binary message".
    Named(Cow<'static, str>),
    /// The reply to one of several pipelined messages.
    ReplyNumber {
        /// Its number, from 1.
        number: usize,
        /// How many messages were sent.
        of: usize,
    },
    /// A ping.
    Ping,
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// The answer to a close frame, with this code if there is one.
    Close(Option<u16>),
    /// The end of the TCP connection.
    Disconnect,
}

/// The event that came instead of the awaited one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// It sent nothing for this long.
    Nothing(Duration),
    /// It sent this.
    Sent(ClientEvent),
    /// It had ended the connection before.
    Ended,
}

/// How the server failed to accept a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAccepted {
    /// The port in the ready line refuses connections.
    Refused,
    /// The connection was reset while it was made.
    Reset,
    /// The connection was not made for this long.
    TimedOut(Duration),
}

/// The cause of a failure. A variant names what the server did; its fields are the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Something that a client waited for did not come.
    Missing {
        /// The awaited event.
        awaited: Awaited,
        /// The event that came instead.
        instead: Instead,
    },
    /// A text differs from the expected one.
    WrongText {
        /// The awaited event.
        awaited: Awaited,
        /// The expected text.
        expected: String,
        /// The text that came.
        got: String,
    },
    /// A pong has another payload than the ping.
    WrongPong {
        /// The ping's payload.
        expected: Vec<u8>,
        /// The pong's payload.
        got: Vec<u8>,
    },
    /// A close frame has another code than the client's.
    WrongCloseCode {
        /// The client's code.
        expected: Option<u16>,
        /// The server's code.
        got: Option<u16>,
    },
    /// The server's heartbeats are wrong.
    Heartbeat(HeartbeatCause),
    /// The server's process ended.
    ProcessEnded {
        /// Its exit status.
        status: String,
        /// The failure that a client saw.
        noticed: Box<Cause>,
    },
    /// The server did not end the TCP connection.
    StillOpen {
        /// How long the client waited for the end.
        waited: Duration,
    },
    /// The server did not accept a TCP connection.
    NotAccepting(NotAccepted),
    /// The server refused a valid upgrade request.
    UpgradeRefused {
        /// The first line of its response.
        status_line: String,
    },
    /// The server does not run.
    Start(StartCause),
    /// A cause that only checks of `echo` find.
    Echo(EchoCause),
    /// A failure in a room of several clients.
    Room(RoomCause),
}

impl From<StartCause> for Cause {
    fn from(cause: StartCause) -> Self {
        Cause::Start(cause)
    }
}

impl From<EchoCause> for Cause {
    fn from(cause: EchoCause) -> Self {
        Cause::Echo(cause)
    }
}

impl Cause {
    /// Returns the kind of failure.
    pub fn kind(&self) -> FailureKind {
        match self {
            Cause::Missing { instead: Instead::Nothing(_), .. } => FailureKind::Silence,
            Cause::Missing { instead: Instead::Ended, .. } => FailureKind::EndedEarly,
            Cause::Missing { instead: Instead::Sent(event), awaited } => match event {
                ClientEvent::Violation(_) => FailureKind::Protocol,
                _ if *awaited == Awaited::UpgradeResponse => FailureKind::Handshake,
                ClientEvent::End(_) if matches!(awaited, Awaited::Close(_)) => {
                    FailureKind::WrongClose
                }
                ClientEvent::End(_) | ClientEvent::Close(_) => FailureKind::EndedEarly,
                ClientEvent::Binary(_) => FailureKind::WrongMessage,
                _ => FailureKind::Unexpected,
            },
            Cause::WrongText { .. } | Cause::WrongPong { .. } => FailureKind::WrongMessage,
            Cause::WrongCloseCode { .. } => FailureKind::WrongClose,
            Cause::StillOpen { .. } => FailureKind::StillOpen,
            Cause::Heartbeat(cause) => cause.kind(),
            Cause::ProcessEnded { .. } => FailureKind::Died,
            Cause::NotAccepting(_) => FailureKind::DoesNotStart,
            Cause::UpgradeRefused { .. } => FailureKind::Handshake,
            Cause::Start(cause) => cause.kind(),
            Cause::Echo(cause) => cause.kind(),
            Cause::Room(cause) => cause.kind(),
        }
    }

    /// Returns true if no delay of a busy host explains the failure.
    pub fn is_certain(&self) -> bool {
        matches!(self, Cause::Heartbeat(cause) if cause.is_certain())
    }
}

impl From<HeartbeatCause> for Cause {
    fn from(cause: HeartbeatCause) -> Self {
        Cause::Heartbeat(cause)
    }
}

impl From<RoomCause> for Cause {
    fn from(cause: RoomCause) -> Self {
        Cause::Room(cause)
    }
}
