//! The race: all contestants publish the same events, and each arrival is timed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use super::client::{Publisher, Subscriber, TransportClient, WAIT, name_contestant};
use super::clock::Clock;
use super::plan::{Contestant, Plan};
use harness::client::{RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};

/// The publisher spins this long after each event. An idle core adds its wake-up to the latency.
const ALERT: Duration = Duration::from_micros(500);

/// The latency of one event to one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The event's number, from 0.
    pub event: usize,
    /// The subscriber's number, from 0.
    pub subscriber: usize,
    /// Time from the scheduled sending to the arrival. A late sending counts, so that a stall is
    /// not hidden (coordinated omission).
    pub latency: Duration,
}

/// A message that a subscriber received.
struct Arrival {
    index: usize,
    subscriber: usize,
    text: String,
    at: Instant,
}

#[derive(Clone)]
struct ArrivalSender {
    index: usize,
    subscriber: usize,
    sender: UnboundedSender<Arrival>,
}

impl ArrivalSender {
    fn send(&self, text: String, at: Instant) {
        let ArrivalSender { index, subscriber, .. } = *self;
        let _ = self.sender.send(Arrival { index, subscriber, text, at });
    }
}

/// Runs the race from `began` on, which should be in the future. Returns the samples of each client
/// in the order of `clients`, sorted by arrival. Fails if a server disconnects or loses messages.
pub async fn run_race(
    clients: Vec<TransportClient>,
    plan: &Arc<Plan>,
    clock: &Clock,
    began: Instant,
) -> CheckResult<Vec<Vec<Sample>>> {
    let contestants: Vec<Contestant> = clients.iter().map(|client| client.contestant).collect();
    let numbers: HashMap<&str, usize> = plan
        .events
        .iter()
        .enumerate()
        .map(|(number, event)| (event.text.as_str(), number))
        .collect();
    let (sender, mut arrivals) = mpsc::unbounded_channel();
    let mut tasks: JoinSet<CheckResult> = JoinSet::new();
    let mut missing: Vec<Vec<Vec<bool>>> = Vec::new();
    for (index, client) in clients.into_iter().enumerate() {
        missing.push(vec![vec![true; plan.events.len()]; client.subscribers.len()]);
        let named = name_contestant(client.contestant);
        for (number, subscriber) in client.subscribers.into_iter().enumerate() {
            let arrivals = ArrivalSender { index, subscriber: number, sender: sender.clone() };
            let (clock, plan, named) =
                (clock.clone(), plan.clone(), name_contestant(client.contestant));
            tasks.spawn(async move {
                listen(subscriber, arrivals, &plan, &clock, began).await.map_err(named)
            });
        }
        let (clock, plan) = (clock.clone(), plan.clone());
        tasks.spawn(async move {
            publish(client.publisher, client.contestant, &plan, &clock, began).await.map_err(named)
        });
    }
    let mut left: usize = missing.iter().flatten().map(Vec::len).sum();
    let mut samples = vec![Vec::new(); contestants.len()];
    let collecting = async {
        while left > 0 {
            tokio::select! {
                biased;
                Some(arrival) = arrivals.recv() => {
                    let Arrival { index, subscriber, text, at } = arrival;
                    // Other messages are judged by other checks.
                    let Some(&event) = numbers.get(text.as_str()) else { continue };
                    if std::mem::take(&mut missing[index][subscriber][event]) {
                        let moment = began + plan.events[event].moment(contestants[index]);
                        let latency = at.saturating_duration_since(moment);
                        samples[index].push(Sample { event, subscriber, latency });
                        left -= 1;
                    }
                }
                Some(ended) = tasks.join_next() => {
                    ended.map_err(|error| {
                        CheckError::Inconclusive(format!("the race broke off: {error}"))
                    })??;
                }
            }
        }
        Ok(())
    };
    let slowest =
        contestants.iter().filter_map(|contestant| contestant.period()).max().unwrap_or_default();
    match timeout_on_busy_host(plan.window + slowest + RESPONSE_TIMEOUT, collecting).await {
        Some(collected) => collected.map(|()| samples),
        None => Err(missing_messages(&contestants, &missing, plan.events.len())),
    }
}

fn missing_messages(
    contestants: &[Contestant],
    missing: &[Vec<Vec<bool>>],
    events: usize,
) -> CheckError {
    let clients = contestants.iter().zip(missing);
    let mut lost = clients.map(|(contestant, missing)| {
        (
            contestant,
            missing.len() * events,
            missing.iter().flatten().filter(|missing| **missing).count(),
        )
    });
    let Some((contestant, all, lost)) = lost.find(|(_, _, lost)| *lost > 0) else {
        return CheckError::HostBusy("the race came to no end".to_string());
    };
    let summary = format!(
        "{}: {lost} of {all} messages did not arrive within {} s of the last one's sending",
        contestant.name(),
        RESPONSE_TIMEOUT.as_secs()
    );
    match contestant {
        Contestant::Push => Failure::new(FailureKind::Silence, summary).into(),
        _ => CheckError::Inconclusive(summary),
    }
}

async fn publish(
    mut publisher: Publisher,
    contestant: Contestant,
    plan: &Plan,
    clock: &Clock,
    began: Instant,
) -> CheckResult {
    let mut moments: Vec<_> =
        plan.events.iter().map(|event| (event.moment(contestant), &event.text)).collect();
    moments.sort();
    let mut posting: JoinSet<CheckResult> = JoinSet::new();
    for (moment, text) in moments {
        let due = clock.sleep_until(began + moment);
        tokio::pin!(due);
        loop {
            tokio::select! {
                biased;
                () = &mut due => break,
                received = publisher.receive() => drop(received?),
                Some(posted) = posting.join_next() => posted.unwrap_or(Ok(()))?,
            }
        }
        match &mut publisher {
            // A slow response must not delay the next event.
            Publisher::Http(http) => {
                let (http, text) = (http.clone(), text.clone());
                posting.spawn(async move { http.publish(&text).await });
            }
            publisher => publisher.send(text).await?,
        }
        clock.spin_until(Instant::now() + ALERT).await;
    }
    while let Some(posted) = posting.join_next().await {
        posted.unwrap_or(Ok(()))?;
    }
    loop {
        publisher.receive().await?;
    }
}

async fn listen(
    subscriber: Subscriber,
    arrivals: ArrivalSender,
    plan: &Plan,
    clock: &Clock,
    began: Instant,
) -> CheckResult {
    match subscriber {
        Subscriber::Short(http, period, since) => {
            let phase = plan.phase(period, arrivals.subscriber);
            let next = Arc::new(AtomicUsize::new(since));
            let mut asking: JoinSet<CheckResult> = JoinSet::new();
            for moment in (0..).map(|number| began + phase + period * number) {
                loop {
                    tokio::select! {
                        biased;
                        () = clock.sleep_until(moment) => break,
                        Some(asked) = asking.join_next() => asked.unwrap_or(Ok(()))?,
                    }
                }
                // Polls by the clock, even while the last response is pending, as a page's timer
                // does.
                let (http, arrivals, next) = (http.clone(), arrivals.clone(), next.clone());
                asking.spawn(async move {
                    let batch = http.poll(next.load(Ordering::Relaxed), None).await?;
                    let at = Instant::now();
                    next.fetch_max(batch.next, Ordering::Relaxed);
                    batch.messages.into_iter().for_each(|text| arrivals.send(text, at));
                    Ok(())
                });
            }
            Ok(())
        }
        Subscriber::Long(http, mut since) => loop {
            let batch = http.poll(since, WAIT).await?;
            let at = Instant::now();
            since = batch.next;
            batch.messages.into_iter().for_each(|text| arrivals.send(text, at));
        },
        mut pushed => {
            let mut missing: HashSet<&str> =
                plan.events.iter().map(|event| event.text.as_str()).collect();
            while !missing.is_empty() {
                let (text, at) = pushed.receive().await?;
                missing.remove(text.as_str());
                arrivals.send(text, at);
            }
            // A subscriber that has received everything keeps its connection open, without a
            // timeout, until the race ends.
            std::future::pending().await
        }
    }
}
