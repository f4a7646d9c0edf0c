//! Renders a failure in words. No other module turns a failure's data into sentences.

mod echo;
mod heartbeat;
mod room;
mod start;

use std::time::Duration;

use harness::client::{ClientEvent, WELCOME, describe, reply_to};
use harness::failure::echo::EchoCause;
use harness::failure::{Awaited, Cause, Instead, NotAccepted};
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
            expected: String::new(),
            got: String::new(),
            literal: false,
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
    Words { headline, when, expected, got, literal: is_literal(cause) }
}

/// Returns the next step for a server that does not run.
pub fn hint(cause: &Cause) -> Option<String> {
    match cause {
        Cause::NotAccepting(_) => Some(
            "The port in the ready line must be the one of listener.local_addr(), and accept() \
             must be called again after each connection."
                .to_string(),
        ),
        Cause::Start(cause) => Some(start::hint(cause)),
        Cause::Echo(EchoCause::Disturbed { noticed, .. }) => hint(noticed),
        _ => None,
    }
}

/// Headline, expected and got.
type Sentence = (String, String, String);

fn sentence(cause: &Cause) -> Sentence {
    match cause {
        Cause::Missing { awaited, instead } => {
            let headline = match instead {
                Instead::Nothing(_) | Instead::Ended | Instead::Sent(ClientEvent::End(_))
                    if matches!(awaited, Awaited::Close(_)) =>
                {
                    "The server did not answer the client's close frame.".to_string()
                }
                Instead::Nothing(_) => format!("The server never sent {}.", noun(awaited)),
                Instead::Sent(ClientEvent::End(_)) | Instead::Ended => {
                    format!("The server ended the connection before {}.", noun(awaited))
                }
                Instead::Sent(ClientEvent::Close(_)) => {
                    format!("The server closed the connection before {}.", noun(awaited))
                }
                Instead::Sent(ClientEvent::Violation(_)) => {
                    "The server sent bytes that RFC 6455 forbids.".to_string()
                }
                Instead::Sent(event) => {
                    format!("The server sent {} instead of {}.", short(event), noun(awaited))
                }
            };
            let got = match instead {
                Instead::Nothing(waited) => nothing(*waited),
                Instead::Sent(event) => describe(event),
                Instead::Ended => "the end of the TCP connection".to_string(),
            };
            (headline, expected(awaited), got)
        }
        Cause::WrongText { awaited, expected, got } => (
            format!("The server sent a text that differs from {}.", noun(awaited)),
            expected.clone(),
            got.clone(),
        ),
        Cause::WrongPong { expected, got } => (
            "The server's pong has another payload than the client's ping.".to_string(),
            pong(expected),
            pong(got),
        ),
        Cause::WrongCloseCode { expected: Some(code), got } => (
            "The server's close frame has another code than the client's.".to_string(),
            close(Some(*code)),
            close(*got),
        ),
        Cause::WrongCloseCode { expected: None, got } => (
            match got {
                // RFC 6455, section 7.4.1.
                Some(code @ (1_005 | 1_006 | 1_015)) => {
                    format!("The server sent the close code {code}, which is reserved.")
                }
                _ => "The server answered a close frame without a code with a wrong code.".into(),
            },
            "a close frame without a code, or with code 1000".to_string(),
            close(*got),
        ),
        Cause::Heartbeat(cause) => heartbeat::sentence(cause),
        Cause::ProcessEnded { status, noticed } => {
            let (_, expected, got) = sentence(noticed);
            let status = status.replace(": ", " ");
            (format!("The server's process ended ({status})."), expected, got)
        }
        Cause::StillOpen { waited } => (
            "The server did not end the TCP connection.".to_string(),
            "the end of the TCP connection".to_string(),
            still_open(*waited),
        ),
        Cause::NotAccepting(how) => {
            let (headline, got) = match how {
                NotAccepted::Refused => (
                    "The port in the ready line refuses connections.",
                    "connection refused".to_string(),
                ),
                NotAccepted::Reset => (
                    "The server resets a connection while it is made.",
                    "a reset of the TCP connection".to_string(),
                ),
                NotAccepted::TimedOut(waited) => {
                    ("The server accepts no more connections.", nothing(*waited))
                }
            };
            (headline.to_string(), "a server that accepts connections".to_string(), got)
        }
        Cause::UpgradeRefused { status_line } => (
            "The server refused a valid upgrade request.".to_string(),
            "HTTP/1.1 101 Switching Protocols".to_string(),
            status_line.clone(),
        ),
        Cause::Start(cause) => start::sentence(cause),
        Cause::Echo(cause) => echo::sentence(cause),
        Cause::Room(cause) => room::sentence(cause),
    }
}

fn is_literal(cause: &Cause) -> bool {
    match cause {
        Cause::WrongText { .. } => true,
        Cause::Room(cause) => room::is_literal(cause),
        Cause::ProcessEnded { noticed, .. } => is_literal(noticed),
        _ => false,
    }
}

fn nothing(waited: Duration) -> String {
    format!("nothing for {} s", waited.as_secs())
}

fn still_open(waited: Duration) -> String {
    format!("still open after {} s", waited.as_secs())
}

/// The longest quotation in a headline, in characters.
const QUOTED: usize = 32;

/// Renders the awaited event with its exact text, if there is one.
fn expected(awaited: &Awaited) -> String {
    match awaited {
        Awaited::UpgradeResponse => "HTTP/1.1 101 Switching Protocols".to_string(),
        Awaited::Welcome => format!("the text {}", quoted(WELCOME)),
        Awaited::ReplyTo(message) => format!("the text {}", quoted(&reply_to(message))),
        Awaited::Pong(payload) => pong(payload),
        _ => noun(awaited),
    }
}

/// Renders the awaited event as a noun phrase.
fn noun(awaited: &Awaited) -> String {
    match awaited {
        Awaited::UpgradeResponse => "a response to the upgrade request".to_string(),
        Awaited::Welcome => "the welcome".to_string(),
        Awaited::ReplyTo(message) => {
            let quoted = quoted(message);
            if quoted.chars().count() > QUOTED {
                "the reply to a message".to_string()
            } else {
                format!("the reply to {quoted}")
            }
        }
        Awaited::Named(name) => name.to_string(),
        Awaited::ReplyNumber { number, of } => format!("the reply to message {number} of {of}"),
        Awaited::Ping => "a ping".to_string(),
        Awaited::Pong(_) => "a pong with the ping's payload".to_string(),
        Awaited::Close(None) => "a close frame".to_string(),
        Awaited::Close(code) => close(*code),
        Awaited::Disconnect => "the end of the TCP connection".to_string(),
    }
}

fn pong(payload: &[u8]) -> String {
    format!("a pong with the payload {}", quoted(&String::from_utf8_lossy(payload)))
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
