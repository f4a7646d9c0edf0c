//! The median time from sending a message to its arrival at another client is at most a fifth of
//! that of short polling.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use rand::RngExt;

use crate::{Check, MINIMUM, check};
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
use harness::failure::room::RoomCause;
use harness::verdict::{CheckError, CheckResult, Failure};

pub(super) const CHECK: Check = Check {
    requires: &["broadcast::welcome", "broadcast::everyone"],
    explained_by: &[
        "broadcast::welcome",
        "broadcast::everyone",
        "broadcast::order",
        "broadcast::agreement",
    ],
    timed: true,
    minimum: MinimumEvidence { connections: 2, messages: FEWEST, ..MINIMUM },
    ..check("latency::push", Broadcast, include_str!("push.md"), |ctx| Box::pin(push(ctx)))
};

/// The polling interval.
const POLL: Duration = Duration::from_millis(100);
/// The duration of a race, and the approximate and the least number of events.
const WINDOW: Duration = Duration::from_millis(800);
const EVENTS: u32 = 32;
const FEWEST: u64 = 10;
/// Push may take at most one fifth of the time of polling.
const SHARE: u32 = 5;

async fn push(ctx: &mut TestContext) -> CheckResult {
    let before = ctx.run_queue_delay();
    let Medians { polling, push, relay } = race(ctx).await?;
    if push * SHARE <= polling {
        return Ok(());
    }
    // A message waits for the processor at more places than relayed bytes: in the client, the
    // recorder and the server. So up to six times the relay's latency is not held against the
    // server.
    if relay * SHARE * 4 > polling || push.saturating_sub(relay * 6) * SHARE <= polling {
        let why = format!("bytes that are just sent on took {} ms", relay.as_millis());
        return Err(too_busy(&why));
    }
    let starved = ctx.run_queue_delay().saturating_sub(before);
    if starved > WINDOW / 10 {
        let why = format!("the server waited for a processor for {} ms", starved.as_millis());
        return Err(too_busy(&why));
    }
    let cause = RoomCause::LatePush { push, limit: polling / SHARE, polling, interval: POLL };
    Err(Failure::caused(cause).into())
}

fn too_busy(why: &str) -> CheckError {
    CheckError::HostBusy(format!("this machine is too busy to judge latency: {why}"))
}

/// The median latencies of a race.
struct Medians {
    polling: Duration,
    push: Duration,
    /// Bytes that a server just sends on.
    relay: Duration,
}

/// Sends the same events through all transports at the same time.
async fn race(ctx: &mut TestContext) -> CheckResult<Medians> {
    let short_polling = Contestant::Short(POLL);
    let (polled, relayed) = try_join(
        TransportServer::inside(short_polling),
        TransportServer::inside(Contestant::Relay),
    )
    .await?;
    let http = || Http::new(polled.endpoint.0[0], false);
    let polling = TransportClient {
        contestant: short_polling,
        publisher: Publisher::Http(http()),
        subscribers: vec![Subscriber::Short(http(), POLL, 0)],
    };
    let (sender, receiver) = try_join(ctx.join(), ctx.join()).await?;
    let push = TransportClient {
        contestant: Contestant::Push,
        publisher: Publisher::Client(sender),
        subscribers: vec![Subscriber::Client(Box::new(receiver))],
    };
    let caller = || RelayClient::connect(relayed.endpoint.0[0]);
    let relay = TransportClient {
        contestant: Contestant::Relay,
        publisher: Publisher::Relay(caller().await?),
        subscribers: vec![Subscriber::Relay(caller().await?)],
    };
    let plan = Arc::new(Plan::new(ctx.rng.random(), WINDOW, WINDOW / EVENTS));
    let clients = vec![polling, push, relay];
    let samples = run_race(clients, &plan, &Clock::start()?, Instant::now()).await?;
    let mut medians = samples.into_iter().map(median);
    let mut next = || medians.next().unwrap_or_default();
    Ok(Medians { polling: next(), push: next(), relay: next() })
}

/// Returns the median latency.
fn median(samples: Vec<Sample>) -> Duration {
    let mut times: Vec<_> = samples.iter().map(|sample| sample.latency).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
