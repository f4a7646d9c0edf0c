//! Failures in a room of several clients, in words.

use std::time::Duration;

use harness::client::{ClientEvent, PREFIX, WELCOME, describe};
use harness::failure::Instead;
use harness::failure::room::{Disorder, MessageForm, Resumed, RoomCause};
use harness::wire::transcript::quoted;

use super::{Sentence, short};

/// Headline, expected and got.
pub(super) fn sentence(cause: &RoomCause) -> Sentence {
    match cause {
        RoomCause::Delivery { expected, instead, .. }
        | RoomCause::Sequence { expected, instead, .. } => {
            let headline = match cause {
                RoomCause::Sequence { client, number, of, instead, disorder, .. } => {
                    sequence(*client, *number, *of, instead, disorder)
                }
                _ => delivery(cause),
            };
            match instead {
                Instead::Sent(ClientEvent::Text(text)) => {
                    (headline, expected.clone(), text.clone())
                }
                _ => (headline, format!("the text {}", quoted(expected)), got(instead)),
            }
        }
        RoomCause::Incomplete { client, received, of, instead } => (
            match instead {
                Instead::Nothing(_) if *received == 0 => {
                    format!("Client {client} received none of {of} messages.")
                }
                Instead::Nothing(_) => {
                    format!("Client {client} received only {received} of {of} messages.")
                }
                _ => format!("{} after {received} of {of} messages.", disruption(instead, *client)),
            },
            format!("the other {} messages", of - received),
            got(instead),
        ),
        RoomCause::Repeated { client, text } => (
            format!("Client {client} received a message a second time."),
            "each message once".to_string(),
            quoted(text),
        ),
        RoomCause::Unsent { client, text } => (
            format!("Client {client} received a text that no client had sent."),
            "replies to messages, and nothing else".to_string(),
            quoted(text),
        ),
        RoomCause::SecondWelcome { client, newest } => (
            if *newest {
                format!("Client {client} received its welcome a second time.")
            } else {
                format!("Client {client} received the welcome of a client that joined later.")
            },
            "one welcome for each client, sent to it alone".to_string(),
            quoted(WELCOME),
        ),
        RoomCause::BeforeWelcome { text } => (
            "A newcomer received another client's message before its welcome.".to_string(),
            WELCOME.to_string(),
            text.clone(),
        ),
        RoomCause::MissedAfterWelcome { expected, later } => (
            "A newcomer missed a message that was sent right after its welcome.".to_string(),
            if later.is_some() { expected.clone() } else { quoted(expected) },
            later.clone().unwrap_or_else(|| "nothing until later messages were sent".to_string()),
        ),
        RoomCause::FromThePast { in_handshake, expected, text } => (
            if *in_handshake {
                "A client received a message that was sent before its handshake was finished."
            } else {
                "A newcomer received a message that was sent before it joined."
            }
            .to_string(),
            expected.clone(),
            text.clone(),
        ),
        RoomCause::Disagreement { place, received } => {
            let one = |(client, text): &(usize, String)| {
                format!("client {client} received {} as message {place}", quoted(text))
            };
            (
                "Two clients received the same messages in different orders.".to_string(),
                one(&received[0]),
                one(&received[1]),
            )
        }
        RoomCause::Memory { allowed, grown, without, messages } => (
            "A client that stops reading costs the server too much memory.".to_string(),
            format!("at most {} more, however many messages of 1 KiB are sent", mib(*allowed)),
            format!(
                "{} more after {messages} messages ({} without the slow client)",
                mib(*grown),
                mib(*without)
            ),
        ),
        RoomCause::HeldUp { messages, usual, waited } => (
            "While one client does not read, the server delays all others.".to_string(),
            format!("{messages} messages in about {} ms, as before", usual.as_millis()),
            format!("they did not all arrive in {} ms", waited.as_millis()),
        ),
        RoomCause::Gap { next, resumed } => {
            let (what, got) = gap(resumed);
            (
                format!("A slow client that reads again {what}."),
                format!("message {next}, or the end of the connection"),
                got,
            )
        }
        RoomCause::StalledStays { waited } => (
            "A client that stopped reading stays connected in a quiet room.".to_string(),
            "the end of the TCP connection, although the write to the client hangs".to_string(),
            format!("still open after five intervals ({} ms)", waited.as_millis()),
        ),
        RoomCause::LatePush { push, limit, polling, interval } => (
            "The server sends messages on too late.".to_string(),
            format!(
                "at most {}: a fifth of the {} of polling every {} ms",
                millis(*limit),
                millis(*polling),
                interval.as_millis()
            ),
            millis(*push),
        ),
    }
}

/// Returns true if `expected` and `got` are texts to compare character by character.
pub(super) fn is_literal(cause: &RoomCause) -> bool {
    match cause {
        RoomCause::Delivery { instead, .. } | RoomCause::Sequence { instead, .. } => {
            matches!(instead, Instead::Sent(ClientEvent::Text(_)))
        }
        RoomCause::MissedAfterWelcome { later, .. } => later.is_some(),
        RoomCause::BeforeWelcome { .. } | RoomCause::FromThePast { .. } => true,
        _ => false,
    }
}

fn delivery(cause: &RoomCause) -> String {
    let RoomCause::Delivery { sender, form, missed, of, expected, instead, repeated } = cause
    else {
        return String::new();
    };
    let message = match form {
        MessageForm::Text => "a message",
        MessageForm::Fragments => "a message in fragments",
        MessageForm::Binary => "a binary message",
    };
    let all = missed.len() == *of;
    let clients = match missed[..] {
        [only] if *of > 1 => format!("Client {only}"),
        _ if all => "Every client".to_string(),
        _ => format!("{} of {of} clients", missed.len()),
    };
    match instead {
        Instead::Nothing(_) if all => format!("{} reached no client.", capitalised(message)),
        Instead::Nothing(_) if missed[..] == [*sender] => {
            format!("{} did not come back to its sender.", capitalised(message))
        }
        Instead::Nothing(_) if missed.len() + 1 == *of && !missed.contains(sender) => {
            format!("{} reached only its sender.", capitalised(message))
        }
        Instead::Nothing(_) => format!("{clients} never received {message} of client {sender}."),
        Instead::Sent(ClientEvent::Text(_)) if *repeated => {
            format!("{clients} received a message a second time.")
        }
        Instead::Sent(ClientEvent::Text(text)) if expected.strip_prefix(PREFIX) == Some(text) => {
            format!("{clients} received {message} without `{}`.", PREFIX.trim_end())
        }
        Instead::Sent(ClientEvent::Text(_)) => {
            format!("{clients} received another text than the reply to {message}.")
        }
        Instead::Sent(ClientEvent::Binary(_)) => {
            format!("{clients} received {message} as binary, not as text.")
        }
        _ if all => {
            format!("{} before {message} arrived.", disruption_of(instead, "every client"))
        }
        _ => format!("{} before {message} arrived.", disruption(instead, missed[0])),
    }
}

fn sequence(
    client: usize,
    number: usize,
    of: usize,
    instead: &Instead,
    disorder: &Disorder,
) -> String {
    match (disorder, instead) {
        (Disorder::OvertakenBy(later), _) => {
            format!("Client {client} received message {later} before message {number}.")
        }
        (Disorder::Repeated(earlier), _) => {
            format!("Client {client} received message {earlier} a second time.")
        }
        (Disorder::Lost, _) | (Disorder::None, Instead::Nothing(_)) => {
            format!("Client {client} never received message {number} of {of}.")
        }
        (Disorder::None, Instead::Sent(ClientEvent::Text(_))) => {
            format!("Client {client} received another text than message {number} of {of}.")
        }
        (Disorder::None, _) => {
            format!("{} before message {number} of {of}.", disruption(instead, client))
        }
    }
}

fn gap(resumed: &Resumed) -> (&'static str, String) {
    match resumed {
        Resumed::Later { first, last } => (
            "stays connected, but has lost messages",
            format!("one of the messages {first} to {last}"),
        ),
        Resumed::Repeated(text) => ("receives messages a second time", quoted(text)),
        Resumed::Unsent(text) => ("receives a text that no client had sent", quoted(text)),
        Resumed::Nothing(waited) => {
            ("receives neither the rest nor the end", format!("nothing for {} s", waited.as_secs()))
        }
    }
}

/// The server's action against one client, as the beginning of a sentence.
fn disruption(instead: &Instead, client: usize) -> String {
    disruption_of(instead, &format!("client {client}"))
}

fn disruption_of(instead: &Instead, client: &str) -> String {
    match instead {
        Instead::Nothing(_) => format!("The server sent nothing to {client}"),
        Instead::Ended | Instead::Sent(ClientEvent::Close(_) | ClientEvent::End(_)) => {
            format!("The server disconnected {client}")
        }
        Instead::Sent(event) => format!("The server sent {} to {client}", short(event)),
    }
}

fn got(instead: &Instead) -> String {
    match instead {
        Instead::Nothing(waited) => format!("nothing for {} s", waited.as_secs()),
        Instead::Sent(event) => describe(event),
        Instead::Ended => "the end of the TCP connection".to_string(),
    }
}

fn capitalised(message: &str) -> String {
    message.replacen('a', "A", 1)
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
