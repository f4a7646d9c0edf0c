//! Dropping one client disturbs no other.

use std::time::Instant;

use futures_util::future::{join, join_all};
use tokio::time::timeout;

use super::PINGED;
use super::pings::first_ping;
use super::steady::expect_one_interval;
use crate::{Check, MINIMUM, check};
use harness::client::Client;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::group;
use harness::verdict::{CheckResult, ResultExt, judged_elsewhere};

pub(super) const CHECK: Check = Check {
    inconclusive_after: &["heartbeat::dead"],
    explained_by: &[
        "heartbeat::echo",
        "heartbeat::steady",
        "heartbeat::interval",
        "heartbeat::busy",
        "heartbeat::alive",
    ],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 7, messages: 15, pings: 11, ends: 1, ..MINIMUM },
    ..check("heartbeat::neighbours", Heartbeat, include_str!("neighbours.md"), |ctx| {
        Box::pin(neighbours(ctx))
    })
};

async fn neighbours(ctx: &mut TestContext) -> CheckResult {
    let mut neighbours = vec![ctx.join().await?, ctx.join().await?];
    let mut silent = ctx.client().no_pongs().join().await?;
    neighbours.extend(ctx.join_many(2).await?);
    let tokens = ctx.tokens(3);
    silent.ping().await?;
    let living = neighbours.iter_mut().map(|client| stay_undisturbed(ctx, client, &tokens));
    let (living, newcomer) = join(join_all(living), replace(ctx, &mut silent)).await;
    let living = group::together(living).context("while another client is dropped");
    living.map(|_| ()).and(newcomer)
}

/// Expects four pings, before, at and after the one at which the silent client is dropped, and
/// replies between them.
async fn stay_undisturbed(
    ctx: &TestContext,
    client: &mut Client,
    tokens: &[String],
) -> CheckResult {
    let mut last = client.ping().await?;
    for token in tokens {
        let ping = client.expect_only_ping().await?;
        client.exchange(token).await?;
        expect_one_interval(ctx, client, ping - last, client.pings.len())?;
        last = ping;
    }
    Ok(())
}

/// A client that joins right after a disconnect is served and pinged as any other. Another check
/// judges whether the disconnect is on time, so this one waits ten intervals at most.
async fn replace(ctx: &TestContext, silent: &mut Client) -> CheckResult {
    if let Ok(ended) = timeout(ctx.interval().times(10.0), silent.end()).await {
        judged_elsewhere(ended)?;
    }
    serve_newcomer(ctx).await.context("right after another client was dropped")
}

async fn serve_newcomer(ctx: &TestContext) -> CheckResult {
    let mut newcomer = ctx.join().await?;
    let opened = Instant::now();
    newcomer.exchange("a newcomer").await?;
    first_ping(ctx, &mut newcomer, opened).await?;
    // An accept loop that ends with the disconnect may still have accepted the first newcomer.
    ctx.join().await?.exchange("a newcomer, an interval later").await.map(|_| ())
}
