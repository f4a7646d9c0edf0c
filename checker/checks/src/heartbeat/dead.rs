//! A client that sends no pong between one ping and the next is dropped at that next ping: the TCP
//! connection ends without a close handshake, and not before a full interval has passed.

use std::time::{Duration, Instant};

use futures_util::future::{join3, try_join};

use super::PINGED;
use super::pings::never_pinged;
use crate::{Check, MINIMUM, check};
use harness::client::Client;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::failure::heartbeat::{HeartbeatCause, Timing};
use harness::group;
use harness::interval::{DISCONNECT, PROMPT};
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind, judged_elsewhere};
use harness::wire::frame::{Control, Frame, OpCode};
use harness::wire::transcript::Highlight;

pub(super) const CHECK: Check = Check {
    explained_by: &[
        "heartbeat::echo",
        "heartbeat::steady",
        "heartbeat::alive",
        "heartbeat::neighbours",
    ],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 9, pings: 11, ends: 4, ..MINIMUM },
    ..check("heartbeat::dead", Heartbeat, include_str!("dead.md"), |ctx| Box::pin(dead(ctx)))
};

async fn dead(ctx: &mut TestContext) -> CheckResult {
    let mut witnesses = ctx.join_many(2).await?;
    let pair = ctx.client().no_pongs().join_many(2).await?;
    let mut slow = ctx.client().no_pongs().join().await?;
    // If one timer serves all clients, some join in the middle of its interval, and must have a
    // full interval as well. Its phase is unknown. If two clients join not quite half an interval
    // apart, one of them joins then.
    let mid_interval = [0.3, 0.7].map(|phase| expect_drop_after_joining(ctx, phase));
    let (both, slow, mid_interval) = join3(
        expect_both_dropped(ctx, &mut witnesses, pair),
        answering_late(ctx, &mut slow),
        group::all(mid_interval),
    )
    .await;
    both.and(slow).and(mid_interval.map(|_| ()))
}

async fn expect_drop_after_joining(ctx: &TestContext, phase: f64) -> CheckResult<Duration> {
    ctx.interval().pause(phase).await;
    let (mut witness, mut silent) = try_join(ctx.join(), ctx.client().no_pongs().join()).await?;
    expect_drop(ctx, &mut witness, &mut silent).await
}

/// Two clients die at the same ping, since a sweep may find only one of them. Fails if they and
/// others were dropped too long after it. A single late disconnect may be a stall.
async fn expect_both_dropped(
    ctx: &TestContext,
    witnesses: &mut [Client],
    pair: Vec<Client>,
) -> CheckResult {
    let (mut pair, unanswered) = ping_together(ctx, pair).await?;
    let judging = witnesses.iter_mut().zip(&mut pair).zip(unanswered);
    let drops =
        judging.map(|((witness, silent), asked)| dropped_on_time(ctx, witness, silent, asked));
    let mut fastest = group::all(drops).await?.into_iter().min().unwrap_or_default();
    let (witness, mut silent) = (&mut witnesses[0], pair.remove(0));
    for _ in 0..2 {
        if promptly(ctx, witness, &silent, fastest).is_ok() {
            break;
        }
        silent = ctx.client().no_pongs().join().await?;
        fastest = expect_drop(ctx, witness, &mut silent).await?;
    }
    promptly(ctx, witness, &silent, fastest)
}

/// Returns two clients that got their first ping at about the same time, and these times.
async fn ping_together(
    ctx: &TestContext,
    mut pair: Vec<Client>,
) -> CheckResult<(Vec<Client>, Vec<Instant>)> {
    // A server may ping each client at its own time, so the number of attempts is limited.
    for _ in 0..3 {
        let unanswered = group::all(pair.iter_mut().map(asked)).await?;
        let apart = unanswered[0].max(unanswered[1]) - unanswered[0].min(unanswered[1]);
        if apart < ctx.interval().times(0.5) {
            return Ok((pair, unanswered));
        }
        // A sweep came between their joins.
        pair = ctx.client().no_pongs().join_many(2).await?;
    }
    let unanswered = group::all(pair.iter_mut().map(asked)).await?;
    Ok((pair, unanswered))
}

/// A client with a slow connection: its pongs leave more than half an interval after the pings
/// came, and count.
pub(crate) async fn answering_late(ctx: &TestContext, client: &mut Client) -> CheckResult {
    let first = client.ping_and_payload().await;
    let (_, mut payload) = first.map_err(never_pinged)?;
    for _ in 0..2 {
        ctx.interval().pause(0.6).await;
        client.send(Frame::new(OpCode::Control(Control::Pong), payload));
        let cause = HeartbeatCause::DroppedAfterLatePong;
        let next = client.ping_and_payload().await;
        (_, payload) = next.map_err(|error| error.refine(FailureKind::EndedEarly, cause))?;
    }
    Ok(())
}

/// Waits until a client that never answers is pinged, and checks that it is dropped one interval
/// later. Returns the time from the ping to the disconnect.
pub(super) async fn expect_drop(
    ctx: &TestContext,
    witness: &mut Client,
    silent: &mut Client,
) -> CheckResult<Duration> {
    let unanswered = asked(silent).await?;
    dropped_on_time(ctx, witness, silent, unanswered).await
}

/// Returns the time of the first ping to a client that will not answer.
pub(crate) async fn asked(silent: &mut Client) -> CheckResult<Instant> {
    silent.ping().await.map_err(never_pinged)
}

/// Checks that a client that left the ping at `unanswered` unanswered is dropped one interval
/// later, and by the witness's third ping from now. Returns the time from that ping to the
/// disconnect.
pub(crate) async fn dropped_on_time(
    ctx: &TestContext,
    witness: &mut Client,
    silent: &mut Client,
    unanswered: Instant,
) -> CheckResult<Duration> {
    let ended = tokio::select! {
        clock = three_pings_after(witness, unanswered) => clock.map(|()| None)?,
        ended = silent.end() => judged_elsewhere(ended)?,
    };
    let Some(ended) = ended else {
        return Err(drop_failure(witness, silent, HeartbeatCause::NotDropped));
    };
    let (interval, time) = (ctx.interval(), ended - unanswered);
    if interval.is_within(time, &DISCONNECT) {
        return Ok(time);
    }
    let cause = match time < interval.0 {
        true => HeartbeatCause::DroppedEarly,
        false => HeartbeatCause::DroppedLate,
    };
    Err(drop_failure(witness, silent, cause(Timing { interval, time })))
}

/// Waits for three pings of the witness that are later than this one.
async fn three_pings_after(witness: &mut Client, unanswered: Instant) -> CheckResult {
    let mut later = 0;
    while later < 3 {
        if witness.ping().await? > unanswered {
            later += 1;
        }
    }
    Ok(())
}

/// Fails if even the fastest disconnect came later than `PROMPT` intervals after the unanswered
/// ping.
pub(crate) fn promptly(
    ctx: &TestContext,
    witness: &Client,
    silent: &Client,
    fastest: Duration,
) -> CheckResult {
    let interval = ctx.interval();
    if fastest <= interval.times(PROMPT) {
        return Ok(());
    }
    let cause = HeartbeatCause::DroppedBetweenPings(Timing { interval, time: fastest });
    Err(drop_failure(witness, silent, cause))
}

fn drop_failure(witness: &Client, silent: &Client, cause: HeartbeatCause) -> CheckError {
    let last = Highlight::Last { connection: silent.number() };
    Failure::caused(cause).about([witness.number(), silent.number()]).at(last).into()
}
