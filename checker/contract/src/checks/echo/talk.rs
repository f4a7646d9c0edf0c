//! What is said and answered.

use std::time::Instant;

use futures_util::future::join;
use rand::RngExt;

use super::ends::deafened;
use super::payloads::in_pieces;
use super::texts;
use crate::arena::Arena;
use crate::client::{Client, Heard, Moment, PATIENCE, PREFIX, WELCOME, describe, reply_to, within};
use crate::verdict::{Checked, Fundamental, Kind, Trouble};
use crate::wire::frame::{Control, Data, Frame, OpCode};
use crate::wire::transcript::quoted;

/// Fundamental as long as no first message comes; its wording is not.
pub(in crate::checks) async fn welcome(arena: &mut Arena) -> Checked {
    for n in 0..4 {
        let mut client = arena.connect().await.fundamental()?;
        match client.expect_text(WELCOME, "the welcome").await {
            Ok(()) => arena.sound(),
            Err(Trouble::Failed(failure)) if failure.kind == Kind::WrongMessage => {
                return Err(failure.into());
            }
            other if n == 0 => return other.fundamental(),
            other => return other,
        }
        nothing_else_unasked(arena, &mut client).await?;
        // One at a time: whether many are served at once is another question.
        arena.leave(client).await;
    }
    for _ in 0..4 {
        speaks_first(arena).await?;
    }
    Ok(())
}

/// A client that speaks as soon as it may is welcomed first and answered then.
async fn speaks_first(arena: &mut Arena) -> Checked {
    let mut client = arena.connect().await?;
    let token = arena.token();
    client.send_text(token.as_str());
    let moment = client.next_but_heartbeats("the welcome").await?;
    if let Heard::Text(text) = &moment.heard
        && text != WELCOME
        && resembles(text, &token)
    {
        let failure = client.failure(
            Kind::Unexpected,
            "a client that speaks at once is answered before it is welcomed",
        );
        return Err(failure.literally(WELCOME, text.as_str()).at(client.mark(&moment)).into());
    }
    arena.leave(client).await;
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
        let failure =
            client.failure(Kind::Unexpected, "a second message came unasked after the welcome");
        return Err(failure
            .expected("only the welcome, and then replies", quoted(text))
            .at(client.mark(&moment))
            .into());
    }
    Ok(())
}

/// Whether a reply, right or wrong, has to do with this token.
pub(in crate::checks) fn resembles(text: &str, token: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (text, token) = (letters(text), letters(token));
    text.contains(&token)
        || text.contains(&token.chars().rev().collect::<String>())
        || (text.starts_with(&letters(PREFIX)) && text != letters(WELCOME))
}

/// Fundamental as long as the simplest message gets no right reply.
pub(in crate::checks) async fn reply(arena: &mut Arena) -> Checked {
    let mut client = arena.join().await?;
    let plain = arena.token();
    in_both_environments(arena, &mut client, &plain).await.fundamental()?;
    let answered = Instant::now();
    arena.sound();
    let token = arena.token();
    let mut variants = vec![
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
        format!("/{token}"),
        token.clone(),
        token,
    ];
    variants.extend(texts::COMMANDS.iter().map(ToString::to_string));
    for text in &variants {
        client.exchange(text).await?;
    }
    // Connection after connection, until a server that counts them would have run out.
    for _ in 0..12 {
        arena.leave(client).await;
        client = arena.join().await?;
        client.exchange(&arena.token()).await?;
    }
    // Not in silence: how long a client is kept that says nothing is up to the server.
    let when = arena.aged_with(&mut client, answered).await?;
    let still = async {
        client.exchange(&arena.token()).await?;
        arena.leave(client).await;
        let token = arena.token();
        arena.join().await?.exchange(&token).await
    };
    still.await.map_err(|trouble| trouble.amid(when))
}

/// The simplest message is answered whether `CI` is set or not: one server is asked with it, and
/// one without.
async fn in_both_environments(arena: &Arena, client: &mut Client, text: &str) -> Checked {
    let (here, there) = (arena.in_ci(), !arena.in_ci());
    let (trouble, ci) = match join(client.exchange(text), answers(arena, there, text)).await {
        (Ok(()), Ok(())) => return Ok(()),
        (Err(trouble), Err(_)) => return Err(trouble),
        (Err(trouble), Ok(())) => (trouble, here),
        (Ok(()), Err(trouble)) => (trouble, there),
    };
    // A second server in the first one's environment shows whether it is the environment.
    let is_right = answers(arena, here, text).await.is_ok();
    if is_right != (ci == there) {
        return Err(trouble);
    }
    let is_set = if ci { "is set" } else { "is not set" };
    let headline =
        format!("The server is wrong where `CI` {is_set} in its environment, and right elsewhere.");
    Err(trouble.headed(headline).hinted(NO_OTHER_VARIABLE))
}

const NO_OTHER_VARIABLE: &str = "Read `ADDR` and `HEARTBEAT_INTERVAL_MS` from the environment and \
     nothing else: build machines set `CI`, and your own does not.";

/// Asks a new server, which finds `CI` in its environment or doesn't.
async fn answers(arena: &Arena, ci: bool, text: &str) -> Checked {
    let server = arena.in_environment(ci).await?;
    let answered = async { server.join().await?.exchange(text).await };
    answered.await.map_err(|trouble| trouble.seen_by(&server.tap))
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
    // All there at once, and more than a queue of a usual length holds.
    let count = arena.rng.random_range(1_050..1_200);
    let texts = arena.tokens(count);
    client.send_all(texts.iter().map(|text| Frame::new(OpCode::Data(Data::Text), text.as_str())));
    in_order(&mut client, &texts).await?;
    client.exchange(&arena.token()).await
}

/// The advice where a reply is not late but missing.
const NONE_LOST: &str = "Messages that arrive together are answered together: look for what leaves one out when several wait, a queue that is full (`try_send`), or a read of which only the first message is answered.";

/// The replies to these texts come, one for one and in their order.
pub(in crate::checks) async fn in_order(client: &mut Client, texts: &[String]) -> Checked {
    for (i, text) in texts.iter().enumerate() {
        let wanted = format!("the reply to message {} of {}", i + 1, texts.len());
        let moment = client.next_but_heartbeats(&wanted).await?;
        match &moment.heard {
            Heard::Text(heard) if *heard == reply_to(text) => {}
            Heard::Text(heard) => {
                let expected = reply_to(text);
                let other = texts.iter().position(|text| *heard == reply_to(text));
                // All before it came in their order.
                let again = other.is_some_and(|other| other < i);
                let lost =
                    !again && other.is_some() && !comes_yet(client, &expected, texts.len()).await;
                let what = match other.map(|other| other + 1) {
                    Some(other) if again => {
                        format!("the reply to message {other} came a second time")
                    }
                    Some(other) if lost => {
                        format!(
                            "the reply to message {other} came, and that to message {} never did",
                            i + 1
                        )
                    }
                    Some(other) => format!(
                        "the reply to message {other} came before that to message {}",
                        i + 1
                    ),
                    None => format!("the reply to message {} is wrong", i + 1),
                };
                let failure = client.failure(Kind::WrongMessage, what);
                let failure = failure.literally(expected, heard.as_str()).at(client.mark(&moment));
                return Err(if lost { failure.hint(NONE_LOST) } else { failure }.into());
            }
            _ => return Err(client.instead(&moment, &wanted)),
        }
    }
    Ok(())
}

/// Whether this text is among the next so many: who is overtaken comes later, who is lost does not.
async fn comes_yet(client: &mut Client, text: &str, at_most: usize) -> bool {
    for _ in 0..at_most {
        match client.next_but_heartbeats("a reply that is late").await {
            Ok(moment) if matches!(&moment.heard, Heard::Text(heard) if heard == text) => {
                return true;
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

pub(in crate::checks) async fn concurrent(arena: &mut Arena) -> Checked {
    let by_the_silent =
        |trouble| held_up(trouble, "others that are connected and silent", &Vec::from_iter(1..20));
    let (_unfinished, _says_nothing) = beside_unfinished_handshakes(arena, by_the_silent).await?;
    let count = arena.rng.random_range(70..90);
    let mut clients = arena.join_many(count).await.map_err(by_the_silent)?;
    for _ in 0..2 {
        let tokens = arena.tokens(count);
        for (client, token) in clients.iter_mut().zip(&tokens) {
            client.send_text(token.as_str());
        }
        // Answered in whatever order, and asked for from the last one to the first.
        for (client, token) in clients.iter_mut().zip(&tokens).rev() {
            client.expect_reply(token).await.map_err(by_the_silent)?;
        }
    }
    let mut others = clients.split_off(count - 8);
    beside_a_deaf_one(arena, &mut others).await
}

/// How many requests are begun and not finished, in each round. In all there are more than the 64
/// places that a pool for handshakes may have.
const HALF_REQUESTS: usize = 17;
const ROUNDS: usize = 4;

/// Clients get in while other connections say nothing, or stop in the middle of their request:
/// first beside one of each, then beside more and more. Returns the connections and the clients,
/// since all of them stay.
async fn beside_unfinished_handshakes(
    arena: &Arena,
    by_the_silent: impl Fn(Trouble) -> Trouble,
) -> Checked<(Vec<Client>, Vec<Client>)> {
    let (mut unfinished, mut clients) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        unfinished.push(arena.open().await?);
        for _ in 0..if round == 0 { 1 } else { HALF_REQUESTS } {
            let mut half_a_request = arena.open().await?;
            half_a_request.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgr".to_vec());
            unfinished.push(half_a_request);
        }
        let client = arena.join().await;
        clients.push(client.map_err(|trouble| {
            if round == 0 {
                return by_the_silent(trouble);
            }
            let count = unfinished.len();
            trouble.headed(format!(
                "The server lets no client in while {count} handshakes are unfinished."
            ))
        })?);
    }
    Ok((unfinished, clients))
}

/// A client that talks and doesn't read its replies holds up itself.
async fn beside_a_deaf_one(arena: &mut Arena, others: &mut [Client]) -> Checked {
    let deaf = deafened(arena).await?;
    const NO_LOCK: &str = "Hold no lock while you await a send: each task writes to its own client, and waits for no other's.";
    let held_up_by_it = |trouble| {
        let held_up = held_up(trouble, "another that does not read its replies", &[deaf.number()]);
        held_up.advised(Kind::Silence, NO_LOCK)
    };
    for _ in 0..4 {
        for other in others.iter_mut() {
            other.exchange(&arena.token()).await.map_err(held_up_by_it)?;
        }
    }
    Ok(())
}

/// What is said of a client that waits in vain, by whom it is held up and which connections that are.
fn held_up(trouble: Trouble, by: &str, numbers: &[usize]) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    if failure.kind == Kind::Silence {
        failure.summary = format!("a client is held up by {by}: {}", failure.summary);
        failure.clients.extend(numbers);
    }
    Trouble::Failed(failure)
}

pub(super) async fn ping(arena: &mut Arena) -> Checked {
    let mut client = arena.join().await?;
    let payloads = [
        arena.token().into_bytes(),
        Vec::new(),
        arena.rng.random::<[u8; 32]>().to_vec(),
        vec![0xA5; 125],
    ];
    // A pong that nobody asked for is legal, and neither a message nor to be answered (section 5.5.3).
    let unasked = arena.token();
    client.send(Frame::new(OpCode::Control(Control::Pong), unasked.as_str()));
    for payload in payloads {
        client.send(Frame::new(OpCode::Control(Control::Ping), payload.as_slice()));
        let wanted =
            format!("a pong with the payload {}", quoted(&String::from_utf8_lossy(&payload)));
        let moment = next_but_other_pongs(&mut client, &payload, &wanted).await?;
        if let Heard::Text(text) = &moment.heard
            && resembles(text, &unasked)
        {
            let failure =
                client.failure(Kind::Unexpected, "a pong that nobody asked for was answered");
            return Err(failure.expected(wanted, quoted(text)).at(client.mark(&moment)).into());
        }
        is_pong(&client, &moment, &payload, &wanted)?;
    }
    arena.leave(client).await;
    ping_in_a_message(arena).await
}

/// What comes next but pings. A pong that nobody asked for is legal (section 5.5.3), a second one to the same ping
/// likewise: one with another payload is what came only if the right one doesn't follow.
async fn next_but_other_pongs(
    client: &mut Client,
    payload: &[u8],
    wanted: &str,
) -> Checked<Moment> {
    let mut other: Option<Moment> = None;
    loop {
        let moment = match &other {
            None => client.next(wanted).await?,
            Some(pong) => {
                let left = (PATIENCE / 4).saturating_sub(pong.at.elapsed());
                match within(left, client.next(wanted)).await {
                    Some(Ok(moment)) => moment,
                    _ => return Ok(other.expect("it came")),
                }
            }
        };
        match &moment.heard {
            Heard::Ping(_) => {}
            Heard::Pong(heard) if heard != payload => other = other.or(Some(moment)),
            _ => return Ok(moment),
        }
    }
}

fn is_pong(client: &Client, moment: &Moment, payload: &[u8], wanted: &str) -> Checked {
    match &moment.heard {
        Heard::Pong(heard) if *heard == payload => Ok(()),
        Heard::Pong(_) => {
            let failure =
                client.failure(Kind::WrongMessage, "the pong's payload is not the ping's");
            Err(failure.expected(wanted, describe(&moment.heard)).at(client.mark(moment)).into())
        }
        _ => Err(client.instead(moment, wanted)),
    }
}

/// A ping between two fragments is a ping like any other; its pong may come before the reply to the message or after.
/// What becomes of the message is for another check to judge: where it is not answered, nothing is said of the pong.
async fn ping_in_a_message(arena: &mut Arena) -> Checked {
    let mut client = arena.join().await?;
    let (text, payload) = (arena.token(), arena.token());
    let mut frames = in_pieces(Data::Text, text.as_bytes(), &[text.len() / 2]);
    frames.insert(1, Frame::new(OpCode::Control(Control::Ping), payload.as_str()));
    client.send_all(frames);
    let wanted =
        format!("a pong to the ping between two fragments, with its payload {}", quoted(&payload));
    let mut answered = false;
    loop {
        let moment = match next_but_other_pongs(&mut client, payload.as_bytes(), &wanted).await {
            Err(Trouble::Failed(_)) if !answered => return Ok(()),
            moment => moment?,
        };
        match &moment.heard {
            Heard::Text(reply) if !answered && *reply == reply_to(&text) => answered = true,
            Heard::Pong(_) => return is_pong(&client, &moment, payload.as_bytes(), &wanted),
            _ if answered => return Err(client.instead(&moment, &wanted)),
            _ => return Ok(()),
        }
    }
}
