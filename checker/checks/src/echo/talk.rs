//! Messages and their replies.

use std::time::Instant;

use futures_util::future::join;
use rand::RngExt;

use super::ends::deafened;
use super::payloads::in_pieces;
use super::texts;
use harness::client::{
    Client, ClientEvent, PREFIX, RESPONSE_TIMEOUT, Received, WELCOME, describe, reply_to,
    timeout_on_busy_host,
};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, FailureKind, Fundamental};
use harness::wire::frame::{Control, Data, Frame, OpCode};
use harness::wire::transcript::quoted;

/// Fundamental as long as no first message comes. Its wording is not.
pub(crate) async fn welcome(ctx: &mut TestContext) -> CheckResult {
    for n in 0..4 {
        let mut client = ctx.connect().await.fundamental()?;
        match client.expect_text(WELCOME, "the welcome").await {
            Ok(()) => ctx.gate_passed(),
            Err(CheckError::Failed(failure)) if failure.kind == FailureKind::WrongMessage => {
                return Err(failure.into());
            }
            other if n == 0 => return other.fundamental(),
            other => return other,
        }
        nothing_else_unasked(ctx, &mut client).await?;
        // One at a time. Another check judges whether many are served at once.
        ctx.leave(client).await;
    }
    for _ in 0..4 {
        speaks_first(ctx).await?;
    }
    Ok(())
}

/// A client that sends a message as soon as it may gets the welcome first and the reply after it.
async fn speaks_first(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.connect().await?;
    let token = ctx.token();
    client.send_text(token.as_str());
    let received = client.next_except_heartbeats("the welcome").await?;
    if let ClientEvent::Text(text) = &received.event
        && text != WELCOME
        && resembles(text, &token)
    {
        let failure = client.failure(
            FailureKind::Unexpected,
            "a client that speaks at once is answered before it is welcomed",
        );
        return Err(failure.literally(WELCOME, text.as_str()).at(client.mark(&received)).into());
    }
    ctx.leave(client).await;
    Ok(())
}

/// Fails if the next message is unrelated to the client's.
async fn nothing_else_unasked(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let token = ctx.token();
    client.send_text(token.as_str());
    let heard =
        timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.next_except_heartbeats("a reply")).await;
    if let Some(Ok(received)) = heard
        && let ClientEvent::Text(text) = &received.event
        && !resembles(text, &token)
    {
        let failure = client
            .failure(FailureKind::Unexpected, "a second message came unasked after the welcome");
        return Err(failure
            .expected("only the welcome, and then replies", quoted(text))
            .at(client.mark(&received))
            .into());
    }
    Ok(())
}

/// Returns true if a reply, right or wrong, is related to this token.
pub(crate) fn resembles(text: &str, token: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (text, token) = (letters(text), letters(token));
    text.contains(&token)
        || text.contains(&token.chars().rev().collect::<String>())
        || (text.starts_with(&letters(PREFIX)) && text != letters(WELCOME))
}

/// Fundamental as long as the simplest message gets no right reply.
pub(crate) async fn reply(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let plain = ctx.token();
    in_both_environments(ctx, &mut client, &plain).await.fundamental()?;
    let answered = Instant::now();
    ctx.gate_passed();
    let token = ctx.token();
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
    // Many connections, one after the other, to find a server that runs out of them.
    for _ in 0..12 {
        ctx.leave(client).await;
        client = ctx.join().await?;
        client.exchange(&ctx.token()).await?;
    }
    // The client keeps sending, because a server may disconnect a client that is idle.
    let when = ctx.wait_for_uptime_with(&mut client, answered).await?;
    let still = async {
        client.exchange(&ctx.token()).await?;
        ctx.leave(client).await;
        let token = ctx.token();
        ctx.join().await?.exchange(&token).await
    };
    still.await.map_err(|error| error.context(when))
}

/// The simplest message is answered with and without `CI`: one server has it in its environment,
/// and the other does not.
async fn in_both_environments(ctx: &TestContext, client: &mut Client, text: &str) -> CheckResult {
    let (here, there) = (ctx.in_ci(), !ctx.in_ci());
    let (error, ci) = match join(client.exchange(text), answers(ctx, there, text)).await {
        (Ok(()), Ok(())) => return Ok(()),
        (Err(error), Err(_)) => return Err(error),
        (Err(error), Ok(())) => (error, here),
        (Ok(()), Err(error)) => (error, there),
    };
    // A second server in the first one's environment shows whether the environment is the cause.
    let is_right = answers(ctx, here, text).await.is_ok();
    if is_right != (ci == there) {
        return Err(error);
    }
    let is_set = if ci { "is set" } else { "is not set" };
    let headline =
        format!("The server is wrong where `CI` {is_set} in its environment, and right elsewhere.");
    Err(error.headed(headline).hinted(NO_OTHER_VARIABLE))
}

const NO_OTHER_VARIABLE: &str = "Read `ADDR` and `HEARTBEAT_INTERVAL_MS` from the environment and \
     nothing else: build machines set `CI`, and your own does not.";

/// Asks a new server, with or without `CI` in its environment.
async fn answers(ctx: &TestContext, ci: bool, text: &str) -> CheckResult {
    let server = ctx.in_environment(ci).await?;
    let answered = async { server.join().await?.exchange(text).await };
    answered.await.map_err(|error| error.recorded_by(&server.recorder))
}

pub(crate) async fn order(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let count = ctx.rng.random_range(180..240);
    let mut texts = ctx.tokens(count);
    // Some are longer than others, so that replies from separate tasks would come out of order.
    for text in texts.iter_mut().step_by(7) {
        text.push_str(&".".repeat(ctx.rng.random_range(20..60)));
    }
    for text in &texts {
        client.send_text(text.as_str());
    }
    in_order(&mut client, &texts).await?;
    // All at once, and more than a queue of a usual length holds.
    let count = ctx.rng.random_range(1_050..1_200);
    let texts = ctx.tokens(count);
    client.send_all(texts.iter().map(|text| Frame::new(OpCode::Data(Data::Text), text.as_str())));
    in_order(&mut client, &texts).await?;
    client.exchange(&ctx.token()).await
}

/// The advice if a reply is missing, not late.
const NONE_LOST: &str = "Messages that arrive together are answered together: look for what leaves one out when several wait, a queue that is full (`try_send`), or a read of which only the first message is answered.";

/// Checks that the replies to these texts come one for one and in order.
pub(crate) async fn in_order(client: &mut Client, texts: &[String]) -> CheckResult {
    for (i, text) in texts.iter().enumerate() {
        let wanted = format!("the reply to message {} of {}", i + 1, texts.len());
        let received = client.next_except_heartbeats(&wanted).await?;
        match &received.event {
            ClientEvent::Text(heard) if *heard == reply_to(text) => {}
            ClientEvent::Text(heard) => {
                let expected = reply_to(text);
                let other = texts.iter().position(|text| *heard == reply_to(text));
                // All earlier replies came in order.
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
                let failure = client.failure(FailureKind::WrongMessage, what);
                let failure =
                    failure.literally(expected, heard.as_str()).at(client.mark(&received));
                return Err(if lost { failure.hint(NONE_LOST) } else { failure }.into());
            }
            _ => return Err(client.unexpected(&received, &wanted)),
        }
    }
    Ok(())
}

/// Returns true if this text is among the next messages, so that it was overtaken and not lost.
async fn comes_yet(client: &mut Client, text: &str, at_most: usize) -> bool {
    for _ in 0..at_most {
        match client.next_except_heartbeats("a reply that is late").await {
            Ok(received) if matches!(&received.event, ClientEvent::Text(heard) if heard == text) => {
                return true;
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

pub(crate) async fn concurrent(ctx: &mut TestContext) -> CheckResult {
    let by_the_silent =
        |error| held_up(error, "others that are connected and silent", &Vec::from_iter(1..20));
    let (_unfinished, _says_nothing) = beside_unfinished_handshakes(ctx, by_the_silent).await?;
    let count = ctx.rng.random_range(70..90);
    let mut clients = ctx.join_many(count).await.map_err(by_the_silent)?;
    for _ in 0..2 {
        let tokens = ctx.tokens(count);
        for (client, token) in clients.iter_mut().zip(&tokens) {
            client.send_text(token.as_str());
        }
        // The replies may come in any order. They are read from the last client to the first.
        for (client, token) in clients.iter_mut().zip(&tokens).rev() {
            client.expect_reply(token).await.map_err(by_the_silent)?;
        }
    }
    let mut others = clients.split_off(count - 8);
    beside_a_deaf_one(ctx, &mut others).await
}

/// The number of unfinished requests in each round. In all they exceed the 64 places of a typical
/// pool for handshakes.
const HALF_REQUESTS: usize = 17;
const ROUNDS: usize = 4;

/// Clients can join while other connections send nothing, or stop in the middle of their request:
/// first beside one of each, then beside more. Returns the connections and the clients, so that all
/// of them stay.
async fn beside_unfinished_handshakes(
    ctx: &TestContext,
    by_the_silent: impl Fn(CheckError) -> CheckError,
) -> CheckResult<(Vec<Client>, Vec<Client>)> {
    let (mut unfinished, mut clients) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        unfinished.push(ctx.open().await?);
        for _ in 0..if round == 0 { 1 } else { HALF_REQUESTS } {
            let mut half_a_request = ctx.open().await?;
            half_a_request.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgr".to_vec());
            unfinished.push(half_a_request);
        }
        let client = ctx.join().await;
        clients.push(client.map_err(|error| {
            if round == 0 {
                return by_the_silent(error);
            }
            let count = unfinished.len();
            error.headed(format!(
                "The server lets no client in while {count} handshakes are unfinished."
            ))
        })?);
    }
    Ok((unfinished, clients))
}

/// A client that sends and does not read its replies delays only itself.
async fn beside_a_deaf_one(ctx: &mut TestContext, others: &mut [Client]) -> CheckResult {
    let deaf = deafened(ctx).await?;
    const NO_LOCK: &str = "Hold no lock while you await a send: each task writes to its own client, and waits for no other's.";
    let held_up_by_it = |error| {
        let held_up = held_up(error, "another that does not read its replies", &[deaf.number()]);
        held_up.hint_for(FailureKind::Silence, NO_LOCK)
    };
    for _ in 0..4 {
        for other in others.iter_mut() {
            other.exchange(&ctx.token()).await.map_err(held_up_by_it)?;
        }
    }
    Ok(())
}

/// Adds the connections that delayed this client.
fn held_up(error: CheckError, by: &str, numbers: &[usize]) -> CheckError {
    let CheckError::Failed(mut failure) = error else { return error };
    if failure.kind == FailureKind::Silence {
        failure.summary = format!("a client is held up by {by}: {}", failure.summary);
        failure.clients.extend(numbers);
    }
    CheckError::Failed(failure)
}

pub(super) async fn ping(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let payloads = [
        ctx.token().into_bytes(),
        Vec::new(),
        ctx.rng.random::<[u8; 32]>().to_vec(),
        vec![0xA5; 125],
    ];
    // An unsolicited pong is legal. It is not a message, and needs no answer (section 5.5.3).
    let unasked = ctx.token();
    client.send(Frame::new(OpCode::Control(Control::Pong), unasked.as_str()));
    for payload in payloads {
        client.send(Frame::new(OpCode::Control(Control::Ping), payload.as_slice()));
        let wanted =
            format!("a pong with the payload {}", quoted(&String::from_utf8_lossy(&payload)));
        let received = next_but_other_pongs(&mut client, &payload, &wanted).await?;
        if let ClientEvent::Text(text) = &received.event
            && resembles(text, &unasked)
        {
            let failure = client
                .failure(FailureKind::Unexpected, "a pong that nobody asked for was answered");
            return Err(failure.expected(wanted, quoted(text)).at(client.mark(&received)).into());
        }
        is_pong(&client, &received, &payload, &wanted)?;
    }
    ctx.leave(client).await;
    ping_in_a_message(ctx).await
}

/// Returns the next event except pings. An unsolicited pong is legal (section 5.5.3), and so is a
/// second one to the same ping. So a pong with another payload is reported only if the right one
/// does not follow.
async fn next_but_other_pongs(
    client: &mut Client,
    payload: &[u8],
    wanted: &str,
) -> CheckResult<Received> {
    let mut other: Option<Received> = None;
    loop {
        let received = match &other {
            None => client.next(wanted).await?,
            Some(pong) => {
                let left = (RESPONSE_TIMEOUT / 4).saturating_sub(pong.at.elapsed());
                match timeout_on_busy_host(left, client.next(wanted)).await {
                    Some(Ok(received)) => received,
                    _ => return Ok(other.expect("it came")),
                }
            }
        };
        match &received.event {
            ClientEvent::Ping(_) => {}
            ClientEvent::Pong(heard) if heard != payload => other = other.or(Some(received)),
            _ => return Ok(received),
        }
    }
}

fn is_pong(client: &Client, received: &Received, payload: &[u8], wanted: &str) -> CheckResult {
    match &received.event {
        ClientEvent::Pong(heard) if *heard == payload => Ok(()),
        ClientEvent::Pong(_) => {
            let failure =
                client.failure(FailureKind::WrongMessage, "the pong's payload is not the ping's");
            Err(failure
                .expected(wanted, describe(&received.event))
                .at(client.mark(received))
                .into())
        }
        _ => Err(client.unexpected(received, wanted)),
    }
}

/// A ping between two fragments is an ordinary ping. Its pong may come before the reply to the
/// message or after it. Another check judges the reply; if it is missing, this check has no verdict
/// on the pong.
async fn ping_in_a_message(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let (text, payload) = (ctx.token(), ctx.token());
    let mut frames = in_pieces(Data::Text, text.as_bytes(), &[text.len() / 2]);
    frames.insert(1, Frame::new(OpCode::Control(Control::Ping), payload.as_str()));
    client.send_all(frames);
    let wanted =
        format!("a pong to the ping between two fragments, with its payload {}", quoted(&payload));
    let mut answered = false;
    loop {
        let received = match next_but_other_pongs(&mut client, payload.as_bytes(), &wanted).await {
            Err(CheckError::Failed(_)) if !answered => return Ok(()),
            received => received?,
        };
        match &received.event {
            ClientEvent::Text(reply) if !answered && *reply == reply_to(&text) => answered = true,
            ClientEvent::Pong(_) => {
                return is_pong(&client, &received, payload.as_bytes(), &wanted);
            }
            _ if answered => return Err(client.unexpected(&received, &wanted)),
            _ => return Ok(()),
        }
    }
}
