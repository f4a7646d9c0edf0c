//! The race itself: the same events to all contestants, and when each arrived where.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use super::client::{Publisher, Subscriber, TransportClient, WAIT, of};
use super::clock::Clock;
use super::plan::{Contestant, Plan};
use harness::client::{RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};

/// How long everybody stays awake after an event, so that waking up is not what is measured.
const ALERT: Duration = Duration::from_micros(500);

/// How long one event took to one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The event's number, from 0.
    pub event: usize,
    /// The subscriber's, from 0.
    pub subscriber: usize,
    /// From the moment it was to be sent to its arrival. If the sending was late, that counts too: a stall is not
    /// hidden.
    pub latency: Duration,
}

/// Something heard in a lane.
struct Arrival {
    place: usize,
    subscriber: usize,
    text: String,
    at: Instant,
}

#[derive(Clone)]
struct Subscribers {
    place: usize,
    subscriber: usize,
    heard: UnboundedSender<Arrival>,
}

impl Subscribers {
    fn note(&self, text: String, at: Instant) {
        let Subscribers { place, subscriber, .. } = *self;
        let _ = self.heard.send(Arrival { place, subscriber, text, at });
    }
}

/// Lets the lanes race from `began` on, which should still be to come; what was measured of each, in the order of the lanes, each in the order of arrival.
///
/// # Errors
/// When a server goes away, or loses messages.
pub async fn race(
    lanes: Vec<TransportClient>,
    plan: &Arc<Plan>,
    clock: &Clock,
    began: Instant,
) -> CheckResult<Vec<Vec<Sample>>> {
    let contestants: Vec<Contestant> = lanes.iter().map(|lane| lane.contestant).collect();
    let numbers: HashMap<&str, usize> = plan
        .events
        .iter()
        .enumerate()
        .map(|(number, event)| (event.text.as_str(), number))
        .collect();
    let (heard, mut arrivals) = mpsc::unbounded_channel();
    let mut tasks: JoinSet<CheckResult> = JoinSet::new();
    let mut missing: Vec<Vec<Vec<bool>>> = Vec::new();
    for (place, lane) in lanes.into_iter().enumerate() {
        missing.push(vec![vec![true; plan.events.len()]; lane.ears.len()]);
        let whose = of(lane.contestant);
        for (subscriber, ear) in lane.ears.into_iter().enumerate() {
            let ears = Subscribers { place, subscriber, heard: heard.clone() };
            let (clock, plan, whose) = (clock.clone(), plan.clone(), of(lane.contestant));
            tasks
                .spawn(async move { listen(ear, ears, &plan, &clock, began).await.map_err(whose) });
        }
        let (clock, plan) = (clock.clone(), plan.clone());
        tasks.spawn(async move {
            publish(lane.mouth, lane.contestant, &plan, &clock, began).await.map_err(whose)
        });
    }
    let mut left: usize = missing.iter().flatten().map(Vec::len).sum();
    let mut samples = vec![Vec::new(); contestants.len()];
    let collecting = async {
        while left > 0 {
            tokio::select! {
                biased;
                Some(arrival) = arrivals.recv() => {
                    let Arrival { place, subscriber, text, at } = arrival;
                    // Whatever else a server says is for other checks to judge.
                    let Some(&event) = numbers.get(text.as_str()) else { continue };
                    if std::mem::take(&mut missing[place][subscriber][event]) {
                        let moment = began + plan.events[event].moment(contestants[place]);
                        let latency = at.saturating_duration_since(moment);
                        samples[place].push(Sample { event, subscriber, latency });
                        left -= 1;
                    }
                }
                Some(ended) = tasks.join_next() => {
                    ended.map_err(|error| CheckError::Inconclusive(format!("the race broke off: {error}")))??;
                }
            }
        }
        Ok(())
    };
    let slowest =
        contestants.iter().filter_map(|contestant| contestant.period()).max().unwrap_or_default();
    match timeout_on_busy_host(plan.window + slowest + RESPONSE_TIMEOUT, collecting).await {
        Some(collected) => collected.map(|()| samples),
        None => Err(lost(&contestants, &missing, plan.events.len())),
    }
}

fn lost(contestants: &[Contestant], missing: &[Vec<Vec<bool>>], events: usize) -> CheckError {
    let lanes = contestants.iter().zip(missing);
    let mut lost = lanes.map(|(contestant, missing)| {
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
    mut mouth: Publisher,
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
        let due = clock.until(began + moment);
        tokio::pin!(due);
        loop {
            tokio::select! {
                biased;
                () = &mut due => break,
                heard = mouth.hear() => drop(heard?),
                Some(posted) = posting.join_next() => posted.unwrap_or(Ok(()))?,
            }
        }
        match &mut mouth {
            // Whether an answer takes long must not delay the next event.
            Publisher::Http(http) => {
                let (http, text) = (http.clone(), text.clone());
                posting.spawn(async move { http.publish(&text).await });
            }
            mouth => mouth.send(text).await?,
        }
        clock.awake(Instant::now() + ALERT).await;
    }
    while let Some(posted) = posting.join_next().await {
        posted.unwrap_or(Ok(()))?;
    }
    loop {
        mouth.hear().await?;
    }
}

async fn listen(
    ear: Subscriber,
    ears: Subscribers,
    plan: &Plan,
    clock: &Clock,
    began: Instant,
) -> CheckResult {
    match ear {
        Subscriber::Short(http, period, since) => {
            let phase = plan.phase(period, ears.subscriber);
            let next = Arc::new(AtomicUsize::new(since));
            let mut asking: JoinSet<CheckResult> = JoinSet::new();
            for moment in (0..).map(|number| began + phase + period * number) {
                loop {
                    tokio::select! {
                        biased;
                        () = clock.until(moment) => break,
                        Some(asked) = asking.join_next() => asked.unwrap_or(Ok(()))?,
                    }
                }
                // It asks by the clock even if the last answer is still on its way, as a timer in a page does.
                let (http, ears, next) = (http.clone(), ears.clone(), next.clone());
                asking.spawn(async move {
                    let batch = http.poll(next.load(Ordering::Relaxed), None).await?;
                    let at = Instant::now();
                    next.fetch_max(batch.next, Ordering::Relaxed);
                    batch.messages.into_iter().for_each(|text| ears.note(text, at));
                    Ok(())
                });
            }
            Ok(())
        }
        Subscriber::Long(http, mut since) => loop {
            let batch = http.poll(since, WAIT).await?;
            let at = Instant::now();
            since = batch.next;
            batch.messages.into_iter().for_each(|text| ears.note(text, at));
        },
        mut pushed => {
            let mut missing: HashSet<&str> =
                plan.events.iter().map(|event| event.text.as_str()).collect();
            while !missing.is_empty() {
                let (text, at) = pushed.hear().await?;
                missing.remove(text.as_str());
                ears.note(text, at);
            }
            // Who has heard all stays until the others have, and takes their silence for nobody's failure.
            std::future::pending().await
        }
    }
}
