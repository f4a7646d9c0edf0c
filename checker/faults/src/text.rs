//! The two texts of the contract, and what can be done wrong to a reply.

use std::time::Duration;

use crate::base::Twist;

pub(crate) const WELCOME: &str = "Welcome! Connection established.";
pub(crate) const PREFIX: &str = "Server received: ";

/// What an object of JavaScript has from the beginning, a table of commands for instance.
const PROPERTIES: [&str; 5] = ["constructor", "__proto__", "hasOwnProperty", "toString", "valueOf"];

/// The reply to `said`, by the client on connection number `id`, to a server of this age.
pub(crate) fn reply(twists: &[Twist], id: u64, age: Duration, said: &str) -> Option<String> {
    let mut said = said.to_owned();
    for twist in twists {
        said = match *twist {
            Twist::NoReply => return None,
            Twist::IgnoresEmpty if said.is_empty() => return None,
            Twist::PingIsACommand if said == "ping" => return Some("pong".into()),
            Twist::AnswersJsonPings if said == r#"{"type":"ping"}"# => {
                return Some(r#"{"type":"pong"}"#.into());
            }
            Twist::ShutdownIsACommand if said == "shutdown" => std::process::exit(0),
            Twist::SlashIsACommand if said.starts_with('/') => return None,
            Twist::NullIsNothing
                if ["null", "undefined", "false", "0"].contains(&said.as_str()) =>
            {
                return None;
            }
            Twist::DecodesPercent => said.replace("%20", " ").replace("%25", "%"),
            Twist::ParsesNumbers => said.parse::<f64>().map_or(said, |number| number.to_string()),
            Twist::UnquotesJson => serde_json::from_str(&said).unwrap_or(said),
            Twist::ReplacesDollars => said.replace("$$", "$"),
            Twist::Trims => said.trim().to_owned(),
            Twist::LowerCases => said.to_lowercase(),
            Twist::OtherPrefix => return Some(format!("Server recieved: {said}")),
            Twist::OnlyHello => "Hello".to_owned(),
            Twist::Debugs => format!("{said:?}"),
            Twist::WrongUnderCi if std::env::var_os("CI").is_some() => {
                return Some(format!("Echo: {said}"));
            }
            Twist::RightUnderCi if std::env::var_os("CI").is_none() => {
                return Some(format!("Echo: {said}"));
            }
            Twist::LooksUpProperties if PROPERTIES.contains(&said.as_str()) => return None,
            Twist::FirstTenConnections if id >= 10 => {
                return Some(format!("Server received: Hello, client {id}"));
            }
            Twist::RightForOneSecond if age > Duration::from_secs(1) => {
                return Some("Server received: Hello".into());
            }
            Twist::EscapesHtml => {
                said.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
            }
            Twist::Reserialises => reserialise(&said).unwrap_or(said),
            Twist::CutAt(most) => cut(&said, most).to_owned(),
            Twist::SplitsCharacters => in_pieces(said.as_bytes(), 1024 - PREFIX.len()),
            _ => said,
        };
    }
    Some(format!("{PREFIX}{said}"))
}

/// The same JSON in somebody else's spacing.
fn reserialise(said: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(said).ok()?;
    (value.is_object() || value.is_array()).then(|| value.to_string())
}

/// At most `most` bytes.
fn cut(said: &str, most: usize) -> &str {
    let end = (0..=most.min(said.len())).rev().find(|end| said.is_char_boundary(*end));
    &said[..end.unwrap_or_default()]
}

/// Decoded buffer by buffer, whatever a buffer's edge goes through.
pub(crate) fn in_pieces(said: &[u8], size: usize) -> String {
    said.chunks(size).map(String::from_utf8_lossy).collect()
}
