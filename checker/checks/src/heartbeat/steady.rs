//! After its first ping, a connection gets one ping per interval: none skipped, no bursts.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::{join, try_join, try_join_all};

use super::PINGED;
use crate::{Check, MINIMUM, check};
use harness::client::{Client, RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::failure::heartbeat::{HeartbeatCause, Timing};
use harness::interval::{MEAN_GAP, SINGLE_GAP};
use harness::verdict::{CheckError, CheckResult, ResultExt};

pub(super) const CHECK: Check = Check {
    explained_by: &["heartbeat::echo", "heartbeat::alive", "heartbeat::interval"],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 3, pings: 20, ..MINIMUM },
    ..check("heartbeat::steady", Heartbeat, include_str!("steady.md"), |ctx| Box::pin(steady(ctx)))
};

/// The number of gaps between pings to examine, and the most of them. The check examines more while
/// their typical deviation is above `SUSPICIOUS`, as a share of an interval. If intervals vary by
/// 30 % either way, 3 in 100 look regular, so the check examines two servers.
const GAPS: usize = 6;
const MOST_GAPS: usize = 12;
const SUSPICIOUS: f64 = 0.035;
/// The largest standard deviation of regular gaps, and the smallest typical deviation of irregular
/// ones, as shares of an interval.
const IRREGULAR: f64 = 0.1;
const TYPICAL: f64 = 0.08;

async fn steady(ctx: &mut TestContext) -> CheckResult {
    let (crowded, mut clients) = try_join(ctx.second_server(), ctx.join_many(2)).await?;
    let ctx = &*ctx;
    let quiet = try_join_all(clients.iter_mut().map(|client| steadily(ctx, client)));
    let (quiet, crowded) = join(quiet, while_others_come_and_go(&crowded)).await;
    // An error that occurs without other clients as well is not caused by them.
    quiet.and(crowded)
}

/// Fails if a client that joins resets another client's timer, or a client that leaves stops it.
async fn while_others_come_and_go(ctx: &TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let judged = tokio::select! {
        steady = steadily(ctx, &mut client) => steady,
        () = visits(ctx) => unreachable!("the visits never end"),
    };
    let judged = judged.context("while other clients join and leave");
    judged.map_err(|error| error.recorded_by(&ctx.recorder))
}

/// Clients join and leave, more often than pings come. Other checks judge their own messages.
pub(crate) async fn visits(ctx: &TestContext) {
    let mut pace = ctx.interval().every(0.4);
    loop {
        pace.tick().await;
        if let Ok(visitor) = ctx.join().await {
            ctx.leave(visitor).await;
        }
    }
}

/// Fails unless the pings after the first come at regular intervals.
async fn steadily(ctx: &TestContext, client: &mut Client) -> CheckResult {
    let first = client.ping().await?;
    let mut gaps = next_gaps(ctx, client, first, 0..GAPS).await?;
    // A few gaps may be irregular because the machine is busy, or regular by chance. More gaps
    // decide.
    while typical_deviation(&gaps) > ctx.interval().times(SUSPICIOUS) {
        if gaps.len() >= MOST_GAPS {
            expect_regular(ctx, client, first, &gaps)?;
            break;
        }
        let last = first + gaps.iter().sum::<Duration>();
        gaps.extend(next_gaps(ctx, client, last, gaps.len()..gaps.len() + 2).await?);
    }
    on_the_average(ctx, client, gaps.iter().sum(), gaps.len())
}

/// Returns the gaps between the next pings, numbered from `first`, each of about one interval.
async fn next_gaps(
    ctx: &TestContext,
    client: &mut Client,
    mut last: Instant,
    numbers: Range<usize>,
) -> CheckResult<Vec<Duration>> {
    let limit = ctx.interval().times(*SINGLE_GAP.end()).max(RESPONSE_TIMEOUT / 2);
    let mut gaps = Vec::new();
    for n in numbers {
        let now = match timeout_on_busy_host(limit, client.ping()).await {
            Some(ping) => ping?,
            None => Instant::now(),
        };
        expect_one_interval(ctx, client, now - last, n + 2)?;
        gaps.push(now - last);
        last = now;
    }
    Ok(gaps)
}

/// Fails unless the gap before ping `ping` is about one interval long.
pub(super) fn expect_one_interval(
    ctx: &TestContext,
    client: &Client,
    time: Duration,
    ping: usize,
) -> CheckResult {
    let interval = ctx.interval();
    if interval.is_within(time, &SINGLE_GAP) {
        return Ok(());
    }
    let gap = Timing { interval, time };
    Err(client.fails_after_last(match time < interval.0 {
        true => HeartbeatCause::ShortGap { ping, gap },
        false => HeartbeatCause::LongGap { ping, gap },
    }))
}

/// Returns the median distance from the median gap. A stall changes two gaps, and the median
/// hardly.
fn typical_deviation(gaps: &[Duration]) -> Duration {
    let median = |mut durations: Vec<Duration>| {
        durations.sort_unstable();
        durations[durations.len() / 2]
    };
    let middle = median(gaps.to_vec());
    median(gaps.iter().map(|gap| gap.abs_diff(middle)).collect())
}

/// Fails if the gaps, the first of which began at `first`, differ by too large a standard
/// deviation.
fn expect_regular(
    ctx: &TestContext,
    client: &Client,
    first: Instant,
    gaps: &[Duration],
) -> CheckResult {
    let interval = ctx.interval();
    let ratios: Vec<f64> = gaps.iter().map(|gap| interval.ratio(*gap)).collect();
    let count = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / count;
    let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / count;
    if variance.sqrt() <= IRREGULAR {
        return Ok(());
    }
    // A few stalls make a large deviation, but no large typical one. A delayed ping makes two gaps
    // irregular.
    let explained = ctx.typical_delay_since(first, gaps.len()) * 2;
    if typical_deviation(gaps) <= explained.max(interval.times(TYPICAL)) {
        return Err(CheckError::HostBusy(
            "this machine is too busy to say whether pings come at regular intervals".to_string(),
        ));
    }
    Err(client.fails_after_last(HeartbeatCause::IrregularGaps {
        interval,
        gaps: gaps.len(),
        shortest: gaps.iter().copied().min().unwrap_or_default(),
        longest: gaps.iter().copied().max().unwrap_or_default(),
    }))
}

/// Checks the mean of several gaps. A stall lengthens one gap, and their mean only a little.
pub(crate) fn on_the_average(
    ctx: &TestContext,
    client: &Client,
    sum: Duration,
    gaps: usize,
) -> CheckResult {
    let (interval, time) = (ctx.interval(), sum / u32::try_from(gaps).unwrap_or(u32::MAX));
    if interval.is_within(time, &MEAN_GAP) {
        return Ok(());
    }
    Err(client.fails_after_last(HeartbeatCause::WrongMeanGap(Timing { interval, time })))
}
