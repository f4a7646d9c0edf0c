//! What it costs, counted in logical time.
//!
//! The events and polls of a plan are carried out against the real servers in the order of their moments, each when
//! the one before is done, and the bytes are counted on the line. So what is counted follows from the seed alone: in
//! real time a message that comes with a poll would be in its answer one time and in the next another time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;
use tokio::task::JoinHandle;

use baseline::Batch;
use baseline::client::Http;
use baseline::transports::client::{
    Proxies, Publisher, Subscriber, TransportClient, WAIT, name_contestant,
};
use baseline::transports::plan::Plan;
use baseline::transports::proxy::Bytes;
use harness::client::{RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cost {
    /// How many listened.
    pub subscribers: usize,
    /// Messages published.
    pub published: usize,
    /// Messages delivered, over all subscribers.
    pub delivered: usize,
    /// Requests of the subscribers, after they had joined.
    pub requests: usize,
    /// Bytes on the subscribers' line, after they had joined.
    pub listening: Bytes,
    /// Bytes on the publisher's line.
    pub publishing: Bytes,
    /// Bytes on the subscribers' line for joining: what a connection takes before the first message.
    pub joining: Bytes,
    /// Processor time of the server in milliseconds, where the system tells. This one is measured, not counted.
    pub cpu_ms: Option<f64>,
}

impl Cost {
    /// So much for each message delivered.
    pub fn each(&self, total: u64) -> f64 {
        total as f64 / self.delivered.max(1) as f64
    }

    /// Bytes of the subscribers, both ways, for each message delivered.
    pub fn bytes_each(&self) -> f64 {
        self.each(self.listening.up + self.listening.down)
    }

    /// Milliseconds of the server's processor time for each thousand messages delivered.
    pub fn cpu_ms_per_1000(&self) -> Option<f64> {
        self.cpu_ms.map(|millis| millis * 1_000.0 / self.delivered.max(1) as f64)
    }
}

/// Carries the plan out and counts. `request` is what a request takes there and back, in logical time; the lines themselves
/// must be short.
///
/// # Errors
/// When a server goes away, or a message doesn't arrive.
pub async fn count(
    mut lane: TransportClient,
    lines: &Proxies,
    plan: &Plan,
    request: Duration,
) -> CheckResult<Cost> {
    let whose = name_contestant(lane.contestant);
    let joining = lines.listening.bytes();
    let publishing = lines.publishing.bytes();
    let subscribers = lane.subscribers.len();
    let published = plan.events.len();
    let asks =
        matches!(lane.subscribers.first(), Some(Subscriber::Short(..) | Subscriber::Long(..)));
    let carrying_out = async {
        if !asks {
            for event in &plan.events {
                pushed(&mut lane, &event.text).await?;
            }
            return Ok(Asked { delivered: published * subscribers, requests: 0 });
        }
        asked(&mut lane, plan, request).await
    };
    let Asked { delivered, requests } = carrying_out.await.map_err(whose)?;
    if let Publisher::Socket(socket) = &lane.publisher {
        lines.publishing.wait_for_upload(socket.written).await;
    }
    Ok(Cost {
        subscribers,
        published,
        delivered,
        requests,
        listening: lines.listening.bytes() - joining,
        publishing: lines.publishing.bytes() - publishing,
        joining,
        cpu_ms: None,
    })
}

/// Says one thing and waits until all have heard it, the publisher too.
async fn pushed(lane: &mut TransportClient, text: &str) -> CheckResult {
    lane.publisher.send(text).await?;
    let everyone = async {
        try_join_all(lane.subscribers.iter_mut().map(async |subscriber| {
            while subscriber.receive().await?.0 != text {}
            Ok::<_, CheckError>(())
        }))
        .await?;
        if !matches!(lane.publisher, Publisher::Http(_)) {
            while lane.publisher.receive().await? != text {}
        }
        Ok(())
    };
    match timeout_on_busy_host(RESPONSE_TIMEOUT, everyone).await {
        Some(heard) => heard,
        None => {
            let subscribers = lane.subscribers.len();
            let seconds = RESPONSE_TIMEOUT.as_secs();
            let summary = format!(
                "with {subscribers} subscribers, not all heard {text:?} within {seconds} s"
            );
            Err(Failure::new(FailureKind::Silence, summary).into())
        }
    }
}

struct Asked {
    delivered: usize,
    requests: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// This event is published.
    Publish(usize),
    /// An answer is back: this subscriber knows so many messages.
    Learn(usize, usize),
    /// This subscriber asks.
    Ask(usize),
}

/// One who asks.
struct Asker {
    http: Http,
    since: usize,
    period: Option<Duration>,
    /// A long poll that waits for something to happen.
    waiting: Option<JoinHandle<CheckResult<Batch>>>,
    got: usize,
}

async fn asked(lane: &mut TransportClient, plan: &Plan, request: Duration) -> CheckResult<Asked> {
    let mut steps = BinaryHeap::new();
    let mut askers = Vec::new();
    for (number, subscriber) in lane.subscribers.iter().enumerate() {
        let (http, period, since) = match subscriber {
            Subscriber::Short(http, period, since) => (http, Some(*period), *since),
            Subscriber::Long(http, since) => (http, None, *since),
            _ => continue,
        };
        match period {
            Some(period) => {
                // As many periods as the plan has, so that the rate is right; the last one finds the last event.
                let periods = plan.window.as_nanos().div_ceil(period.as_nanos()) as u32;
                let phase = plan.phase(period, number);
                steps.extend(
                    (1..=periods).map(|count| Reverse((phase + period * count, Step::Ask(number)))),
                );
            }
            None => steps.push(Reverse((Duration::ZERO, Step::Ask(number)))),
        }
        askers.push(Asker { http: http.clone(), since, period, waiting: None, got: since });
    }
    steps.extend(
        plan.events
            .iter()
            .enumerate()
            .map(|(number, event)| Reverse((event.at, Step::Publish(number)))),
    );
    let (mut published, mut requests, mut delivered) = (0, 0, 0);
    let all = plan.events.len();
    while let Some(Reverse((now, step))) = steps.pop() {
        match step {
            Step::Publish(number) => {
                lane.publisher.send(&plan.events[number].text).await?;
                published += 1;
                for (number, asker) in askers.iter_mut().enumerate() {
                    let Some(waiting) = asker.waiting.take() else { continue };
                    let answered = waiting.await;
                    let batch =
                        answered.map_err(|error| CheckError::Inconclusive(error.to_string()))??;
                    delivered += asker.took(&batch);
                    steps.push(Reverse((now + request, Step::Learn(number, batch.next))));
                }
            }
            Step::Learn(number, next) => {
                let asker = &mut askers[number];
                asker.since = asker.since.max(next);
                if asker.period.is_none() && asker.since < all {
                    steps.push(Reverse((now, Step::Ask(number))));
                }
            }
            Step::Ask(number) => {
                let asker = &mut askers[number];
                requests += 1;
                if asker.period.is_none() && asker.since >= published {
                    let (http, since) = (asker.http.clone(), asker.since);
                    asker.waiting = Some(tokio::spawn(async move { http.poll(since, WAIT).await }));
                    continue;
                }
                let batch = asker
                    .http
                    .poll(asker.since, asker.period.is_none().then_some(WAIT).flatten())
                    .await?;
                delivered += asker.took(&batch);
                steps.push(Reverse((now + request, Step::Learn(number, batch.next))));
            }
        }
    }
    Ok(Asked { delivered, requests })
}

impl Asker {
    /// How many of these are new to it: who asks again before the answer is back gets some twice.
    fn took(&mut self, batch: &Batch) -> usize {
        let new = batch.next.saturating_sub(self.got);
        self.got = self.got.max(batch.next);
        new
    }
}
