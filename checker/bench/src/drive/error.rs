//! The ways in which a run can fail.

use std::io;

use thiserror::Error;
use tokio_tungstenite::tungstenite;

use super::TIMEOUT;

/// A run that could not be completed.
#[derive(Debug, Error)]
pub enum DriveError {
    /// The operating system refused to create a poll instance or to wait for events.
    #[error("cannot wait for socket events")]
    Poll(#[source] io::Error),
    /// No socket became ready.
    #[error("the server sent nothing for {} s", TIMEOUT.as_secs())]
    Silent,
    /// Messages were still unanswered at the deadline.
    #[error("{0} messages were not delivered within {seconds} s", seconds = TIMEOUT.as_secs())]
    Undelivered(usize),
    /// One connection failed.
    #[error("client {client}")]
    Client {
        /// The connection's number, from 0.
        client: usize,
        /// The failure.
        source: ClientError,
    },
}

/// A connection that failed, or on which the server violated the contract.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The connection could not be opened.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// Reading failed.
    #[error("cannot read")]
    Read(#[source] io::Error),
    /// Writing failed.
    #[error("cannot write")]
    Write(#[source] io::Error),
    /// The connection ended during the run.
    #[error("the server ended the connection")]
    Ended,
    /// The response was not `101`, or had a wrong accept key.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The first message was not the welcome.
    #[error("the first message is {0:?} and not the welcome")]
    Welcome(String),
    /// A message arrived that no client had sent.
    #[error("the server sent a message without a cause")]
    Unexpected,
    /// A message was lost, changed or out of order.
    #[error("message {0} was expected next, and another one came")]
    WrongMessage(u64),
    /// The bytes were not a frame.
    #[error("the server sent an invalid frame")]
    Frame(#[source] tungstenite::Error),
    /// The frame was neither a whole text message nor a ping.
    #[error("the server sent a frame of the kind {0}")]
    FrameKind(String),
}

impl ClientError {
    /// Adds the number of the connection.
    pub(super) fn of(self, client: usize) -> DriveError {
        DriveError::Client { client, source: self }
    }
}
