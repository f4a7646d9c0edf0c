//! Counts the cost of each contestant in logical time.
//!
//! The events and polls of a plan are sent to the real servers one after another, in the order of
//! their times, and a proxy counts the bytes. So the counts follow from the seed alone. In real
//! time it would be chance with which of two polls a message is delivered.

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

/// The cost of a contestant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Cost {
    /// The number of subscribers.
    pub subscribers: usize,
    /// Messages published.
    pub published: usize,
    /// Messages delivered, over all subscribers.
    pub delivered: usize,
    /// Requests of the subscribers, after they had joined.
    pub requests: usize,
    /// Bytes through the subscribers' proxy, after they had joined.
    pub listening: Bytes,
    /// Bytes through the publisher's proxy.
    pub publishing: Bytes,
    /// Bytes through the subscribers' proxy before the first message.
    pub joining: Bytes,
    /// CPU time of the server in milliseconds, where it is known. It is measured, not counted.
    pub cpu_ms: Option<f64>,
}

impl Cost {
    /// Returns the share of this total of each message delivered.
    pub fn each(&self, total: u64) -> f64 {
        total as f64 / self.delivered.max(1) as f64
    }

    /// Returns the bytes of the subscribers, both ways, for each message delivered.
    pub fn bytes_each(&self) -> f64 {
        self.each(self.listening.up + self.listening.down)
    }

    /// Returns the milliseconds of the server's CPU time for each thousand messages delivered.
    pub fn cpu_ms_per_1000(&self) -> Option<f64> {
        self.cpu_ms.map(|millis| millis * 1_000.0 / self.delivered.max(1) as f64)
    }
}

/// Runs the plan and counts. `request` is the logical time of a request and its response. The
/// proxies must not add a distance.
pub async fn count(
    mut client: TransportClient,
    proxies: &Proxies,
    plan: &Plan,
    request: Duration,
) -> CheckResult<Cost> {
    let with_name = name_contestant(client.contestant);
    let joining = proxies.listening.bytes();
    let publishing = proxies.publishing.bytes();
    let subscribers = client.subscribers.len();
    let published = plan.events.len();
    let polls =
        matches!(client.subscribers.first(), Some(Subscriber::Short(..) | Subscriber::Long(..)));
    let running = async {
        if !polls {
            for event in &plan.events {
                push(&mut client, &event.text).await?;
            }
            return Ok(Delivered { delivered: published * subscribers, requests: 0 });
        }
        poll_all(&mut client, plan, request).await
    };
    let Delivered { delivered, requests } = running.await.map_err(with_name)?;
    if let Publisher::Socket(socket) = &client.publisher {
        proxies.publishing.wait_for_upload(socket.written).await;
    }
    Ok(Cost {
        subscribers,
        published,
        delivered,
        requests,
        listening: proxies.listening.bytes() - joining,
        publishing: proxies.publishing.bytes() - publishing,
        joining,
        cpu_ms: None,
    })
}

/// Publishes a message and waits until all have received it, the publisher too.
async fn push(client: &mut TransportClient, text: &str) -> CheckResult {
    client.publisher.send(text).await?;
    let everyone = async {
        try_join_all(client.subscribers.iter_mut().map(async |subscriber| {
            while subscriber.receive().await?.0 != text {}
            Ok::<_, CheckError>(())
        }))
        .await?;
        if !matches!(client.publisher, Publisher::Http(_)) {
            while client.publisher.receive().await? != text {}
        }
        Ok(())
    };
    match timeout_on_busy_host(RESPONSE_TIMEOUT, everyone).await {
        Some(received) => received,
        None => {
            let subscribers = client.subscribers.len();
            let seconds = RESPONSE_TIMEOUT.as_secs();
            let summary = format!(
                "with {subscribers} subscribers, not all received {text:?} within {seconds} s"
            );
            Err(Failure::new(FailureKind::Silence, summary).into())
        }
    }
}

struct Delivered {
    delivered: usize,
    requests: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Publishes this event.
    Publish(usize),
    /// A response arrives: this subscriber has received this many messages.
    Learn(usize, usize),
    /// This subscriber polls.
    Poll(usize),
}

/// A polling subscriber.
struct Poller {
    http: Http,
    since: usize,
    period: Option<Duration>,
    /// A long poll that is not answered yet.
    waiting: Option<JoinHandle<CheckResult<Batch>>>,
    got: usize,
}

async fn poll_all(
    client: &mut TransportClient,
    plan: &Plan,
    request: Duration,
) -> CheckResult<Delivered> {
    let mut steps = BinaryHeap::new();
    let mut pollers = Vec::new();
    for (number, subscriber) in client.subscribers.iter().enumerate() {
        let (http, period, since) = match subscriber {
            Subscriber::Short(http, period, since) => (http, Some(*period), *since),
            Subscriber::Long(http, since) => (http, None, *since),
            _ => continue,
        };
        match period {
            Some(period) => {
                // One poll a period, so that the rate is right. The last poll finds the last
                // event.
                let periods = plan.window.as_nanos().div_ceil(period.as_nanos()) as u32;
                let phase = plan.phase(period, number);
                steps.extend(
                    (1..=periods)
                        .map(|count| Reverse((phase + period * count, Step::Poll(number)))),
                );
            }
            None => steps.push(Reverse((Duration::ZERO, Step::Poll(number)))),
        }
        pollers.push(Poller { http: http.clone(), since, period, waiting: None, got: since });
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
                client.publisher.send(&plan.events[number].text).await?;
                published += 1;
                for (number, poller) in pollers.iter_mut().enumerate() {
                    let Some(waiting) = poller.waiting.take() else { continue };
                    let answered = waiting.await;
                    let batch =
                        answered.map_err(|error| CheckError::Inconclusive(error.to_string()))??;
                    delivered += poller.take(&batch);
                    steps.push(Reverse((now + request, Step::Learn(number, batch.next))));
                }
            }
            Step::Learn(number, next) => {
                let poller = &mut pollers[number];
                poller.since = poller.since.max(next);
                if poller.period.is_none() && poller.since < all {
                    steps.push(Reverse((now, Step::Poll(number))));
                }
            }
            Step::Poll(number) => {
                let poller = &mut pollers[number];
                requests += 1;
                if poller.period.is_none() && poller.since >= published {
                    let (http, since) = (poller.http.clone(), poller.since);
                    poller.waiting =
                        Some(tokio::spawn(async move { http.poll(since, WAIT).await }));
                    continue;
                }
                let batch = poller
                    .http
                    .poll(poller.since, poller.period.is_none().then_some(WAIT).flatten())
                    .await?;
                delivered += poller.take(&batch);
                steps.push(Reverse((now + request, Step::Learn(number, batch.next))));
            }
        }
    }
    Ok(Delivered { delivered, requests })
}

impl Poller {
    /// Returns how many of these are new. A poll that is sent before the last response is back
    /// returns some messages twice.
    fn take(&mut self, batch: &Batch) -> usize {
        let new = batch.next.saturating_sub(self.got);
        self.got = self.got.max(batch.next);
        new
    }
}
