//! A client that answered for a while and then stopped is dropped: a pong counts for one interval.

use std::time::{Duration, Instant};

use futures_util::future::try_join;

use super::PINGED;
use super::alive::dropped_alive;
use super::dead::dropped_on_time;
use crate::{Check, MINIMUM, check};
use harness::client::Client;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::verdict::{CheckError, CheckResult};
use harness::wire::frame::{Control, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: &[
        "heartbeat::echo",
        "heartbeat::steady",
        "heartbeat::alive",
        "heartbeat::dead",
        "heartbeat::neighbours",
    ],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 2, pings: 5, ends: 1, ..MINIMUM },
    ..check("heartbeat::relapse", Heartbeat, include_str!("relapse.md"), |ctx| {
        Box::pin(relapse(ctx))
    })
};

async fn relapse(ctx: &mut TestContext) -> CheckResult {
    let (mut witness, mut fading) = try_join(ctx.join(), ctx.join()).await?;
    fades_away(ctx, &mut witness, &mut fading, dropped_alive).await.map(|_| ())
}

/// A client answers for a while, more often than it is pinged, and then stops. Returns the time
/// from its first unanswered ping to its disconnect. `dropped_before` names the cause of an earlier
/// failure.
pub(crate) async fn fades_away(
    ctx: &TestContext,
    witness: &mut Client,
    fading: &mut Client,
    dropped_before: impl Fn(&Client, CheckError) -> CheckError,
) -> CheckResult<Duration> {
    let unanswered = answer_then_stop(fading).await;
    let unanswered = unanswered.map_err(|error| dropped_before(fading, error))?;
    dropped_on_time(ctx, witness, fading, unanswered).await
}

/// Returns the time of the first unanswered ping.
async fn answer_then_stop(fading: &mut Client) -> CheckResult<Instant> {
    let (_, payload) = fading.ping_and_payload().await?;
    // Pongs cannot be saved up. No extra pongs follow the next ping, because delayed ones could
    // answer the ping after it.
    for _ in 0..3 {
        fading.send(Frame::new(OpCode::Control(Control::Pong), payload.as_slice()));
    }
    fading.ping().await?;
    fading.stop_answering_pings();
    fading.unanswered_ping().await
}
