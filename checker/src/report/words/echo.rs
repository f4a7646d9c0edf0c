//! Renders the causes that only checks of `echo` find.

use harness::client::{WELCOME, describe};
use harness::failure::echo::{Disturbance, EchoCause, LogLine};
use harness::wire::transcript::quoted;

use super::{noun, still_open};

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

/// Headline, expected and got.
pub(super) fn sentence(cause: &EchoCause) -> (String, String, String) {
    let noticed = match cause {
        EchoCause::DependsOnCi { noticed, .. }
        | EchoCause::PropertyName { noticed, .. }
        | EchoCause::ByteLimit { noticed, .. }
        | EchoCause::UnsupportedCompression { noticed }
        | EchoCause::Disturbed { noticed, .. } => super::sentence(noticed),
        _ => Default::default(),
    };
    let (expected, got) = rows(cause).unwrap_or((noticed.1, noticed.2));
    (headline(cause), expected, got)
}

fn headline(cause: &EchoCause) -> String {
    match cause {
        EchoCause::InvalidResponse { .. } => {
            "The server answered the upgrade request with an invalid HTTP response.".into()
        }
        EchoCause::WrongHeader { name, got, .. } if got.is_empty() => {
            format!("The server's `101` response has no `{name}` header.")
        }
        EchoCause::WrongHeader { name, .. } => {
            format!("The server's `101` response has a wrong `{name}` header.")
        }
        EchoCause::NotOffered { name, .. } => {
            let granted = if *name == SUBPROTOCOL { "a subprotocol" } else { "an extension" };
            format!("The server's `101` response names {granted} that the client did not offer.")
        }
        EchoCause::SeveralSubprotocols(_) => {
            "The server's `101` response names more than one subprotocol.".into()
        }
        EchoCause::ReplyBeforeWelcome { .. } => {
            "The server answered a message before it sent the welcome.".into()
        }
        EchoCause::SecondWelcome { .. } => {
            "The server sent a second message without being asked.".into()
        }
        EchoCause::DependsOnCi { is_set: true, .. } => {
            "The server is wrong if `CI` is set in its environment, and right otherwise.".into()
        }
        EchoCause::DependsOnCi { is_set: false, .. } => {
            "The server is right if `CI` is set in its environment, and wrong otherwise.".into()
        }
        EchoCause::OutOfOrder { first, later } => {
            format!("The server answered message {first} before message {later}.")
        }
        EchoCause::LostReply { lost, answered } => {
            format!("The server answered message {answered} and never message {lost}.")
        }
        EchoCause::SecondReply { number, .. } => {
            format!("The server answered message {number} twice.")
        }
        EchoCause::WrongLongReply { awaited, .. } => {
            format!("The server sent a text that differs from {}.", noun(awaited))
        }
        EchoCause::PropertyName { name, .. } => {
            format!("The server did not echo the text `{name}`, a property name in some languages.")
        }
        EchoCause::ByteLimit { sent, .. } => {
            let sent = *sent as f64 / f64::from(1 << 20);
            format!("The server stopped serving a client that had sent {sent:.1} MiB in all.")
        }
        EchoCause::UnsupportedCompression { .. } => {
            "The server accepted compression and sent no reply to a compressed message.".into()
        }
        EchoCause::Disturbed { by, .. } => match by {
            Disturbance::Silent => {
                "The server kept a client waiting while other clients sent nothing.".into()
            }
            Disturbance::UnfinishedHandshakes(count) => {
                format!("The server let no client in while {count} handshakes were unfinished.")
            }
            Disturbance::NotReading => {
                "The server kept a client waiting while another did not read its replies.".into()
            }
            Disturbance::Disappeared => {
                "The server did not serve a client after another one had disappeared.".into()
            }
            Disturbance::Violation => {
                "The server did not serve a client after another one had broken the protocol."
                    .into()
            }
        },
        EchoCause::PongAnswered { .. } => {
            "The server answered an unsolicited pong with a message.".into()
        }
        EchoCause::MessageAfterClose(_) => {
            "The server sent a message after its close frame.".into()
        }
        EchoCause::InvalidRequestUpgraded { request, .. } => {
            format!("The server upgraded {request}.")
        }
        EchoCause::ViolationTolerated { violation, .. } => {
            format!("The server kept the connection open after {violation}.")
        }
        EchoCause::ViolationAnswered { violation, .. } => {
            format!("The server answered {violation}.")
        }
        EchoCause::WrongLog { line, got: 0, .. } => {
            format!("The server did not log a {}.", event(line))
        }
        EchoCause::WrongLog { line, expected, got } if got < expected => {
            format!("The server did not log every {}.", event(line))
        }
        EchoCause::WrongLog { line, .. } => {
            format!("The server logged a {} more than once.", event(line))
        }
        EchoCause::TooManyReceived { .. } => {
            "The server logged a `Received` line for a frame that is no message.".into()
        }
    }
}

/// Expected and got; `None` for a cause that another failure is evidence of.
fn rows(cause: &EchoCause) -> Option<(String, String)> {
    Some(match cause {
        EchoCause::InvalidResponse { error } => {
            ("HTTP/1.1 101 Switching Protocols".to_string(), error.clone())
        }
        EchoCause::WrongHeader { name, expected, got } if got.is_empty() => {
            (expected.clone(), format!("no {name} header"))
        }
        EchoCause::WrongHeader { name, expected, got } => {
            (expected.clone(), format!("{name}: {}", got.join(", ")))
        }
        EchoCause::NotOffered { name, offered, granted } => {
            let offered = if offered.is_empty() { "nothing" } else { offered };
            let expected = format!("no {name} that the client did not offer ({offered})");
            (expected, format!("{name}: {granted}"))
        }
        EchoCause::SeveralSubprotocols(granted) => (
            format!("no {SUBPROTOCOL}, or one of those that the client offered"),
            format!("{SUBPROTOCOL}: {}", granted.join(", ")),
        ),
        EchoCause::ReplyBeforeWelcome { reply } => {
            (format!("the text {}", quoted(WELCOME)), format!("the text {}", quoted(reply)))
        }
        EchoCause::SecondWelcome { text } => {
            ("the welcome, and then replies only".to_string(), format!("the text {}", quoted(text)))
        }
        EchoCause::OutOfOrder { first, later } => {
            (reply_number(*later), format!("{}, and the other one later", reply_number(*first)))
        }
        EchoCause::LostReply { lost, answered } => (reply_number(*lost), reply_number(*answered)),
        EchoCause::SecondReply { number, awaited } => {
            (reply_number(*awaited), format!("{} again", reply_number(*number)))
        }
        EchoCause::WrongLongReply { expected, got, first_difference, .. } => (
            format!("{expected} bytes"),
            format!("{got} bytes, the first difference at byte {first_difference}"),
        ),
        EchoCause::PongAnswered { text } => {
            ("no message".to_string(), format!("the text {}", quoted(text)))
        }
        EchoCause::MessageAfterClose(message) => {
            ("the end of the TCP connection".to_string(), describe(message))
        }
        EchoCause::InvalidRequestUpgraded { status_line, .. } => (
            "a refusal such as 400 or 426, or a closed connection".to_string(),
            status_line.clone(),
        ),
        EchoCause::ViolationTolerated { waited, .. } => {
            ("the end of the TCP connection".to_string(), still_open(*waited))
        }
        EchoCause::ViolationAnswered { answer, .. } => {
            ("the end of the TCP connection".to_string(), describe(answer))
        }
        EchoCause::WrongLog { line, expected, got } => {
            (format!("`{}` on stdout, {}", line.text(), times(*expected)), times(*got))
        }
        EchoCause::TooManyReceived { messages, lines } => (
            format!("{messages} lines for {messages} messages, none for control frames"),
            format!("{lines} lines"),
        ),
        EchoCause::DependsOnCi { .. }
        | EchoCause::PropertyName { .. }
        | EchoCause::ByteLimit { .. }
        | EchoCause::UnsupportedCompression { .. }
        | EchoCause::Disturbed { .. } => return None,
    })
}

fn reply_number(number: usize) -> String {
    format!("the reply to message {number}")
}

fn event(line: &LogLine) -> &'static str {
    match line {
        LogLine::Connected => "connection",
        LogLine::Received(_) => "message",
        LogLine::Disconnected => "disconnection",
    }
}

fn times(count: usize) -> String {
    match count {
        0 => "never".to_string(),
        1 => "once".to_string(),
        _ => format!("{count} times"),
    }
}
