//! What is said and answered.

use rand::RngExt;

use super::OF_AGE;
use crate::arena::Arena;
use crate::client::{Client, Heard, PATIENCE, PREFIX, WELCOME, describe, reply_to, within};
use crate::verdict::{Checked, Fundamental, Kind, Trouble};
use crate::wire::frame::{Control, Data, Frame, OpCode};
use crate::wire::transcript::quoted;

/// Fundamental as long as no first message comes; its wording is not.
pub(in crate::checks) async fn welcome(arena: &mut Arena) -> Checked {
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
pub(in crate::checks) fn resembles(text: &str, token: &str) -> bool {
    let letters =
        |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let (text, token) = (letters(text), letters(token));
    text.contains(&token)
        || text.contains(&token.chars().rev().collect::<String>())
        || (text.starts_with(&letters(PREFIX)) && text != letters(WELCOME))
}

/// Fundamental as long as the simplest message gets no right reply.
pub(in crate::checks) async fn reply(arena: &mut Arena) -> Checked {
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

pub(in crate::checks) async fn order(arena: &mut Arena) -> Checked {
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
pub(in crate::checks) async fn in_order(client: &mut Client, texts: &[String]) -> Checked {
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

pub(super) async fn payloads(arena: &mut Arena) -> Checked {
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

pub(super) async fn binary(arena: &mut Arena) -> Checked {
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

pub(in crate::checks) async fn concurrent(arena: &mut Arena) -> Checked {
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

pub(super) async fn ping(arena: &mut Arena) -> Checked {
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
