//! Polling beside push. Each text message of a client is also published to the HTTP baseline, and a
//! poller asks for it at an interval. The costs of one WebSocket client and of one poller are
//! counted.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast::error::RecvError, watch};

use crate::event_log::{EventLog, FrameEvent};
use baseline::client::Http;
use baseline::server::serve;
use baseline::transports::clock::Clock;
use baseline::transports::proxy::{Direction, Distance, Endpoint, Proxy};
use harness::client::PREFIX;
use harness::sync::lock;

/// Messages that may be unanswered before the oldest are no longer timed.
const MOST_UNANSWERED: usize = 1_000;

/// The opcode of a pong (RFC 6455, section 5.5.3).
const PONG: u8 = 0xa;

/// The costs and the latencies of one listener.
struct Column {
    messages: u64,
    requests: u64,
    bytes: u64,
    micros: Histogram<u64>,
}

impl Default for Column {
    fn default() -> Self {
        let micros = Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds are ordered");
        Column { messages: 0, requests: 0, bytes: 0, micros }
    }
}

impl Column {
    fn to_json(&self) -> Value {
        let median =
            (!self.micros.is_empty()).then(|| self.micros.value_at_quantile(0.5) as f64 / 1000.0);
        json!({
            "messages": self.messages,
            "requests": self.requests,
            "bytes": self.bytes,
            "median_ms": median,
        })
    }

    fn record(&mut self, sent: Option<Instant>) {
        self.messages += 1;
        if let Some(sent) = sent {
            let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.micros.saturating_record(micros.max(1));
        }
    }
}

#[derive(Default)]
struct Counts {
    push: Column,
    polling: Column,
    listener: Option<usize>,
    /// When each message was sent, until push has delivered it.
    pushed: HashMap<String, Instant>,
    /// When each message was sent, until the poller has received it.
    published: HashMap<String, Instant>,
}

/// Returns when the longest of these messages was sent that is a part of this text.
fn longest_part(pushed: &HashMap<String, Instant>, text: &str) -> Option<Instant> {
    let parts = pushed.iter().filter(|(message, _)| text.contains(*message));
    parts.max_by_key(|(message, _)| message.len()).map(|(_, sent)| *sent)
}

/// Compares one WebSocket client with one poller.
pub struct PollingComparison {
    interval: watch::Sender<Option<Duration>>,
    counts: Mutex<Counts>,
}

impl PollingComparison {
    /// Makes a comparison that does not poll yet.
    pub fn new() -> Arc<Self> {
        Arc::new(PollingComparison { interval: watch::Sender::new(None), counts: Mutex::default() })
    }

    /// Sets the polling interval, `None` for no polling, and counts from 0.
    pub fn poll_every(&self, interval: Option<Duration>) {
        *lock(&self.counts) = Counts::default();
        self.interval.send_replace(interval);
    }

    /// Returns both columns for the page.
    pub fn to_json(&self) -> Value {
        let interval = self.interval.borrow().map(|interval| interval.as_millis() as u64);
        let counts = lock(&self.counts);
        json!({
            "type": "polling",
            "interval": interval,
            "listener": counts.listener,
            "push": counts.push.to_json(),
            "polling": counts.polling.to_json(),
        })
    }

    /// Publishes and polls until the future is dropped. Fails if the baseline cannot listen.
    pub async fn run(&self, log: &EventLog) -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let baseline = Endpoint(vec![listener.local_addr()?]);
        let distance = Distance { rtt: Duration::ZERO, clock: Clock::start()? };
        let proxy = Proxy::to(baseline.clone(), distance).await?;
        let publisher = Http::new(baseline.0[0], false);
        let poller = Http::new(proxy.address, false);
        tokio::select! {
            ended = serve(listener) => ended,
            () = self.publish(log, &publisher) => Ok(()),
            () = self.poll(&poller, &proxy) => Ok(()),
        }
    }

    async fn publish(&self, log: &EventLog, publisher: &Http) {
        let mut frames = log.follow();
        loop {
            let frame = match frames.recv().await {
                Ok(frame) => frame,
                // Frames that were missed under load are neither published nor counted.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            if self.interval.borrow().is_none() {
                continue;
            }
            if let Some(text) = self.count(frame) {
                // A message that the baseline refuses shows as one that the poller never received.
                let _ = publisher.publish(&text).await;
            }
        }
    }

    /// Counts a frame. Returns the text to publish, if the frame is a client's message.
    fn count(&self, frame: FrameEvent) -> Option<String> {
        let mut counts = lock(&self.counts);
        if frame.direction == Direction::Down {
            let listener = *counts.listener.get_or_insert(frame.client);
            if listener == frame.client {
                counts.push.bytes += frame.bytes;
                if let Some(text) = &frame.text {
                    let sent = match text.strip_prefix(PREFIX) {
                        Some(message) => Some(counts.pushed.get(message).copied()),
                        // A foreign server may put a message into a text of its own.
                        None => longest_part(&counts.pushed, text).map(Some),
                    };
                    if let Some(sent) = sent {
                        counts.push.record(sent);
                    }
                }
            }
            return None;
        }
        let Some(text) = frame.text else {
            // A listener has to send pongs. Its own messages do not count as listening.
            if frame.opcode == PONG && counts.listener == Some(frame.client) {
                counts.push.bytes += frame.bytes;
            }
            return None;
        };
        if counts.pushed.len() >= MOST_UNANSWERED {
            counts.pushed.clear();
            counts.published.clear();
        }
        counts.pushed.insert(text.clone(), frame.at);
        counts.published.insert(text.clone(), frame.at);
        Some(text)
    }

    async fn poll(&self, poller: &Http, proxy: &Proxy) {
        let mut interval = self.interval.subscribe();
        loop {
            let Ok(every) = interval.wait_for(Option::is_some).await.map(|every| *every) else {
                return;
            };
            let Some(every) = every else { continue };
            interval.mark_unchanged();
            // Skips the messages of an earlier comparison.
            let Ok(mut since) = poller.poll(0, None).await.map(|batch| batch.next) else {
                continue;
            };
            let before = proxy.bytes();
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut requests = 0;
            loop {
                tokio::select! {
                    _ = interval.changed() => break,
                    _ = ticks.tick() => {}
                }
                let Ok(batch) = poller.poll(since, None).await else { break };
                since = batch.next;
                requests += 1;
                let bytes = proxy.bytes() - before;
                let mut counts = lock(&self.counts);
                counts.polling.requests = requests;
                counts.polling.bytes = bytes.up + bytes.down;
                for message in batch.messages {
                    let sent = counts.published.remove(&message);
                    counts.polling.record(sent);
                }
            }
            interval.mark_changed();
        }
    }
}
