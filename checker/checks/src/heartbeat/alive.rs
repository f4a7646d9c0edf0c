//! A client that answers pings is never dropped, even if it never sends a message.

use futures_util::future::{join3, try_join};

use super::PINGED;
use crate::{Check, MINIMUM, check};
use harness::client::Client;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::failure::heartbeat::HeartbeatCause;
use harness::group;
use harness::verdict::{CheckError, CheckResult, FailureKind, ResultExt};
use harness::wire::frame::{Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    inconclusive_after: &["heartbeat::pings", "heartbeat::steady", "heartbeat::interval"],
    explained_by: &["heartbeat::echo"],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 4, messages: 5, pings: 27, ..MINIMUM },
    ..check("heartbeat::alive", Heartbeat, include_str!("alive.md"), |ctx| Box::pin(alive(ctx)))
};

async fn alive(ctx: &mut TestContext) -> CheckResult {
    // Some servers drop a client after a number of intervals. A short interval fits more of them
    // into the check's time.
    let (hasty, mut clients) =
        try_join(ctx.second_server_with(ctx.interval().times(0.5)), ctx.join_many(2)).await?;
    let mut fragmenter = ctx.join().await?;
    let tokens = ctx.tokens(2);
    let listeners = clients.iter_mut().zip(&tokens).map(|(client, token)| listen(client, token));
    let (listeners, fragments, for_long) = join3(
        group::all(listeners),
        answer_amid_fragments(&mut fragmenter),
        answer_for_long(&hasty),
    )
    .await;
    listeners.and(fragments).and(for_long)
}

/// A client only listens and answers pings. Its message at the end distinguishes a disconnect from
/// a wrong reply, which other checks judge.
async fn listen(client: &mut Client, token: &str) -> CheckResult {
    answer_pings(client, 7).await?;
    client.send_text(token);
    client.text("a reply").await.map(|_| ()).map_err(|error| dropped_alive(client, error))
}

async fn answer_pings(client: &mut Client, count: usize) -> CheckResult {
    for _ in 0..count {
        client.ping().await.map_err(|error| dropped_alive(client, error))?;
    }
    Ok(())
}

/// A pong may come between two fragments of a message, as any control frame (section 5.4), and
/// counts.
async fn answer_amid_fragments(client: &mut Client) -> CheckResult {
    client.send(Frame::unfinished(OpCode::Data(Data::Text), "a message that is never finished"));
    match answer_pings(client, 4).await {
        // Another check, which requires this one, judges whether pings go on here.
        Err(CheckError::Inconclusive(_)) => Ok(()),
        other => other.context("in the middle of a message in fragments"),
    }
}

async fn answer_for_long(hasty: &TestContext) -> CheckResult {
    let mut client = hasty.join().await?;
    let mut judged = answer_pings(&mut client, 13).await;
    if matches!(judged, Err(CheckError::Failed(_))) {
        // A pong that was late once, on a busy machine, ends one connection and not two.
        client = hasty.join().await?;
        judged = answer_pings(&mut client, 13).await;
    }
    judged.map_err(|error| error.recorded_by(&hasty.recorder))
}

/// Names the cause of a failure of a client that answered every ping.
pub(crate) fn dropped_alive(client: &Client, error: CheckError) -> CheckError {
    if error.is(FailureKind::Silence) {
        // There was no ping to answer. Another check judges whether pings go on.
        let reason = "pings stopped, so nothing could be seen of clients that answer them";
        return CheckError::Inconclusive(reason.to_string());
    }
    let pings = client.pings.len();
    error.refine(FailureKind::EndedEarly, HeartbeatCause::DroppedAlive { pings })
}
