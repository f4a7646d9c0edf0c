//! All this holds for a hundred clients that all talk. A client that keeps reading is not slow.

use super::room::{all_receive_each_once, receive_in_order, say_at_once};
use super::{Check, MINIMUM, MinimumEvidence, SPREADS, check};
use harness::client::{Client, RESPONSE_TIMEOUT, any_text, timeout_on_busy_host};
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::failure::Cause;
use harness::failure::room::RoomCause;
use harness::verdict::{CheckError, CheckResult, FailureKind, ResultExt};

pub(super) const CHECK: Check = Check {
    inconclusive_after: &["broadcast::slow"],
    explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::order"],
    requires: SPREADS,
    heavy: true,
    minimum: MinimumEvidence { connections: 106, messages: 26_000, ..MINIMUM },
    ..check("broadcast::crowd", Broadcast, include_str!("crowd.md"), |ctx| Box::pin(crowd(ctx)))
};

async fn crowd(ctx: &mut TestContext) -> CheckResult {
    a_hundred_talk(ctx).await.context("in a room of 100 clients that all talk")?;
    // The load is limited to three clients of another server. A hundred would take this machine
    // long.
    ctx.restart_server().await?;
    let mut clients = ctx.join_many(3).await?;
    for texts in bursts(ctx) {
        let received = say_at_once(&mut clients, 0, &texts).await;
        received.context(format!("with {} on their way", amount(&texts)))?;
    }
    ctx.restart_server().await?;
    far_behind(ctx).await
}

async fn a_hundred_talk(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(100).await?;
    let texts = ctx.tokens(200);
    for (client, texts) in clients.iter_mut().zip(texts.chunks(2)) {
        texts.iter().for_each(|text| client.send_text(text.as_str()));
    }
    all_receive_each_once(&mut clients, &texts).await.map(|_| ())
}

/// Many short messages, some long ones, and one of almost 1 MiB.
fn bursts(ctx: &mut TestContext) -> [Vec<String>; 3] {
    let many = ctx.tokens(1_000);
    let long = ctx.tokens(16).into_iter().map(|token| token + &"·".repeat(31_000)).collect();
    let longest = vec![ctx.token() + &"x".repeat((1 << 20) - 200)];
    [many, long, longest]
}

/// A client does not read for a while: all that is sent to it waits in the server, fewer than 1,000
/// messages and less than 1 MiB. The system would buffer more for a connection on which much has
/// been read.
async fn far_behind(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(2).await?;
    // The kernels buffer at most 80 KB, so the server has to keep most of the messages.
    let mut behind = ctx.client().small_buffers().join().await?;
    let texts: Vec<String> =
        ctx.tokens(950).into_iter().map(|token| token + &".".repeat(1_000)).collect();
    behind.connection.stop_reading();
    let others = say_at_once(&mut clients, 0, &texts);
    let others = timeout_on_busy_host(RESPONSE_TIMEOUT * 2, others).await;
    behind.connection.resume_reading();
    match others {
        Some(Ok(())) => {}
        Some(Err(error)) if !arrives_now(&mut clients, &error).await => return Err(error),
        // Another check judges that.
        _ => return Err(all_waited()),
    }
    let received = receive_in_order(&mut behind, &texts).await;
    received.context(format!("with {} on their way to a client that was slow", amount(&texts)))
}

/// Returns true if a client receives the message now that it waited for until this failure. Once
/// the slow client reads again, a message that still does not arrive is lost.
async fn arrives_now(clients: &mut [Client], error: &CheckError) -> bool {
    let CheckError::Failed(failure) = error else { return false };
    let Some(Cause::Room(RoomCause::Sequence { client, expected, .. })) = &failure.cause else {
        return false;
    };
    let waiting = clients.iter_mut().find(|waiting| waiting.number() == *client);
    let Some(waiting) = waiting.filter(|_| failure.kind == FailureKind::Silence) else {
        return false;
    };
    let late = waiting.expect(any_text("the message that it waited for")).await;
    late.is_ok_and(|received| received.text() == Some(expected))
}

fn all_waited() -> CheckError {
    CheckError::Inconclusive("all clients waited for one that did not read for a while".to_string())
}

fn amount(texts: &[String]) -> String {
    let bytes: usize = texts.iter().map(String::len).sum();
    format!("{} messages ({} KiB)", texts.len(), bytes / 1024)
}
