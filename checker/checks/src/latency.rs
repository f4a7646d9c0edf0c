//! The check of `latency`: push against polling, in one run, on the same machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use rand::RngExt;

use super::{Check, MINIMUM, check};
use baseline::client::Http;
use baseline::transports::client::{Publisher, Subscriber, TransportClient};
use baseline::transports::clock::Clock;
use baseline::transports::measure::{Sample, run_race};
use baseline::transports::plan::{Contestant, Plan};
use baseline::transports::relay::RelayClient;
use baseline::transports::server::TransportServer;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Broadcast;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};

/// The polling interval.
const POLL: Duration = Duration::from_millis(100);
/// The duration of a race, and the approximate and the least number of events.
const WINDOW: Duration = Duration::from_millis(800);
const EVENTS: u32 = 32;
const FEWEST: u64 = 10;
/// Push may take at most one fifth of the time of polling.
const SHARE: u32 = 5;

pub(super) const CHECKS: &[Check] = &[Check {
    requires: &["broadcast::welcome", "broadcast::everyone"],
    explained_by: &[
        "broadcast::welcome",
        "broadcast::everyone",
        "broadcast::order",
        "broadcast::agreement",
    ],
    timed: true,
    hint: "Send a message on as soon as it is there: no timer, no collecting, TCP_NODELAY on the socket, and a flush after the last message that is ready.",
    lesson: "lessons/01-polling-and-pushing.md",
    minimum: MinimumEvidence { connections: 2, messages: FEWEST, ..MINIMUM },
    ..check("latency::push", Broadcast, include_str!("latency/push.md"), |ctx| Box::pin(push(ctx)))
}];

/// Returns the median latency.
fn median(samples: Vec<Sample>) -> Duration {
    let mut times: Vec<_> = samples.iter().map(|sample| sample.latency).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// One race is short, and a stall of the machine may slow one transport only. A slow server is slow
/// in a second race, too.
async fn push(ctx: &mut TestContext) -> CheckResult {
    match raced(ctx).await {
        Err(CheckError::Failed(failure)) if failure.kind == FailureKind::WrongTiming => {
            raced(ctx).await
        }
        judged => judged,
    }
}

async fn raced(ctx: &mut TestContext) -> CheckResult {
    let before = ctx.run_queue_delay();
    let (sender, receiver) = try_join(ctx.join(), ctx.join()).await?;
    let push = TransportClient {
        contestant: Contestant::Push,
        publisher: Publisher::Client(sender),
        subscribers: vec![Subscriber::Client(Box::new(receiver))],
    };
    let asked = Contestant::Short(POLL);
    let (polled, relayed) =
        try_join(TransportServer::inside(asked), TransportServer::inside(Contestant::Relay))
            .await?;
    let http = || Http::new(polled.endpoint.0[0], false);
    let polling = TransportClient {
        contestant: asked,
        publisher: Publisher::Http(http()),
        subscribers: vec![Subscriber::Short(http(), POLL, 0)],
    };
    let caller = || RelayClient::connect(relayed.endpoint.0[0]);
    let floor = TransportClient {
        contestant: Contestant::Relay,
        publisher: Publisher::Relay(caller().await?),
        subscribers: vec![Subscriber::Relay(caller().await?)],
    };
    let plan = Arc::new(Plan::new(ctx.rng.random(), WINDOW, WINDOW / EVENTS));
    let samples =
        run_race(vec![polling, push, floor], &plan, &Clock::start()?, Instant::now()).await?;
    let medians: Vec<Duration> = samples.into_iter().map(median).collect();
    let [poll, push, floor] = medians[..] else { unreachable!("three lanes, three medians") };
    if push * SHARE <= poll {
        return Ok(());
    }
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
    // A message waits for the processor at more places than relayed bytes: in the client, the
    // recorder and the server. So up to six times the relay's latency is not held against the
    // server.
    if floor * SHARE * 4 > poll || push.saturating_sub(floor * 6) * SHARE <= poll {
        return Err(CheckError::HostBusy(format!(
            "this machine is too busy to judge latency: bytes that are just sent on took {}",
            millis(floor)
        )));
    }
    let starved = ctx.run_queue_delay().saturating_sub(before);
    if starved > WINDOW / 10 {
        return Err(CheckError::HostBusy(format!(
            "this machine is too busy to judge latency: the server was kept waiting for a processor for {}",
            millis(starved)
        )));
    }
    let failure = Failure::new(FailureKind::WrongTiming, "a pushed message takes too long")
        .expected(
            format!(
                "at most {}: a fifth of the {} of polling every 100 ms",
                millis(poll / SHARE),
                millis(poll)
            ),
            millis(push),
        );
    Err(failure.into())
}
