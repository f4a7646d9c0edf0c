//! The race in real time, each contestant on a thread of its own.
//!
//! So one that takes long over a message keeps none of the others waiting, but for the processors that all share.

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

/// Time for everybody to take their place before the first event.
const LEAD: Duration = Duration::from_millis(20);

/// A contestant that wants to take part.
pub struct Starter {
    /// Which.
    pub contestant: Contestant,
    /// Where its server is.
    pub wiring: Route,
    /// How it connects.
    pub connecting: ConnectOptions,
    /// What a request takes there and back.
    pub request: Duration,
    /// How far events are apart, on the average.
    pub apart: Duration,
}

/// What was seen of it.
pub struct Finished {
    /// Each message that arrived.
    pub samples: Vec<Sample>,
    /// What went over the subscribers' line.
    pub seen: Bytes,
}

/// Lets them race; what was seen of each, in their order.
///
/// # Errors
/// When a server goes away, or loses messages.
pub async fn heat(
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
            let whose = name_contestant(starter.contestant);
            let finished = runtime.block_on(alone(starter, &plan, ready, going));
            Ok::<_, CheckError>((number, finished.map_err(whose)?))
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
                // Who is still under way when one gives up hears of it by `go`, or by the end of the servers.
                Some(ended) => {
                    finished.push(ended.map_err(|error| CheckError::Inconclusive(format!("the race broke off: {error}")))??);
                }
                None => break,
            },
        }
    }
    finished.sort_by_key(|(number, _)| *number);
    Ok(finished.into_iter().map(|(_, finished)| finished).collect())
}

/// One contestant's race.
async fn alone(
    starter: Starter,
    plan: &Arc<Plan>,
    ready: mpsc::UnboundedSender<()>,
    mut going: watch::Receiver<Option<Instant>>,
) -> CheckResult<Finished> {
    let lines = starter.wiring.open_proxies().await?;
    let mut lane =
        TransportClient::connect(starter.contestant, &lines, &starter.connecting).await?;
    lane.warm_up(starter.request, starter.apart).await?;
    let before = lines.listening.bytes();
    let _ = ready.send(());
    let began = going.wait_for(Option::is_some).await.ok().and_then(|began| *began);
    let began =
        began.ok_or_else(|| CheckError::Inconclusive("the race was called off".to_string()))?;
    let samples = run_race(vec![lane], plan, &starter.wiring.distance.clock, began).await?;
    let samples = samples.into_iter().next().unwrap_or_default();
    Ok(Finished { samples, seen: lines.listening.bytes() - before })
}
