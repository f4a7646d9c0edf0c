//! Which client receives which messages, and in which order.

use std::collections::HashMap;
use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use futures_util::future::{join, join_all, try_join_all};
use rand::RngExt;
use rand::seq::SliceRandom;
use tokio::runtime::Builder;
use tokio::task::block_in_place;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use crate::echo;
use harness::client::{
    Client, ClientEvent, FrameSender, PREFIX, RESPONSE_TIMEOUT, Received, WELCOME, reply_to,
    request, timeout_on_busy_host,
};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind, Fundamental};
use harness::wire::frame::{Control, Data, Frame, OpCode};
use harness::wire::transcript::{Highlight, quoted};

pub(super) async fn welcome(ctx: &mut TestContext) -> CheckResult {
    let mut host = ctx.connect().await.fundamental()?;
    match host.expect_text(WELCOME, "the welcome").await {
        Ok(()) => ctx.gate_passed(),
        Err(CheckError::Failed(failure)) if failure.kind == FailureKind::WrongMessage => {
            return Err(failure.into());
        }
        other => return other.fundamental(),
    }
    let mut newcomers = Vec::new();
    for _ in 0..2 {
        let mut newcomer = ctx.connect().await?;
        newcomer.expect_text(WELCOME, "the welcome").await?;
        newcomers.push(newcomer);
    }
    // If the welcome went to all clients, it would arrive before the host's next message.
    let token = ctx.token();
    host.send_text(token.as_str());
    for client in newcomers.iter_mut().chain([&mut host]) {
        let heard =
            timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.next_except_heartbeats("a message"))
                .await;
        if let Some(Ok(received)) = heard
            && let ClientEvent::Text(text) = &received.event
            && (!echo::talk::resembles(text, &token) || text.contains(WELCOME))
        {
            let failure = client
                .failure(FailureKind::Unexpected, "a client got a message that was not for it");
            let expected = "one welcome, its own, and then only what clients say";
            return Err(failure
                .expected(expected, quoted(text))
                .about(Vec::new())
                .at(client.mark(&received))
                .into());
        }
    }
    for client in newcomers.into_iter().chain([host]) {
        ctx.leave(client).await;
    }
    let mut hears = true;
    for _ in 0..8 {
        in_a_busy_room(ctx, &mut hears).await?;
    }
    Ok(())
}

/// A newcomer must receive the welcome first, even while another client sends messages.
async fn in_a_busy_room(ctx: &mut TestContext, hears: &mut bool) -> CheckResult {
    let mut talker = ctx.join().await?;
    let mut newcomers = try_join_all((0..6).map(|_| ctx.open())).await?;
    let texts = ctx.tokens(4 * newcomers.len());
    for (newcomer, texts) in newcomers.iter_mut().zip(texts.chunks(4)) {
        newcomer.send_bytes(request(&generate_key(), &[]).into_bytes());
        // Spread out, because all at once might be over before the newcomer's turn, or come after
        // it. Another check judges whether the talker `hears` itself, so that is not awaited twice
        // in vain.
        for text in texts {
            talker.send_text(text.as_str());
            *hears = *hears
                && matches!(
                    timeout_on_busy_host(RESPONSE_TIMEOUT / 8, talker.text("its own words")).await,
                    Some(Ok(_))
                );
        }
    }
    for mut newcomer in newcomers {
        newcomer.response().await?;
        let received = newcomer.next_except_heartbeats("the welcome").await?;
        if let ClientEvent::Text(text) = &received.event
            && text != WELCOME
            && texts.iter().any(|said| echo::talk::resembles(text, said))
        {
            let failure = newcomer.failure(
                FailureKind::Unexpected,
                "a newcomer hears what others say before it is welcomed",
            );
            return Err(failure
                .literally(WELCOME, text.as_str())
                .at(newcomer.mark(&received))
                .into());
        }
        ctx.leave(newcomer).await;
    }
    ctx.leave(talker).await;
    Ok(())
}

pub(super) async fn everyone(ctx: &mut TestContext) -> CheckResult {
    let count = ctx.rng.random_range(4..7);
    let mut clients = ctx.join_many(count).await?;
    let first = ctx.token();
    clients[0].send_text(first.as_str());
    if let Err(error) = all_hear(&mut clients, &first).await {
        return missed_at_first(ctx, &mut clients, error).await;
    }
    let answered = Instant::now();
    ctx.gate_passed();
    let token = ctx.token();
    let mut texts =
        vec![format!(" {token} "), format!("{token}\n\r\n{token}"), format!("/{token}")];
    texts.extend(echo::texts::of_all_kinds(&token));
    texts.extend([token.clone(), token]);
    texts.extend(echo::texts::COMMANDS.iter().map(ToString::to_string));
    texts.extend(ctx.tokens(count));
    // Each message is sent when the one before has arrived everywhere, so that a second copy would
    // show in place of the next.
    let mut before = &first;
    for (i, text) in texts.iter().enumerate() {
        clients[i % count].send_text(text.as_str());
        all_hear(&mut clients, text).await.map_err(|error| a_second_time(error, before))?;
        before = text;
    }
    in_fragments(ctx, &mut clients).await?;
    in_binary(ctx, &mut clients).await?;
    // No message may be lost while clients join.
    for text in ctx.tokens(24) {
        clients[0].send_text(text.as_str());
        let (heard, newcomer) = join(all_hear(&mut clients, &text), ctx.join()).await;
        heard
            .map_err(|error| error.context("while another client joins, "))
            .and(newcomer.map(|_| ()))?;
    }
    let texts = ctx.tokens(JOINS);
    let beside = ctx.second_server().await?;
    let heard = right_after_the_welcome(&beside, &texts).await;
    heard.map_err(|error| error.recorded_by(&beside.recorder))?;
    let when = ctx.wait_for_uptime(answered).await;
    let last = ctx.token();
    let at_last = async {
        ctx.join().await?;
        clients[count - 1].send_text(last.as_str());
        all_hear(&mut clients, &last).await
    };
    at_last.await.map_err(|error| error.context(when))?;
    alone(ctx).await
}

/// Distinguishes a server that missed only the very first message, because a client was not ready
/// for it yet, from one that does not broadcast. All other checks depend on the latter only.
async fn missed_at_first(
    ctx: &mut TestContext,
    clients: &mut [Client],
    error: CheckError,
) -> CheckResult {
    if let CheckError::Failed(failure) = &error
        && failure.kind == FailureKind::Silence
    {
        let second = ctx.token();
        clients[0].send_text(second.as_str());
        if let Some(Ok(())) =
            timeout_on_busy_host(RESPONSE_TIMEOUT / 4, all_hear(clients, &second)).await
        {
            let failure = *failure.clone();
            return Err(Failure { summary: MISSED.to_string(), ..failure }.into());
        }
    }
    Err(error).fundamental()
}

/// In any number of frames, with control frames between them (section 5.4).
async fn in_fragments(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    let text = ctx.token();
    let mut frames = echo::payloads::in_pieces(Data::Text, text.as_bytes(), &[2, 5]);
    frames.insert(1, Frame::new(OpCode::Control(Control::Ping), "in between"));
    clients[0].send_all(frames);
    all_hear(clients, &text).await.map_err(|error| error.context("after a message in fragments, "))
}

/// A binary message reaches every client as text, with U+FFFD for invalid sequences.
async fn in_binary(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    for invalid in [&b""[..], b"\xff \xe2\x82 \xc3("] {
        let bytes = [ctx.token().as_bytes(), invalid].concat();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        clients[1].send(Frame::new(OpCode::Data(Data::Binary), bytes));
        all_hear(clients, &text).await.map_err(not_as_text)?;
    }
    Ok(())
}

/// Names what became of a binary message, if it did not arrive as the text it should.
fn not_as_text(error: CheckError) -> CheckError {
    let CheckError::Failed(mut failure) = error else { return error };
    let summary = match failure.kind {
        FailureKind::Silence => "a binary message does not reach every client",
        FailureKind::WrongMessage if failure.literal => "a binary message arrives as another text",
        FailureKind::WrongMessage => "a binary message arrives as binary, not as text",
        FailureKind::EndedEarly => "a binary message ends a connection",
        _ => return CheckError::Failed(failure).context("after a binary message, "),
    };
    failure.summary = summary.to_string();
    failure.into()
}

/// A server that subscribes a client after its welcome misses a message in a few microseconds only.
/// Two clients that join at a time, beside some that contend for the channel's lock, meet that moment
/// most often: about 2 in 100 do.
const JOINS: usize = 400;
const JOINS_AT_A_TIME: usize = 2;
const MEMBERS: usize = 30;

const MISSED: &str = "a newcomer misses a message that was sent right after its welcome";

/// Each of many newcomers receives the message that is sent the moment it has received its welcome.
/// They use a server of their own: how the room copes when they leave is another check's row.
async fn right_after_the_welcome(ctx: &TestContext, texts: &[String]) -> CheckResult {
    let _members = ctx.join_many(MEMBERS).await?;
    // Among the tasks of other checks, the message would be sent too late.
    on_own_thread(join_and_hear(ctx, texts))
}

async fn join_and_hear(ctx: &TestContext, texts: &[String]) -> CheckResult {
    let speaker = ctx.join().await?;
    let said = &Said { mouth: speaker.frame_sender(), texts, count: AtomicUsize::new(0) };
    let joining = (0..JOINS_AT_A_TIME).map(|_| async move {
        let mut before: Option<Client> = None;
        for _ in 0..JOINS / JOINS_AT_A_TIME {
            let leaving = async {
                if let Some(before) = before.take() {
                    ctx.leave(before).await;
                }
            };
            let (newcomer, ()) = join(hears_at_once(ctx, said), leaving).await;
            before = newcomer?;
            if before.is_none() {
                break;
            }
        }
        Ok::<_, CheckError>(())
    });
    try_join_all(joining).await.map(|_| ())
}

/// What one client says to all newcomers. Later texts arrive later.
struct Said<'a> {
    mouth: FrameSender,
    texts: &'a [String],
    count: AtomicUsize,
}

impl Said<'_> {
    /// Says the next text; returns its place, or none if there is no text left.
    fn next(&self) -> Option<usize> {
        let n = self.count.fetch_add(1, Relaxed);
        let frame = Frame::new(OpCode::Data(Data::Text), self.texts.get(n)?.as_str());
        self.mouth.send(frame);
        Some(n)
    }
}

/// Joins, and fails if the newcomer misses the text that is sent at once, but none of those after
/// it. Returns no client if something else is wrong, which is for other checks to judge.
async fn hears_at_once(ctx: &TestContext, said: &Said<'_>) -> CheckResult<Option<Client>> {
    let Ok(mut newcomer) = ctx.join().await else { return Ok(None) };
    let Some(first) = said.next() else { return Ok(Some(newcomer)) };
    let Some((text, mark)) = another_than(&mut newcomer, said, first).await else {
        return Ok(Some(newcomer));
    };
    // A server that loses messages at other times too does not do so because of the welcome.
    for _ in 0..8 {
        let Some(n) = said.next() else { return Ok(None) };
        if another_than(&mut newcomer, said, n).await.is_some() {
            return Ok(None);
        }
    }
    let expected = reply_to(&said.texts[first]);
    let failure = newcomer.failure(FailureKind::Unexpected, MISSED).about(Vec::new()).at(mark);
    Err(match text {
        Some(text) => failure.literally(expected, text),
        None => failure.expected(quoted(&expected), "nothing until later messages were sent"),
    }
    .into())
}

/// Waits for text `n`. If it does not come, returns the first later text, or none, and where it is
/// in the conversation.
async fn another_than(
    newcomer: &mut Client,
    said: &Said<'_>,
    n: usize,
) -> Option<(Option<String>, Highlight)> {
    let expected = reply_to(&said.texts[n]);
    let is_later = |text: &str| said.texts[n + 1..].iter().any(|later| text == reply_to(later));
    let mut later = None;
    loop {
        // A text that had only been overtaken arrives soon after.
        let limit = if later.is_some() { RESPONSE_TIMEOUT / 8 } else { RESPONSE_TIMEOUT / 4 };
        let heard = newcomer.next_except_heartbeats("the message after its welcome");
        match timeout_on_busy_host(limit, heard).await {
            Some(Ok(Received { event: ClientEvent::Text(text), .. })) if text == expected => {
                return None;
            }
            Some(Ok(received)) => {
                if let ClientEvent::Text(text) = &received.event
                    && is_later(text)
                {
                    later.get_or_insert_with(|| (Some(text.clone()), newcomer.mark(&received)));
                }
            }
            Some(Err(_)) | None => {
                let last = Highlight::Last { connection: newcomer.number() };
                return later.or(Some((None, last)));
            }
        }
    }
}

/// Runs a future on a thread with a runtime of its own.
fn on_own_thread<T: Send>(future: impl Future<Output = CheckResult<T>> + Send) -> CheckResult<T> {
    let run = || Ok(Builder::new_current_thread().enable_all().build()?.block_on(future));
    let joined = block_in_place(|| thread::scope(|scope| scope.spawn(run).join()));
    match joined {
        Ok(done) => done.map_err(|error: io::Error| CheckError::from(error))?,
        Err(panic) => resume_unwind(panic),
    }
}

/// Everyone is one, where nobody else is there.
async fn alone(ctx: &mut TestContext) -> CheckResult {
    ctx.restart_server().await?;
    let mut client = ctx.join().await?;
    for text in ctx.tokens(3) {
        client.exchange(&text).await.map_err(|error| error.context("alone in the room, "))?;
    }
    Ok(())
}

/// Names a repeated message, if the text received is the reply to the message before.
fn a_second_time(error: CheckError, before: &str) -> CheckError {
    let CheckError::Failed(mut failure) = error else { return error };
    if failure.literal && failure.got == reply_to(before) {
        failure.summary = failure
            .summary
            .replace("a text came that differs from", "the text before came again, and not");
    }
    CheckError::Failed(failure)
}

/// Every client receives the reply to this message, and receives it next.
pub(super) async fn all_hear(clients: &mut [Client], text: &str) -> CheckResult {
    let wanted = format!("\"{PREFIX}\" with {}", quoted(text));
    let expected = reply_to(text);
    let heard = clients.iter_mut().map(|client| client.expect_text(&expected, &wanted));
    together(join_all(heard).await).map(|_| ())
}

/// Collects the results of all clients. All are awaited, so that the failure reported is the first
/// client's, not the fastest. It shows all conversations, and whether all clients failed.
pub(super) fn together<T>(heard: Vec<CheckResult<T>>) -> CheckResult<Vec<T>> {
    let kind = |heard: &CheckResult<T>| match heard {
        Err(CheckError::Failed(failure)) => Some(failure.kind),
        _ => None,
    };
    let all = heard.len() > 1
        && heard.iter().all(|other| kind(other).is_some() && kind(other) == kind(&heard[0]));
    heard.into_iter().collect::<CheckResult<_>>().map_err(|error| {
        let who = match &error {
            _ if all => "every client: ".to_string(),
            CheckError::Failed(failure) if failure.clients.len() == 1 => {
                format!("client {}: ", failure.clients[0])
            }
            _ => String::new(),
        };
        error.context(&who).show_all_clients()
    })
}

/// The number of messages sent at once, if the number does not matter.
const FEW: usize = 12;

pub(super) async fn order(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(4).await?;
    for _ in 0..12 {
        let texts = ctx.tokens(FEW);
        let sender = ctx.rng.random_range(0..4);
        for text in &texts {
            clients[sender].send_text(text.as_str());
        }
        let heard = clients.iter_mut().map(|client| echo::talk::in_order(client, &texts));
        join_all(heard).await.into_iter().collect::<CheckResult>()?;
    }
    Ok(())
}

pub(super) async fn agreement(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(4).await?;
    for _ in 0..12 {
        all_agree(ctx, &mut clients, 3).await?;
    }
    // The longer the way to the last client, the likelier it is that one message overtakes another.
    // So this server has had no messages, and no client has left it.
    ctx.restart_server().await?;
    let mut clients = ctx.join_many(32).await?;
    for _ in 0..2 {
        all_agree(ctx, &mut clients, 6).await?;
    }
    Ok(())
}

/// All clients send so many messages at once, and all receive the same order.
async fn all_agree(ctx: &mut TestContext, clients: &mut [Client], each: usize) -> CheckResult {
    let mut texts = ctx.tokens(each * clients.len());
    texts.shuffle(&mut ctx.rng);
    for (client, texts) in clients.iter_mut().zip(texts.chunks(each)) {
        for text in texts {
            client.send_text(text.as_str());
        }
    }
    let heard = join_all(clients.iter_mut().map(|client| collect(client, &texts))).await;
    let heard: Vec<Vec<String>> = together(heard)?;
    for (client, theirs) in clients.iter().zip(&heard).skip(1) {
        let Some(at) = theirs.iter().zip(&heard[0]).position(|(a, b)| a != b) else { continue };
        let first = format!(
            "client {} heard {} as message {}",
            clients[0].number(),
            quoted(&heard[0][at]),
            at + 1
        );
        let failure = client
            .failure(
                FailureKind::WrongMessage,
                "two clients see the same messages in different orders",
            )
            .expected(first, format!("client {} heard {}", client.number(), quoted(&theirs[at])))
            .about([clients[0].number(), client.number()]);
        return Err(failure.into());
    }
    Ok(())
}

/// Receives messages until each of these has come once, in the sender's order.
pub(super) async fn collect(client: &mut Client, texts: &[String]) -> CheckResult<Vec<String>> {
    let mut missing: HashMap<String, usize> = HashMap::new();
    for text in texts {
        *missing.entry(reply_to(text)).or_default() += 1;
    }
    let mut heard = Vec::with_capacity(texts.len());
    while heard.len() < texts.len() {
        let wanted = format!(
            "one of the {} messages that are missing of {}",
            texts.len() - heard.len(),
            texts.len()
        );
        let received = client.next_except_heartbeats(&wanted).await?;
        let ClientEvent::Text(text) = &received.event else {
            return Err(client.unexpected(&received, &wanted));
        };
        match missing.get_mut(text) {
            Some(count) if *count > 0 => *count -= 1,
            found => {
                let what = if found.is_some() {
                    "a message came a second time"
                } else {
                    "a message came that nobody sent"
                };
                let failure = client.failure(FailureKind::Unexpected, what);
                return Err(failure
                    .expected(wanted, quoted(text))
                    .at(client.mark(&received))
                    .into());
            }
        }
        heard.push(text.clone());
    }
    Ok(heard)
}

pub(super) async fn latecomer(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(2).await?;
    for _ in 0..3 {
        say_in_turn(ctx, &mut clients).await?;
        let mut late = ctx.join().await?;
        let text = ctx.token();
        clients[1].send_text(text.as_str());
        hears_first(&mut late, &text, "a newcomer got something from before it joined").await?;
        all_hear(&mut clients, &text).await?;
        clients.push(late);
    }
    late_handshakes(ctx, &mut clients).await
}

/// A TCP connection is no client yet: one that finishes its handshake late receives nothing that
/// was sent before its `101`.
async fn late_handshakes(ctx: &mut TestContext, clients: &mut Vec<Client>) -> CheckResult {
    const BEFORE: &str = "a client receives messages from before its handshake was finished";
    let head = request(&generate_key(), &[]).into_bytes();
    for sent in [0, head.len() / 2] {
        let mut late = ctx.open().await?;
        late.send_bytes(head[..sent].to_vec());
        // Connections are accepted in order, so the server has accepted the one before this.
        clients.push(ctx.join().await?);
        let before = say_in_turn(ctx, clients).await?;
        late.send_bytes(head[sent..].to_vec());
        late.response().await?;
        let received = late.next_except_heartbeats("the welcome").await?;
        if let ClientEvent::Text(text) = &received.event
            && before.iter().any(|before| *text == reply_to(before))
        {
            return Err(from_before(&late, &received, WELCOME, text, BEFORE));
        }
        let text = ctx.token();
        clients[0].send_text(text.as_str());
        hears_first(&mut late, &text, BEFORE).await?;
        all_hear(clients, &text).await?;
        clients.push(late);
    }
    Ok(())
}

/// The first client sends a few messages, each after all clients have received the one before.
async fn say_in_turn(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult<Vec<String>> {
    let texts = ctx.tokens(3);
    for text in &texts {
        clients[0].send_text(text.as_str());
        all_hear(clients, text).await?;
    }
    Ok(texts)
}

/// Fails with `summary` if the next message that this client receives is not the reply to `text`.
async fn hears_first(late: &mut Client, text: &str, summary: &str) -> CheckResult {
    let expected = reply_to(text);
    let received = late.next_except_heartbeats("the first message after joining").await?;
    match &received.event {
        ClientEvent::Text(heard) if *heard == expected => Ok(()),
        ClientEvent::Text(heard) => Err(from_before(late, &received, &expected, heard, summary)),
        _ => Err(late.unexpected(&received, "the first message after joining")),
    }
}

fn from_before(
    late: &Client,
    received: &Received,
    expected: &str,
    heard: &str,
    summary: &str,
) -> CheckError {
    let failure = late.failure(FailureKind::Unexpected, summary).literally(expected, heard);
    failure.about(Vec::new()).at(late.mark(received)).into()
}
