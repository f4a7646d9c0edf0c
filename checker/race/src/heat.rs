//! The race in real time. Each contestant has a thread of its own, so that a slow one delays the
//! others only through the processors that they share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use baseline::transports::client::{ConnectOptions, Route, TransportClient, name_contestant};
use baseline::transports::measure::{Sample, run_race};
use baseline::transports::plan::{Contestant, Plan};
use baseline::transports::proxy::Bytes;
use harness::verdict::{CheckError, CheckResult};

/// Time between the signal to all threads and the first event.
const LEAD: Duration = Duration::from_millis(20);

/// A contestant before the race.
pub struct Starter {
    /// The contestant.
    pub contestant: Contestant,
    /// The route to its server.
    pub route: Route,
    /// How it connects.
    pub options: ConnectOptions,
    /// The time of a request and its response.
    pub request: Duration,
    /// The mean time between events.
    pub apart: Duration,
}

/// A contestant after the race.
pub struct Finished {
    /// Each message that arrived.
    pub samples: Vec<Sample>,
    /// The bytes through the subscribers' proxy.
    pub seen: Bytes,
}

/// Runs the race and returns its results in the order of the starters. Fails if a server
/// disconnects or loses messages.
pub async fn run_heat(
    starters: Vec<Starter>,
    plan: &Arc<Plan>,
    progress: &(dyn Fn(String) + Send + Sync),
) -> CheckResult<Vec<Finished>> {
    let (go, going) = watch::channel(None);
    let (ready, mut readies) = mpsc::unbounded_channel();
    let mut missing = starters.len();
    let mut threads = JoinSet::new();
    for (number, starter) in starters.into_iter().enumerate() {
        let (plan, ready, going) = (plan.clone(), ready.clone(), going.clone());
        threads.spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let with_name = name_contestant(starter.contestant);
            let finished = runtime.block_on(run_contestant(starter, &plan, ready, going));
            Ok::<_, CheckError>((number, finished.map_err(with_name)?))
        });
    }
    let mut finished = Vec::new();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            Some(()) = readies.recv(), if missing > 0 => {
                missing -= 1;
                if missing == 0 {
                    go.send_replace(Some(Instant::now() + LEAD));
                    second.reset();
                }
            }
            _ = second.tick(), if missing == 0 => {
                let gone = go.borrow().map_or(0, |began: Instant| began.elapsed().as_secs());
                progress(format!("racing: {gone} of {} s", plan.window.as_secs()));
            }
            ended = threads.join_next() => match ended {
                // When one contestant fails, the others end with `go` or with their servers.
                Some(ended) => {
                    let broke_off = |error| {
                        CheckError::Inconclusive(format!("the race broke off: {error}"))
                    };
                    finished.push(ended.map_err(broke_off)??);
                }
                None => break,
            },
        }
    }
    finished.sort_by_key(|(number, _)| *number);
    Ok(finished.into_iter().map(|(_, finished)| finished).collect())
}

/// Runs the race of one contestant.
async fn run_contestant(
    starter: Starter,
    plan: &Arc<Plan>,
    ready: mpsc::UnboundedSender<()>,
    mut going: watch::Receiver<Option<Instant>>,
) -> CheckResult<Finished> {
    let proxies = starter.route.open_proxies().await?;
    let mut client =
        TransportClient::connect(starter.contestant, &proxies, &starter.options).await?;
    client.warm_up(starter.request, starter.apart).await?;
    let before = proxies.listening.bytes();
    let _ = ready.send(());
    let began = going.wait_for(Option::is_some).await.ok().and_then(|began| *began);
    let began =
        began.ok_or_else(|| CheckError::Inconclusive("the race was called off".to_string()))?;
    let samples = run_race(vec![client], plan, &starter.route.distance.clock, began).await?;
    let samples = samples.into_iter().next().unwrap_or_default();
    Ok(Finished { samples, seen: proxies.listening.bytes() - before })
}
