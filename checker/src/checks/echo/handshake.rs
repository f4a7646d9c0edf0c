//! The opening handshake.

use rand::RngExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::arena::Arena;
use crate::verdict::{Checked, Fundamental, Kind, Trouble};
use crate::wire::transcript::Mark;

/// Fundamental: without it there is nothing to talk to.
pub(in crate::checks) async fn handshake(arena: &mut Arena) -> Checked {
    let sample = "dGhlIHNhbXBsZSBub25jZQ==";
    upgrade(arena, Some(sample), &[]).await.fundamental()?;
    arena.sound();
    let key = chance_key(arena);
    upgrade(arena, Some(&key), &[]).await?;
    // Nothing says that a server must speak one of these; only that it may not invent others.
    let offers = ["Sec-WebSocket-Protocol: workbook.day1", "Sec-WebSocket-Extensions: x-workbook-day1"];
    let key = chance_key(arena);
    upgrade(arena, Some(&key), &offers).await
}

/// A key as section 4.1 wants it, 16 bytes in base64, that follows from the seed.
fn chance_key(arena: &mut Arena) -> String {
    let mut key: String = (0..21).map(|_| arena.rng.sample(rand::distr::Alphanumeric) as char).collect();
    // Of the last character only two bits count, and the others are zero.
    key.push(['A', 'Q', 'g', 'w'][arena.rng.random_range(0..4)]);
    key + "=="
}

async fn upgrade(arena: &mut Arena, key: Option<&str>, offers: &[&str]) -> Checked {
    let mut client = arena.open().await?;
    let key = client.send_request(key, offers);
    let head = client.response().await?;
    let wrong = |what: &str, expected: &str, got: &str| -> Trouble {
        let failure = client.failure(Kind::Handshake, format!("the handshake's answer is wrong: {what}"));
        failure.expected(expected, got).at(Mark::Response { connection: client.number() }).into()
    };
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    if let Err(error) = response.parse(head.as_bytes()) {
        return Err(wrong("it is no HTTP response", "HTTP/1.1 101 Switching Protocols", &error.to_string()));
    }
    let status = response.code.unwrap_or_default();
    if status != 101 {
        return Err(wrong("its status is not 101", "101", &status.to_string()));
    }
    let values = |name: &str| -> Vec<String> {
        let named = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| String::from_utf8_lossy(header.value).trim().to_string()).collect()
    };
    let has_token = |name: &str, token: &str| {
        values(name).iter().flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
    };
    for (name, token) in [("Upgrade", "websocket"), ("Connection", "Upgrade")] {
        if !has_token(name, token) {
            return Err(wrong(name, &format!("{name}: {token}"), &shown(name, &values(name))));
        }
    }
    let accept = derive_accept_key(key.as_bytes());
    let name = "Sec-WebSocket-Accept";
    if values(name) != [accept.as_str()] {
        return Err(wrong(name, &format!("{name}: {accept} (for the key {key})"), &shown(name, &values(name))));
    }
    for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
        let offered = offers.iter().find_map(|offer| offer.strip_prefix(name)?.strip_prefix(": "));
        let granted = values(name);
        let granted_names = granted
            .iter()
            .flat_map(|value| value.split(','))
            .map(|value| value.split(';').next().unwrap_or_default().trim());
        if let Some(invented) = granted_names.into_iter().find(|granted| Some(*granted) != offered) {
            let expected = format!("no {name} but what the client offered ({})", offered.unwrap_or("nothing"));
            return Err(wrong("it grants what nobody asked for", &expected, &format!("{name}: {invented}")));
        }
    }
    arena.leave(client).await;
    Ok(())
}

fn shown(name: &str, values: &[String]) -> String {
    if values.is_empty() { format!("no {name} header") } else { format!("{name}: {}", values.join(", ")) }
}
