//! The interval is the configured one: with a long interval no ping comes early.

use std::time::Duration;

use futures_util::future::join;

use super::PINGED;
use crate::{Check, MINIMUM, check};
use harness::client::{Client, ClientEvent};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::failure::heartbeat::{HeartbeatCause, Timing};
use harness::interval::Interval;
use harness::verdict::{CheckError, CheckResult, judged_elsewhere};

pub(super) const CHECK: Check = Check {
    inconclusive_after: &["heartbeat::steady", "heartbeat::busy"],
    explained_by: &["heartbeat::echo", "heartbeat::alive"],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 4, messages: 31, pings: 5, ..MINIMUM },
    ..check("heartbeat::interval", Heartbeat, include_str!("interval.md"), |ctx| {
        Box::pin(interval(ctx))
    })
};

/// Too long for a second ping. In sixteen bits it would overflow to a fifth of a second.
const LONG: Duration = Duration::from_millis(65_536 + 200);

async fn interval(ctx: &mut TestContext) -> CheckResult {
    let mut clock = ctx.join().await?;
    let patient = ctx.second_server_with(LONG).await?;
    // The first server sends pings in the meantime. Otherwise, the absence of pings would show
    // nothing.
    let (pinged, judged) = join(count_pings(&mut clock, 5), no_early_pings(&patient)).await;
    judged.map_err(|error| error.recorded_by(&patient.recorder)).and(pinged)
}

/// Fails if clients of this server get a ping, except for one at opening.
async fn no_early_pings(patient: &TestContext) -> CheckResult {
    let mut clients = patient.join_many(2).await?;
    let mut talker = patient.join().await?;
    pass_time(&mut talker, patient.interval().0).await?;
    let at_opening: Vec<usize> = clients.iter_mut().map(count_new_pings).collect();
    let long_enough = patient.interval().times(4.5).max(Duration::from_millis(1_050));
    pass_time(&mut talker, long_enough).await?;
    for (client, at_opening) in clients.iter_mut().zip(at_opening) {
        let early = count_new_pings(client);
        if at_opening > 1 || early > 0 {
            let timing =
                Timing { interval: Interval(LONG), time: patient.server.started.elapsed() };
            let cause = HeartbeatCause::PingsTooEarly { pings: at_opening + early, timing };
            return Err(client.fails_after_last(cause).show_all_clients());
        }
        client.exchange("still there?").await?;
    }
    Ok(())
}

/// Waits until this time has passed for the server, too: in small steps, after each of which it
/// answers a client.
///
/// A stall of the whole machine shortens one step. By a clock alone, the server might have had no
/// turn at all.
async fn pass_time(talker: &mut Client, time: Duration) -> CheckResult {
    const STEP: Duration = Duration::from_millis(50);
    for _ in 0..time.as_millis().div_ceil(STEP.as_millis()) {
        Interval(STEP).pause(1.0).await;
        talker.exchange("still there?").await?;
    }
    Ok(())
}

/// Returns the number of pings since the last call.
fn count_new_pings(client: &mut Client) -> usize {
    client.drain().iter().filter(|received| matches!(received.event, ClientEvent::Ping(_))).count()
}

/// Waits for pings of a server with the usual interval. Without them there is no verdict: another
/// check judges why they are missing.
async fn count_pings(clock: &mut Client, count: usize) -> CheckResult {
    for _ in 0..count {
        if judged_elsewhere(clock.ping().await)?.is_none() {
            return Err(CheckError::Inconclusive("no pings came to compare with".to_string()));
        }
    }
    Ok(())
}
