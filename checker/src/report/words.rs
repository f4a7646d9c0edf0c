//! Renders a failure in words. No other module turns a failure's data into sentences.

use harness::client::{ClientEvent, describe};
use harness::failure::{Awaited, Cause, Instead};
use harness::verdict::Failure;
use harness::wire::transcript::{hex, quoted};

/// The most bytes of a payload shown in hexadecimal.
const HEX_BYTES: usize = 12;

/// The rows of a report on a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// One sentence that names the server's error.
    pub headline: String,
    /// The circumstances. May be empty.
    pub when: String,
    /// The requirement of the contract.
    pub expected: String,
    /// The server's actual behaviour.
    pub got: String,
    /// True if `expected` and `got` are texts to compare character by character.
    pub literal: bool,
}

/// Puts a failure into words.
pub fn words(failure: &Failure) -> Words {
    let Some(cause) = &failure.cause else {
        return Words {
            headline: failure.summary.clone(),
            when: failure.when.join(", "),
            expected: failure.expected.clone(),
            got: failure.got.clone(),
            literal: failure.literal,
        };
    };
    let (headline, mut expected, mut got) = sentence(cause);
    if let Cause::Missing {
        awaited: Awaited::Pong(wanted),
        instead: Instead::Sent(ClientEvent::Pong(payload)),
    } = cause
        && expected == got
    {
        // Bytes that are not UTF-8 look alike as text.
        let pong = |payload| format!("a pong with the payload {}", hex(payload, HEX_BYTES));
        (expected, got) = (pong(wanted), pong(payload));
    }
    let mut when = failure.when.join(", ");
    if failure.every_client {
        when = if when.is_empty() {
            "for every client".into()
        } else {
            format!("{when}, for every client")
        };
    }
    Words { headline, when, expected, got, literal: matches!(cause, Cause::WrongText { .. }) }
}

/// Headline, expected and got.
fn sentence(cause: &Cause) -> (String, String, String) {
    match cause {
        Cause::Missing { awaited, instead } => {
            let headline = match instead {
                Instead::Nothing(_) => format!("The server never sent {}.", noun(awaited)),
                Instead::Sent(ClientEvent::End(_)) | Instead::Ended => {
                    format!("The server ended the connection before {}.", noun(awaited))
                }
                Instead::Sent(ClientEvent::Close(_)) => {
                    format!("The server closed the connection before {}.", noun(awaited))
                }
                Instead::Sent(ClientEvent::Violation(_)) => {
                    "The server broke the rules for frames.".to_string()
                }
                Instead::Sent(event) => {
                    format!("The server sent {} instead of {}.", short(event), noun(awaited))
                }
            };
            let got = match instead {
                Instead::Nothing(waited) => format!("nothing for {} s", waited.as_secs()),
                Instead::Sent(event) => describe(event),
                Instead::Ended => "the end of the TCP connection".to_string(),
            };
            (headline, noun(awaited), got)
        }
        Cause::WrongText { awaited, expected, got } => (
            format!("The server sent a text that differs from {}.", noun(awaited)),
            expected.clone(),
            got.clone(),
        ),
        Cause::WrongCloseCode { expected, got } => (
            "The server's close frame has another code than the client's.".to_string(),
            close(*expected),
            close(*got),
        ),
        Cause::ProcessEnded { status, noticed } => {
            let (_, expected, got) = sentence(noticed);
            (format!("The server's process ended ({status})."), expected, got)
        }
        Cause::StillOpen { waited } => (
            "The server did not end the TCP connection.".to_string(),
            "the end of the TCP connection".to_string(),
            format!("still open after {} s", waited.as_secs()),
        ),
    }
}

/// Renders the awaited event as a noun phrase.
fn noun(awaited: &Awaited) -> String {
    match awaited {
        Awaited::UpgradeResponse => "a response to the upgrade request".to_string(),
        Awaited::Welcome => "the welcome".to_string(),
        Awaited::ReplyTo(message) => format!("the reply to {}", quoted(message)),
        Awaited::Named(name) => name.to_string(),
        Awaited::ReplyNumber { number, of } => format!("the reply to message {number} of {of}"),
        Awaited::Ping => "a ping".to_string(),
        Awaited::Pong(payload) => {
            format!("a pong with the payload {}", quoted(&String::from_utf8_lossy(payload)))
        }
        Awaited::Close(code) => close(*code),
        Awaited::Disconnect => "the end of the TCP connection".to_string(),
    }
}

fn close(code: Option<u16>) -> String {
    match code {
        Some(code) => format!("a close frame with code {code}"),
        None => "a close frame without a code".to_string(),
    }
}

fn short(event: &ClientEvent) -> &'static str {
    match event {
        ClientEvent::Head(_) | ClientEvent::Body(_) => "an HTTP response",
        ClientEvent::Text(_) => "a text message",
        ClientEvent::Binary(_) => "a binary message",
        ClientEvent::Ping(_) => "a ping",
        ClientEvent::Pong(_) => "a pong",
        ClientEvent::Close(_) => "a close frame",
        ClientEvent::Violation(_) => "an illegal frame",
        ClientEvent::End(_) => "the end of the connection",
    }
}
