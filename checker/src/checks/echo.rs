//! The checks of `echo`.

use std::time::Duration;

use rand::RngExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Check, LEAST, check};
use crate::arena::Arena;
use crate::client::{Client, Heard, PATIENCE, PREFIX, WELCOME, describe, reply_to, within};
use crate::evidence::Least;
use crate::exercise::Exercise::Echo;
use crate::verdict::{Checked, Failure, Fundamental, Kind, Trouble};
use crate::wire::frame::{Control, Data, Frame, OpCode};
use crate::wire::transcript::{Mark, quoted};

const WELCOMED: &[&str] = &["echo::handshake", "echo::welcome"];
const ECHOES: &[&str] = &["echo::handshake", "echo::welcome", "echo::reply"];
/// What says twice or never what others wait for.
const TALKS: &[&str] = &["echo::welcome", "echo::reply", "echo::order"];
/// And what keeps others waiting.
const TOGETHER: &[&str] = &["echo::welcome", "echo::reply", "echo::order", "echo::concurrent"];
/// A server that is right only when young is not right.
const OF_AGE: Duration = Duration::from_millis(1_050);

pub(super) const CHECKS: &[Check] = &[
    Check {
        hint: "accept_async(stream).await does the whole handshake; await it inside the connection's own task.",
        lesson: "lessons/02-the-handshake.md",
        least: Least { connections: 3, ..LEAST },
        ..check(
            "echo::handshake",
            Echo,
            "A valid upgrade request gets 101 with Upgrade, Connection and the right Sec-WebSocket-Accept, and no subprotocol or extension that was not offered.",
            |arena| Box::pin(handshake(arena)),
        )
    },
    Check {
        needs: &["echo::handshake"],
        hint: "Right after the handshake, and before anything is read, send Message::text(\"Welcome! Connection established.\").",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 4, messages: 4, ..LEAST },
        ..check(
            "echo::welcome",
            Echo,
            "The first message on every connection, unasked, is the text \"Welcome! Connection established.\".",
            |arena| Box::pin(welcome(arena)),
        )
    },
    Check {
        explained_by: &["echo::welcome"],
        needs: WELCOMED,
        hint: "format!(\"Server received: {text}\") and nothing else: no trim(), no case changes, the same for every message and client.",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 14, messages: 40, ..LEAST },
        ..check(
            "echo::reply",
            Echo,
            "A text message M is answered to its sender with the text \"Server received: M\", M unchanged, white space at its ends included.",
            |arena| Box::pin(reply(arena)),
        )
    },
    Check {
        explained_by: &["echo::welcome", "echo::reply"],
        needs: ECHOES,
        hint: "Answer each message where you read it, in one loop; a task spawned for each message may overtake its neighbour.",
        lesson: "lessons/03-echo.md",
        least: Least { messages: 180, ..LEAST },
        ..check("echo::order", Echo, "Pipelined messages are answered one for one, in order, none lost.", |arena| {
            Box::pin(order(arena))
        })
    },
    Check {
        explained_by: &["echo::welcome", "echo::reply", "echo::order", "echo::ping"],
        needs: ECHOES,
        hint: "The library hands you whole messages of up to 64 MiB: pass the text on as it is, whatever its length and content.",
        lesson: "lessons/03-echo.md",
        heavy: true,
        least: Least { messages: 25, ..LEAST },
        ..check(
            "echo::payloads",
            Echo,
            "So are an empty message, multi-byte text, markup and JSON, 64 KiB and 1 MiB, and a message in several fragments with a ping in between.",
            |arena| Box::pin(payloads(arena)),
        )
    },
    Check {
        explained_by: TALKS,
        needs: ECHOES,
        hint: "Message::Binary carries bytes: String::from_utf8_lossy turns them into text and puts U+FFFD where they are none.",
        lesson: "lessons/03-echo.md",
        least: Least { messages: 9, ..LEAST },
        ..check(
            "echo::binary",
            Echo,
            "A binary message is answered as text, its bytes read as UTF-8 with U+FFFD for what is not.",
            |arena| Box::pin(binary(arena)),
        )
    },
    Check {
        explained_by: TALKS,
        needs: ECHOES,
        hint: "tokio::spawn a task for each accepted stream, and await the handshake inside it: the accept loop awaits accept() only.",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 15, messages: 40, ..LEAST },
        ..check(
            "echo::concurrent",
            Echo,
            "Many clients are served at once; one that says nothing, and one that never finishes the handshake, hold up no one.",
            |arena| Box::pin(concurrent(arena)),
        )
    },
    Check {
        explained_by: &["echo::welcome"],
        needs: WELCOMED,
        hint: "The library queues the pong by itself, and sends it when you go on polling; don't answer by hand, and don't leave the loop on Message::Ping.",
        lesson: "lessons/04-heartbeats.md",
        least: Least { pongs: 4, ..LEAST },
        ..check("echo::ping", Echo, "A client's ping is answered by a pong with the same payload.", |arena| {
            Box::pin(ping(arena))
        })
    },
    Check {
        explained_by: &["echo::welcome", "echo::concurrent"],
        needs: WELCOMED,
        hint: "Don't leave the loop at Message::Close: the library's answer goes out when you poll on. Read until next() gives None, then drop the socket.",
        lesson: "lessons/03-echo.md",
        least: Least { closes: 4, ends: 4, ..LEAST },
        ..check(
            "echo::close",
            Echo,
            "A client's close frame is answered by a close frame with the same code, then the TCP connection ends.",
            |arena| Box::pin(close(arena)),
        )
    },
    Check {
        explained_by: TOGETHER,
        needs: ECHOES,
        hint: "next() gives Some(Err(…)) when a client vanishes: leave that connection's loop, and let no unwrap() or `?` end anything else.",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 10, messages: 15, ..LEAST },
        ..check(
            "echo::abrupt",
            Echo,
            "A client that vanishes (TCP reset, or in the middle of a frame) harms no other client.",
            |arena| Box::pin(abrupt(arena)),
        )
    },
    Check {
        explained_by: TOGETHER,
        needs: ECHOES,
        hint: "The library finds these errors for you: when next() gives an Err, end this connection by dropping it, and go on serving the others.",
        lesson: "lessons/02-the-handshake.md",
        least: Least { connections: 8, messages: 10, ends: 5, ..LEAST },
        ..check(
            "echo::violations",
            Echo,
            "A plain HTTP request is not upgraded; an unmasked frame, a reserved opcode, invalid UTF-8 or random bytes end that connection and no other.",
            |arena| Box::pin(violations(arena)),
        )
    },
    Check {
        explained_by: &["echo::welcome", "echo::reply", "echo::order", "echo::concurrent", "echo::abrupt"],
        needs: ECHOES,
        hint: "println! exactly `Client connected` after the handshake, `Received: <message>` for each message, and `Client disconnected` after the loop, however it ended.",
        lesson: "lessons/03-echo.md",
        least: Least { connections: 2, messages: 4, ..LEAST },
        ..check(
            "echo::log",
            Echo,
            "stdout has one line for each event: `Client connected`, `Received: <message>`, `Client disconnected`.",
            |arena| Box::pin(log(arena)),
        )
    },
];

/// Fundamental: without it there is nothing to talk to.
pub(super) async fn handshake(arena: &mut Arena) -> Checked {
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

/// Fundamental as long as no first message comes; its wording is not.
pub(super) async fn welcome(arena: &mut Arena) -> Checked {
    for n in 0..4 {
        let mut client = arena.connect().await.fundamental()?;
        match client.expect_text(WELCOME, "the welcome").await {
            Ok(()) => arena.sound(),
            Err(Trouble::Failed(failure)) if failure.kind == Kind::WrongMessage => return Err(failure.into()),
            other if n == 0 => return other.fundamental(),
            other => return other,
        }
        nothing_else_unasked(arena, &mut client).await?;
        // One at a time: whether many are served at once is another question.
        arena.leave(client).await;
    }
    Ok(())
}

/// What is heard next has to do with what was said.
async fn nothing_else_unasked(arena: &mut Arena, client: &mut Client) -> Checked {
    let token = arena.token();
    client.send_text(token.as_str());
    let heard = within(PATIENCE / 4, client.next_but_heartbeats("a reply")).await;
    if let Some(Ok(moment)) = heard
        && let Heard::Text(text) = &moment.heard
        && !resembles(text, &token)
    {
        let failure = client.failure(Kind::Unexpected, "a second message came unasked after the welcome");
        return Err(failure
            .expected("only the welcome, and then replies", quoted(text))
            .at(client.mark(&moment))
            .into());
    }
    Ok(())
}

/// Whether a reply, right or wrong, has to do with this token.
pub(super) fn resembles(text: &str, token: &str) -> bool {
    let letters =
        |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let (text, token) = (letters(text), letters(token));
    text.contains(&token)
        || text.contains(&token.chars().rev().collect::<String>())
        || (text.starts_with(&letters(PREFIX)) && text != letters(WELCOME))
}

/// Fundamental as long as the simplest message gets no right reply.
pub(super) async fn reply(arena: &mut Arena) -> Checked {
    let mut client = arena.join().await?;
    let plain = arena.token();
    client.exchange(&plain).await.fundamental()?;
    arena.sound();
    let token = arena.token();
    let variants = [
        format!("  {token}"),
        format!("{token} \t"),
        format!("\n{token}\r\n"),
        " ".to_string(),
        token.to_uppercase(),
        token.to_lowercase(),
        token.replace(' ', "  "),
        token.replace(' ', "\n"),
        format!("{PREFIX}{token}"),
        WELCOME.to_string(),
        "Hello".to_string(),
        token.clone(),
        token,
    ];
    for text in &variants {
        client.exchange(text).await?;
    }
    // Connection after connection, until a server that counts them would have run out.
    for _ in 0..12 {
        arena.leave(client).await;
        client = arena.join().await?;
        client.exchange(&arena.token()).await?;
    }
    arena.aged(OF_AGE).await;
    client.exchange(&arena.token()).await?;
    arena.leave(client).await;
    let token = arena.token();
    arena.join().await?.exchange(&token).await
}

pub(super) async fn order(arena: &mut Arena) -> Checked {
    let mut client = arena.join().await?;
    let count = arena.rng.random_range(180..240);
    let mut texts = arena.tokens(count);
    // Some are longer than others, so that work done aside would come back out of order.
    for text in texts.iter_mut().step_by(7) {
        text.push_str(&".".repeat(arena.rng.random_range(20..60)));
    }
    for text in &texts {
        client.send_text(text.as_str());
    }
    in_order(&mut client, &texts).await?;
    client.exchange(&arena.token()).await
}

/// The replies to these texts come, one for one and in their order.
pub(super) async fn in_order(client: &mut Client, texts: &[String]) -> Checked {
    for (i, text) in texts.iter().enumerate() {
        let wanted = format!("the reply to message {} of {}", i + 1, texts.len());
        let moment = client.next_but_heartbeats(&wanted).await?;
        match &moment.heard {
            Heard::Text(heard) if *heard == reply_to(text) => {}
            Heard::Text(heard) => {
                let position = texts.iter().position(|text| *heard == reply_to(text));
                let what = match position {
                    Some(other) if other < i => {
                        format!("the reply to message {} came a second time, or late", other + 1)
                    }
                    Some(other) => format!("the reply to message {} came before that to message {}", other + 1, i + 1),
                    None => format!("the reply to message {} is wrong", i + 1),
                };
                let failure = client.failure(Kind::WrongMessage, what);
                return Err(failure.literally(reply_to(text), heard.as_str()).at(client.mark(&moment)).into());
            }
            _ => return Err(client.instead(&moment, &wanted)),
        }
    }
    Ok(())
}

async fn payloads(arena: &mut Arena) -> Checked {
    let mut client = arena.join().await?;
    let token = arena.token();
    let texts = [
        String::new(),
        format!("{token}: žluťoučký kůň, 你好, שלום, 🦀👩‍👩‍👧, e\u{301}"),
        format!("<script>alert('{token}') & \"</script>"),
        format!("{{ \"type\" : \"{token}\", \"n\": 1.50, \"n\": [ ] }}"),
        format!("[1, 2, \"{token}\"]"),
        format!("\u{0}{token}\u{7f}%s\\n${{x}}"),
    ];
    for text in &texts {
        client.exchange(text).await?;
    }
    // Where the length of a frame is written differently, and where buffers have their edges.
    for length in
        [108, 109, 125, 126, 127, 4_096, 8_192, 65_518, 65_519, 65_520, 65_535, 65_536, 65_537, 131_072, 1 << 20]
    {
        let text = long_text(arena, length);
        sized_exchange(&mut client, &text).await?;
    }
    for count in [2, 3, 7] {
        fragments(arena, &mut client, count).await?;
    }
    client.exchange(&token).await
}

/// A text of this many bytes, most of them in characters of four bytes that begin anywhere.
fn long_text(arena: &mut Arena, length: usize) -> String {
    let mut text = String::with_capacity(length);
    text.push_str(&"abc"[..arena.rng.random_range(0..3)]);
    text.push_str(&arena.token());
    while text.len() + 4 <= length {
        // Mathematical letters: four bytes each, and on a terminal one column.
        text.push(char::from_u32(arena.rng.random_range(0x1D400..0x1D454)).expect("a bold letter"));
    }
    text.push_str(&"xyz"[..length.saturating_sub(text.len()).min(3)]);
    text
}

async fn sized_exchange(client: &mut Client, text: &str) -> Checked {
    client.send_text(text);
    let wanted = format!("the reply to a message of {} bytes", text.len());
    let moment = client.next_but_heartbeats(&wanted).await?;
    let Heard::Text(heard) = &moment.heard else { return Err(client.instead(&moment, &wanted)) };
    let expected = reply_to(text);
    if *heard == expected {
        return Ok(());
    }
    let differs =
        heard.bytes().zip(expected.bytes()).position(|(a, b)| a != b).unwrap_or(heard.len().min(expected.len()));
    let summary = format!("the reply to a message of {} bytes is not the message", text.len());
    let failure = client.failure(Kind::WrongMessage, summary).at(client.mark(&moment));
    let got = format!("{} bytes, the first difference at byte {differs}", heard.len());
    Err(failure.expected(format!("{} bytes", expected.len()), got).into())
}

async fn fragments(arena: &mut Arena, client: &mut Client, count: usize) -> Checked {
    let text = format!("{} in pieces: 🦀🦀🦀🦀", arena.token());
    let bytes = text.as_bytes();
    // The last cut goes through the middle of a character, which is legal.
    let mut cuts: Vec<usize> = (1..count - 1).map(|i| i * (bytes.len() - 4) / count).collect();
    cuts.push(bytes.len() - 2);
    let mut start = 0;
    for (i, end) in cuts.iter().copied().chain([bytes.len()]).enumerate() {
        let opcode = OpCode::Data(if i == 0 { Data::Text } else { Data::Continue });
        let fin = end == bytes.len();
        client.send(Frame { fin, ..Frame::new(opcode, &bytes[start..end]) });
        if i == 0 {
            client.send(Frame::new(OpCode::Control(Control::Ping), "in between"));
        }
        start = end;
    }
    client.expect_text(&reply_to(&text), "the reply to a message in fragments").await
}

async fn binary(arena: &mut Arena) -> Checked {
    let mut client = arena.join().await?;
    let token = arena.token().into_bytes();
    let with = |tail: &[u8]| [&token, tail].concat();
    let noise: Vec<u8> = (0..64).map(|_| arena.rng.random()).collect();
    let samples = [
        token.clone(),
        Vec::new(),
        with("žluťoučký 🦀".as_bytes()),
        with(b"\xff\xfe"),
        with(b"\xc3("),
        with(b"\xf0\x9f\xa6 cut \xe2\x82"),
        with(b"\xed\xa0\x80 surrogate \xc0\xaf overlong"),
        noise,
    ];
    for bytes in samples {
        let expected = reply_to(&String::from_utf8_lossy(&bytes));
        client.send(Frame::new(OpCode::Data(Data::Binary), bytes));
        client.expect_text(&expected, "the reply to a binary message").await?;
    }
    client.exchange(&arena.token()).await
}

pub(super) async fn concurrent(arena: &mut Arena) -> Checked {
    let _silent_tcp = arena.open().await?;
    let mut half_a_request = arena.open().await?;
    half_a_request.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgr".to_vec());
    let _says_nothing = arena.join().await.map_err(held_up)?;
    let count = arena.rng.random_range(14..20);
    let mut clients = arena.join_many(count).await.map_err(held_up)?;
    for _ in 0..2 {
        let tokens = arena.tokens(count);
        for (client, token) in clients.iter_mut().zip(&tokens) {
            client.send_text(token.as_str());
        }
        // Answered in whatever order, and asked for from the last one to the first.
        for (client, token) in clients.iter_mut().zip(&tokens).rev() {
            client.expect_reply(token).await.map_err(held_up)?;
        }
    }
    Ok(())
}

fn held_up(trouble: Trouble) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    if failure.kind == Kind::Silence {
        failure.summary = format!("a client is held up by others that are connected and silent: {}", failure.summary);
        failure.clients.extend([1, 2, 3]);
    }
    Trouble::Failed(failure)
}

async fn ping(arena: &mut Arena) -> Checked {
    let mut client = arena.join().await?;
    let payloads = [arena.token().into_bytes(), Vec::new(), arena.rng.random::<[u8; 32]>().to_vec(), vec![0xA5; 125]];
    for payload in payloads {
        client.send(Frame::new(OpCode::Control(Control::Ping), payload.as_slice()));
        let shown = quoted(&String::from_utf8_lossy(&payload));
        let wanted = format!("a pong with the payload {shown}");
        let moment = loop {
            let moment = client.next(&wanted).await?;
            if !matches!(moment.heard, Heard::Ping(_)) {
                break moment;
            }
        };
        match &moment.heard {
            Heard::Pong(heard) if *heard == payload => {}
            Heard::Pong(_) => {
                let failure = client.failure(Kind::WrongMessage, "the pong's payload is not the ping's");
                return Err(failure.expected(wanted, describe(&moment.heard)).at(client.mark(&moment)).into());
            }
            _ => return Err(client.instead(&moment, &wanted)),
        }
    }
    Ok(())
}

async fn close(arena: &mut Arena) -> Checked {
    close_after(arena, 0).await
}

/// The same after a little talk.
///
/// A server may send a ping right at opening. Where the close frame is there first, a library like tungstenite
/// refuses the ping, and a simple loop ends on that error before the close frame is answered. That race is nobody's
/// mistake; after some turns of such a loop it is over.
pub(super) async fn close_after(arena: &mut Arena, exchanges: usize) -> Checked {
    let private = arena.rng.random_range(3_000..5_000);
    for (code, reason) in [(1_000, ""), (1_001, "going away"), (private, "as agreed")] {
        let mut client = arena.join().await?;
        for text in arena.tokens(exchanges) {
            client.exchange(&text).await?;
        }
        client.send_close(code, reason);
        closed(&mut client, Some(code)).await?;
    }
    // A close frame needs no code (section 5.5.1); then it matters only that it is answered.
    let mut client = arena.join().await?;
    for text in arena.tokens(exchanges) {
        client.exchange(&text).await?;
    }
    client.stop_answering_pings();
    client.send(Frame::new(OpCode::Control(Control::Close), Vec::new()));
    closed(&mut client, None).await
}

async fn closed(client: &mut Client, code: Option<u16>) -> Checked {
    let wanted = match code {
        Some(code) => format!("a close frame with code {code}"),
        None => "a close frame".to_string(),
    };
    let moment = client.next_but_heartbeats(&wanted).await?;
    match moment.heard {
        Heard::Close(got) if code.is_none() || got == code => {}
        Heard::Close(_) => {
            let failure = client.failure(Kind::WrongClose, "the close frame's code is not the one the client sent");
            return Err(failure.expected(wanted, describe(&moment.heard)).at(client.mark(&moment)).into());
        }
        Heard::End(_) => {
            let failure =
                client.failure(Kind::WrongClose, "the close frame was not answered: the TCP connection just ended");
            return Err(failure.expected(wanted, describe(&moment.heard)).at(client.mark(&moment)).into());
        }
        _ => return Err(client.instead(&moment, &wanted)),
    }
    client.end().await.map(|_| ())
}

async fn abrupt(arena: &mut Arena) -> Checked {
    let mut neighbour = arena.join().await?;
    for round in 0..2 {
        let reset = arena.join().await?;
        reset.connection.reset().await;
        still_served(arena, &mut neighbour).await?;

        let mut cut_off = arena.join().await?;
        let whole = Frame::new(OpCode::Data(Data::Text), "half of this never arrives").masked([7; 4]).encode();
        // In the first round within the payload, in the second within the header.
        let arrives = if round == 0 { whole.len() / 2 } else { 1 };
        cut_off.send_bytes(whole[..arrives].to_vec());
        let _ = within(PATIENCE, cut_off.sent_but(0)).await;
        if round == 0 {
            cut_off.connection.reset().await;
        } else {
            cut_off.hang_up();
        }
        still_served(arena, &mut neighbour).await?;

        let mut shaking_hands = arena.open().await?;
        shaking_hands.send_bytes(b"GET / HTTP/1.1\r\nUpgrade: webso".to_vec());
        let _ = within(PATIENCE, shaking_hands.sent_but(0)).await;
        shaking_hands.connection.reset().await;
        still_served(arena, &mut neighbour).await?;

        let mut in_reply = arena.join().await?;
        in_reply.send_text(arena.token());
        let _ = within(PATIENCE, in_reply.sent_but(0)).await;
        in_reply.connection.reset().await;
        still_served(arena, &mut neighbour).await?;
    }
    Ok(())
}

/// The neighbour is served as before, and so is someone new.
async fn still_served(arena: &mut Arena, neighbour: &mut Client) -> Checked {
    for _ in 0..2 {
        neighbour.exchange(&arena.token()).await.map_err(|trouble| harmed(arena, trouble))?;
    }
    let served = async {
        let token = arena.token();
        arena.join().await?.exchange(&token).await
    };
    served.await.map_err(|trouble| harmed(arena, trouble))
}

fn harmed(arena: &Arena, trouble: Trouble) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    let what = if arena.server.ended().is_some() { "the whole server ended" } else { "another client suffered" };
    failure.summary = format!("one client broke off, and {what}: {}", failure.summary);
    failure.clients = Vec::new();
    Trouble::Failed(failure)
}

async fn violations(arena: &mut Arena) -> Checked {
    let mut neighbour = arena.join().await?;
    plain_http(arena).await?;
    neighbour.exchange(&arena.token()).await?;

    let token = arena.token();
    let unmasked = Frame::new(OpCode::Data(Data::Text), token.as_str()).encode();
    let reserved = |code, rng: &mut rand::rngs::StdRng| Frame::new(code, token.as_str()).masked(rng.random()).encode();
    let reserved_data = reserved(OpCode::Data(Data::Reserved(3)), &mut arena.rng);
    let reserved_control = reserved(OpCode::Control(Control::Reserved(11)), &mut arena.rng);
    let mut not_utf8 = token.clone().into_bytes();
    not_utf8.extend_from_slice(b"\xc3\x28 \xff");
    let not_utf8 = Frame::new(OpCode::Data(Data::Text), not_utf8).masked(arena.rng.random()).encode();
    let mut noise: Vec<u8> = (0..96).map(|_| arena.rng.random()).collect();
    // Chance could write a frame that is legal, or still waits for its rest; this beginning can't be one.
    noise[0] = 0xF3 | (noise[0] & 0x0C);
    noise[1] &= 0x1F;
    let broken = [
        ("an unmasked frame", unmasked),
        ("a frame with the reserved opcode 3", reserved_data),
        ("a frame with the reserved opcode 11", reserved_control),
        ("a text message that is not UTF-8", not_utf8),
        ("random bytes", noise),
    ];
    for (what, bytes) in broken {
        let mut offender = arena.join().await?;
        offender.send_bytes(bytes);
        thrown_out(&mut offender, what).await?;
        neighbour.exchange(&arena.token()).await.map_err(|trouble| harmed(arena, trouble))?;
    }
    let token = arena.token();
    arena.join().await?.exchange(&token).await
}

async fn plain_http(arena: &mut Arena) -> Checked {
    let mut browser = arena.open().await?;
    browser.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n".to_vec());
    // A refusal, an end, or nothing at all: whatever is no upgrade will do.
    let heard = within(PATIENCE / 4, browser.next("an answer")).await;
    match heard {
        Some(Ok(moment)) => match &moment.heard {
            Heard::Head(head) if head.split_whitespace().nth(1) == Some("101") => {
                let failure = browser.failure(Kind::Handshake, "a plain HTTP request was upgraded");
                let first = head.lines().next().unwrap_or_default();
                Err(failure
                    .expected("a refusal such as 400 or 426, or a closed connection", first)
                    .at(browser.mark(&moment))
                    .into())
            }
            Heard::Head(_) | Heard::Body(_) | Heard::End(_) => Ok(()),
            _ => Err(browser.instead(&moment, "a refusal")),
        },
        _ => Ok(()),
    }
}

/// The connection ends, and nothing of what was sent comes back.
async fn thrown_out(offender: &mut Client, what: &str) -> Checked {
    loop {
        let moment = offender.next("the end of the connection").await.map_err(|_| {
            let failure = offender.failure(Kind::StillOpen, format!("{what} did not end the connection"));
            let got = format!("still open after {} s", PATIENCE.as_secs());
            failure.expected("the server ends this connection", got).at(Mark::Last { connection: offender.number() })
        })?;
        match &moment.heard {
            Heard::End(_) => return Ok(()),
            Heard::Close(_) | Heard::Ping(_) | Heard::Pong(_) => {}
            heard => {
                let failure = offender.failure(Kind::Unexpected, format!("{what} was answered"));
                return Err(failure
                    .expected("the end of the connection", describe(heard))
                    .at(offender.mark(&moment))
                    .into());
            }
        }
    }
}

async fn log(arena: &mut Arena) -> Checked {
    let mut polite = arena.join().await?;
    logged(arena, "Client connected", 1).await?;
    let mut rude = arena.join().await?;
    logged(arena, "Client connected", 2).await?;
    let texts = arena.tokens(3);
    for text in &texts {
        polite.exchange(text).await?;
        logged(arena, &format!("Received: {text}"), 1).await?;
    }
    let last = arena.token();
    rude.exchange(&last).await?;
    logged(arena, &format!("Received: {last}"), 1).await?;
    // Whether that is answered well is another check's business.
    polite.send_close(1_000, "");
    logged(arena, "Client disconnected", 1).await?;
    rude.connection.reset().await;
    logged(arena, "Client disconnected", 2).await?;
    // One line for each event and no more, looked at when all are over.
    for (line, count) in [("Client connected", 2), ("Client disconnected", 2)] {
        exactly(arena, line, count)?;
    }
    texts.iter().chain([&last]).try_for_each(|text| exactly(arena, &format!("Received: {text}"), 1))
}

async fn logged(arena: &Arena, line: &str, count: usize) -> Checked {
    let output = &arena.server.output;
    let gone = async {
        arena.server.exit_status().await;
    };
    let wait = output.wait_for(|output| output.count(line) >= count, gone);
    match within(PATIENCE / 2, wait).await {
        Some(true) => exactly(arena, line, count),
        _ => Err(not_logged(arena, line, count)),
    }
}

fn exactly(arena: &Arena, line: &str, count: usize) -> Checked {
    if arena.server.output.count(line) == count { Ok(()) } else { Err(not_logged(arena, line, count)) }
}

fn not_logged(arena: &Arena, line: &str, count: usize) -> Trouble {
    let found = arena.server.output.count(line);
    let times = |n: usize| if n == 1 { "once".to_string() } else { format!("{n} times") };
    let summary = format!("the log line `{line}` is not there as often as it happened");
    let got = if found == 0 { "never".to_string() } else { times(found) };
    Failure::new(Kind::Log, summary).expected(format!("`{line}` on stdout, {}", times(count)), got).into()
}
