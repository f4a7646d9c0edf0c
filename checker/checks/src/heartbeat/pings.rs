//! Every connection gets its first ping, unasked, within about one interval of opening.

use std::time::Instant;

use futures_util::future::join_all;
use rand::RngExt;

use crate::{Check, MINIMUM, check};
use harness::client::{Client, RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::failure::heartbeat::{HeartbeatCause, Timing};
use harness::group;
use harness::interval::{FIRST_PING, SINGLE_GAP};
use harness::verdict::{CheckError, CheckResult, FailureKind, ResultExt};

pub(super) const CHECK: Check = Check {
    explained_by: &["heartbeat::echo", "heartbeat::steady"],
    requires: &["heartbeat::echo"],
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 16, pings: 16, ..MINIMUM },
    gate: Some(|ctx| Box::pin(two_clients(ctx))),
    ..check("heartbeat::pings", Heartbeat, include_str!("pings.md"), |ctx| Box::pin(pings(ctx)))
};

/// The gate: two clients get their first pings.
async fn two_clients(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(2).await?;
    // A connection is open after its handshake. The duration of the handshake does not count.
    let opened = Instant::now();
    group::all(clients.iter_mut().map(|client| first_ping(ctx, client, opened))).await?;
    leave_all(ctx, clients).await;
    Ok(())
}

async fn pings(ctx: &mut TestContext) -> CheckResult {
    // More clients than some servers have room for.
    let count = ctx.rng.random_range(13..17);
    let clients = join_through_an_interval(ctx, count).await;
    leave_all(ctx, clients.context("with other clients connected already")?).await;
    // A timer that stopped with the last client starts again with the next.
    wait_without_clients(ctx).await?;
    let mut newcomer = ctx.join().await?;
    let opened = Instant::now();
    first_ping(ctx, &mut newcomer, opened).await.context("once all other clients had left")
}

/// Waits for the first ping of a client that opened then, and fails if it comes more than a quarter
/// of an interval late.
///
/// There are no other pings to compare with, so this machine's clock decides, if the machine is
/// quiet.
pub(crate) async fn first_ping(
    ctx: &TestContext,
    client: &mut Client,
    opened: Instant,
) -> CheckResult {
    let interval = ctx.interval();
    let limit = interval.times(*SINGLE_GAP.end()).max(RESPONSE_TIMEOUT / 2);
    let time = match timeout_on_busy_host(limit, client.ping()).await {
        Some(ping) => ping.map_err(never_pinged)? - opened,
        None => limit,
    };
    if time <= interval.times(FIRST_PING) {
        return Ok(());
    }
    let late = time.saturating_sub(interval.0);
    if ctx.delays_since(opened) >= late {
        return Err(CheckError::HostBusy(format!(
            "this machine is too busy to say whether a first ping is {} ms late",
            late.as_millis()
        )));
    }
    let cause = match client.pings.is_empty() {
        true => HeartbeatCause::NoFirstPing,
        false => HeartbeatCause::LateFirstPing,
    };
    Err(client.fails_after_last(cause(Timing { interval, time })))
}

/// Renames the end of a connection on which no ping has come.
pub(super) fn never_pinged(error: CheckError) -> CheckError {
    error.refine(FailureKind::EndedEarly, HeartbeatCause::DroppedUnpinged)
}

/// A client that joined and got its first ping in time.
struct Arrival {
    client: Client,
    /// The server opened the connection between these two times.
    asked: Instant,
    opened: Instant,
}

/// Clients join one after the other during one interval, and each must get its first ping in time.
///
/// If one timer serves all clients, some of them join just before its next tick.
async fn join_through_an_interval(ctx: &TestContext, count: u32) -> CheckResult<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..3 {
        let phases = (1..=count).map(|n| f64::from(n) / f64::from(count - 1));
        let arrivals = group::all(phases.map(|phase| arrive(ctx, phase))).await?;
        let conclusive = cover_an_interval(ctx, &arrivals);
        clients.extend(arrivals.into_iter().map(|arrival| arrival.client));
        if conclusive {
            return Ok(clients);
        }
    }
    Err(CheckError::HostBusy(
        "this machine is too busy to let clients join all through an interval".to_string(),
    ))
}

async fn arrive(ctx: &TestContext, phase: f64) -> CheckResult<Arrival> {
    ctx.interval().pause(phase).await;
    let asked = Instant::now();
    let mut client = ctx.join().await?;
    let opened = Instant::now();
    first_ping(ctx, &mut client, opened).await?;
    Ok(Arrival { client, asked, opened })
}

/// Returns true if a client joined in every quarter of an interval, and got its ping in time
/// counted from its request.
///
/// A busy machine lets all clients join at once, and makes a late ping look like one in time.
fn cover_an_interval(ctx: &TestContext, arrivals: &[Arrival]) -> bool {
    let in_time = arrivals.iter().all(|Arrival { client, asked, .. }| {
        let latest = *asked + ctx.interval().times(FIRST_PING);
        client.pings.first().is_some_and(|ping| *ping <= latest)
    });
    let longest = ctx.interval().times(0.25);
    in_time && arrivals.windows(2).all(|pair| pair[1].opened - pair[0].asked <= longest)
}

async fn leave_all(ctx: &TestContext, clients: Vec<Client>) {
    join_all(clients.into_iter().map(|client| ctx.leave(client))).await;
}

/// Lets more than an interval pass without any client. Some timers notice that only at their next
/// tick.
async fn wait_without_clients(ctx: &TestContext) -> CheckResult {
    ctx.wait_for_disconnects(0).await;
    for _ in 0..3 {
        let (began, delayed) = (Instant::now(), ctx.run_queue_delay());
        ctx.interval().pause(1.3).await;
        // With a shorter delay, the server's tick was not late enough to meet the next client.
        if ctx.delays_since(began).saturating_sub(delayed) <= ctx.interval().times(0.25) {
            return Ok(());
        }
    }
    Err(CheckError::HostBusy(
        "this machine is too busy to say whether a server without clients got to its tick"
            .to_string(),
    ))
}
