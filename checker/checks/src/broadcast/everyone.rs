//! A message from any client, text or binary, reaches every client, its sender included, exactly
//! once. A client that has received its welcome receives every message sent from then on.

use std::time::Instant;

use futures_util::future::join;
use rand::RngExt;

use super::newcomers::all_newcomers_receive;
use super::room::{Message, replace_cause, say};
use super::{Check, MINIMUM, MinimumEvidence, WELCOMED, check};
use crate::echo::payloads::in_pieces;
use crate::echo::texts;
use harness::client::{Client, RESPONSE_TIMEOUT, reply_to, timeout_on_busy_host};
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::failure::Cause;
use harness::failure::room::{MessageForm, RoomCause};
use harness::verdict::{CheckError, CheckResult, FailureKind, ResultExt};
use harness::wire::frame::{Control, Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: &["broadcast::welcome"],
    requires: WELCOMED,
    needs_uptime: true,
    minimum: MinimumEvidence { connections: 5, messages: 100, ..MINIMUM },
    gate: Some(|ctx| Box::pin(messages_are_broadcast(ctx))),
    ..check("broadcast::everyone", Broadcast, include_str!("everyone.md"), |ctx| {
        Box::pin(everyone(ctx))
    })
};

/// A message reaches every client. A server that misses only the very first one broadcasts, and
/// other checks can judge it.
async fn messages_are_broadcast(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(3).await?;
    match say_first(ctx, &mut clients).await {
        Err(error) if is_missed_after_welcome(&error) => Ok(()),
        other => other.map(|_| ()),
    }
}

async fn everyone(ctx: &mut TestContext) -> CheckResult {
    // Another check judges whether newcomers receive the gate's messages.
    ctx.restart_server().await?;
    let count = ctx.rng.random_range(4..7);
    let mut clients = ctx.join_many(count).await?;
    let first = say_first(ctx, &mut clients).await?;
    let answered = Instant::now();
    each_once(ctx, &mut clients, first).await?;
    in_fragments(ctx, &mut clients).await.context("after a message in fragments")?;
    in_binary(ctx, &mut clients).await?;
    while_others_join(ctx, &mut clients).await.context("while another client joins")?;
    all_newcomers_receive(ctx).await?;
    let when = ctx.wait_for_uptime(answered).await;
    ctx.join().await?;
    say(&mut clients, count - 1, &ctx.token()).await.context(when)?;
    alone(ctx).await.context("with a single client in the room")
}

/// Sends a first message from clients that have just joined, and returns it. Distinguishes a server
/// that misses only this message from a server that does not broadcast.
async fn say_first(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult<String> {
    let (first, second) = (ctx.token(), ctx.token());
    let failure = match say(clients, 0, &first).await {
        Ok(()) => return Ok(first),
        Err(CheckError::Failed(failure)) if failure.kind == FailureKind::Silence => failure,
        Err(error) => return Err(error),
    };
    let again = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, say(clients, 0, &second)).await;
    if !matches!(again, Some(Ok(()))) {
        return Err(failure.into());
    }
    let cause = RoomCause::MissedAfterWelcome { expected: reply_to(&first), later: None };
    Err(replace_cause(*failure, cause))
}

fn is_missed_after_welcome(error: &CheckError) -> bool {
    let CheckError::Failed(failure) = error else { return false };
    matches!(&failure.cause, Some(Cause::Room(RoomCause::MissedAfterWelcome { .. })))
}

/// Sends each message when the one before has arrived everywhere, so that a second copy would show
/// in place of the next.
async fn each_once(ctx: &mut TestContext, clients: &mut [Client], first: String) -> CheckResult {
    let mut before = first;
    for (i, text) in messages(ctx).into_iter().enumerate() {
        let speaker = i % clients.len();
        clients[speaker].send_text(text.as_str());
        Message::from(&clients[speaker], &text).after(&before).reaches(clients).await?;
        before = text;
    }
    Ok(())
}

fn messages(ctx: &mut TestContext) -> Vec<String> {
    let token = ctx.token();
    let mut texts =
        vec![format!(" {token} "), format!("{token}\n\r\n{token}"), format!("/{token}")];
    texts.extend(texts::of_all_kinds(&token));
    texts.extend([token.clone(), token]);
    texts.extend(texts::COMMANDS.iter().map(ToString::to_string));
    texts.extend(ctx.tokens(6));
    texts
}

/// In any number of frames, with control frames between them (section 5.4).
async fn in_fragments(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    let text = ctx.token();
    let mut frames = in_pieces(Data::Text, text.as_bytes(), &[2, 5]);
    frames.insert(1, Frame::new(OpCode::Control(Control::Ping), "in between"));
    clients[0].send_all(frames);
    let message = Message::from(&clients[0], &text).in_form(MessageForm::Fragments);
    message.reaches(clients).await
}

/// A binary message reaches every client as text, with U+FFFD for invalid sequences.
async fn in_binary(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    for invalid in [&b""[..], b"\xff \xe2\x82 \xc3("] {
        let bytes = [ctx.token().as_bytes(), invalid].concat();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        clients[1].send(Frame::new(OpCode::Data(Data::Binary), bytes));
        let message = Message::from(&clients[1], &text).in_form(MessageForm::Binary);
        message.reaches(clients).await?;
    }
    Ok(())
}

/// No message is lost while clients join.
async fn while_others_join(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    for text in ctx.tokens(24) {
        let (heard, newcomer) = join(say(clients, 0, &text), ctx.join()).await;
        heard.and(newcomer.map(|_| ()))?;
    }
    Ok(())
}

/// A message also reaches its sender if there is no other client.
async fn alone(ctx: &mut TestContext) -> CheckResult {
    ctx.restart_server().await?;
    let mut room = [ctx.join().await?];
    for text in ctx.tokens(3) {
        say(&mut room, 0, &text).await?;
    }
    Ok(())
}
