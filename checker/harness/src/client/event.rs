//! The events of a client.

use std::time::Instant;

use crate::wire::transcript::{hex, quoted};

/// An event that a client received from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// The head of the HTTP response.
    Head(String),
    /// The beginning of a body after a refused upgrade.
    Body(String),
    /// A complete text message.
    Text(String),
    /// A complete binary message.
    Binary(Vec<u8>),
    /// A ping with its payload.
    Ping(Vec<u8>),
    /// A pong with its payload.
    Pong(Vec<u8>),
    /// A close frame, with its status code if it has one.
    Close(Option<u16>),
    /// Bytes or frames that RFC 6455 forbids a server to send.
    Violation(String),
    /// The TCP connection ended; `true` if it was reset.
    End(bool),
}

/// An event, with its time and its frame.
#[derive(Debug, Clone)]
pub struct Received {
    /// The event.
    pub event: ClientEvent,
    /// The time at which the client read it.
    pub at: Instant,
    /// The number (from 0) of the frame that completed it.
    pub frame: usize,
    /// It was a ping, and the client answered it.
    pub answered: bool,
}

impl Received {
    /// Returns the text, if it is a text message.
    pub fn text(&self) -> Option<&str> {
        match &self.event {
            ClientEvent::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Estimates the memory that the event takes, in bytes.
    pub(super) fn size(&self) -> usize {
        let payload = match &self.event {
            ClientEvent::Head(text)
            | ClientEvent::Body(text)
            | ClientEvent::Text(text)
            | ClientEvent::Violation(text) => text.len(),
            ClientEvent::Binary(bytes) | ClientEvent::Ping(bytes) | ClientEvent::Pong(bytes) => {
                bytes.len()
            }
            ClientEvent::Close(_) | ClientEvent::End(_) => 0,
        };
        size_of::<Received>() + payload
    }
}

/// Describes an event in words.
pub fn describe(event: &ClientEvent) -> String {
    match event {
        ClientEvent::Head(head) => head.lines().next().unwrap_or_default().to_string(),
        ClientEvent::Body(body) => quoted(body),
        ClientEvent::Text(text) => format!("the text {}", quoted(text)),
        ClientEvent::Binary(bytes) => {
            format!("a binary message of {} bytes: {}", bytes.len(), hex(bytes, 12))
        }
        ClientEvent::Ping(_) => "a ping".to_string(),
        ClientEvent::Pong(payload) => {
            format!("a pong with the payload {}", quoted(&String::from_utf8_lossy(payload)))
        }
        ClientEvent::Close(Some(code)) => format!("a close frame with code {code}"),
        ClientEvent::Close(None) => "a close frame without a code".to_string(),
        ClientEvent::Violation(what) => what.clone(),
        ClientEvent::End(false) => "the end of the TCP connection".to_string(),
        ClientEvent::End(true) => "a reset of the TCP connection".to_string(),
    }
}
