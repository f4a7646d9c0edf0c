//! Polling beside the push: each text message that a client sends is published to the HTTP baseline as well, and one
//! poller asks for it at an interval. Told is what one listener costs: the poller here, one WebSocket client there.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast::error::RecvError, watch};

use crate::journal::{Journal, Said, Way};
use baseline::client::Http;
use baseline::server::serve;
use baseline::transports::clock::Clock;
use baseline::transports::proxy::{Distance, Endpoint, Proxy};
use harness::client::PREFIX;

/// So many messages may be under way, unanswered, before the oldest are no longer timed.
const UNDER_WAY: usize = 1_000;

/// The opcode of a pong (RFC 6455, section 5.5.3).
const PONG: u8 = 0xa;

/// What one listener has cost, and how long it waited.
struct Column {
    messages: u64,
    requests: u64,
    bytes: u64,
    micros: Histogram<u64>,
}

impl Default for Column {
    fn default() -> Self {
        let micros = Histogram::new_with_bounds(1, 600_000_000, 3).expect("bounds that make sense");
        Column { messages: 0, requests: 0, bytes: 0, micros }
    }
}

impl Column {
    fn told(&self) -> Value {
        let median =
            (!self.micros.is_empty()).then(|| self.micros.value_at_quantile(0.5) as f64 / 1000.0);
        json!({ "messages": self.messages, "requests": self.requests, "bytes": self.bytes, "median_ms": median })
    }

    fn heard(&mut self, since: Option<Instant>) {
        self.messages += 1;
        if let Some(since) = since {
            let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.micros.saturating_record(micros.max(1));
        }
    }
}

#[derive(Default)]
struct Counted {
    push: Column,
    polling: Column,
    listener: Option<usize>,
    /// When each message was sent, for those who wait for it.
    pushed: HashMap<String, Instant>,
    published: HashMap<String, Instant>,
}

/// The race of one listener against one poller.
pub struct Beside {
    interval: watch::Sender<Option<Duration>>,
    counted: Mutex<Counted>,
}

impl Beside {
    /// Nobody polls yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Beside { interval: watch::Sender::new(None), counted: Mutex::default() })
    }

    /// Polls so often from now on, or not at all, and counts from 0.
    pub fn poll_every(&self, interval: Option<Duration>) {
        *self.counted.lock().expect("no panic holds it") = Counted::default();
        self.interval.send_replace(interval);
    }

    /// The two columns.
    pub fn told(&self) -> Value {
        let interval = self.interval.borrow().map(|interval| interval.as_millis() as u64);
        let counted = self.counted.lock().expect("no panic holds it");
        json!({
            "type": "polling",
            "interval": interval,
            "listener": counted.listener,
            "push": counted.push.told(),
            "polling": counted.polling.told(),
        })
    }

    /// Publishes and polls until this is dropped.
    ///
    /// # Errors
    /// When the baseline can't be served.
    pub async fn run(&self, journal: &Journal) -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let baseline = Endpoint(vec![listener.local_addr()?]);
        let distance = Distance { rtt: Duration::ZERO, clock: Clock::start()? };
        let line = Proxy::to(baseline.clone(), distance).await?;
        let (publisher, poller) = (Http::new(baseline.0[0], false), Http::new(line.address, false));
        tokio::select! {
            ended = serve(listener) => ended,
            () = self.publish(journal, &publisher) => Ok(()),
            () = self.poll(&poller, &line) => Ok(()),
        }
    }

    async fn publish(&self, journal: &Journal, publisher: &Http) {
        let mut said = journal.follow();
        loop {
            let said = match said.recv().await {
                Ok(said) => said,
                // Too much at once to keep up with: what was missed is neither published nor counted.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            if self.interval.borrow().is_none() {
                continue;
            }
            if let Some(text) = self.count(said) {
                // What the baseline refuses is a message that the poller never hears, and shows as one.
                let _ = publisher.publish(&text).await;
            }
        }
    }

    /// Counts a frame; hands over what is to be published.
    fn count(&self, said: Said) -> Option<String> {
        let mut counted = self.counted.lock().expect("no panic holds it");
        if said.way == Way::Down {
            let listener = *counted.listener.get_or_insert(said.client);
            if listener == said.client {
                counted.push.bytes += said.bytes;
                if let Some(text) = said.text.as_deref().and_then(|text| text.strip_prefix(PREFIX))
                {
                    let since = counted.pushed.get(text).copied();
                    counted.push.heard(since);
                }
            }
            return None;
        }
        let Some(text) = said.text else {
            // Pongs are part of what listening costs; what it says itself is not.
            if said.opcode == PONG && counted.listener == Some(said.client) {
                counted.push.bytes += said.bytes;
            }
            return None;
        };
        if counted.pushed.len() >= UNDER_WAY {
            counted.pushed.clear();
            counted.published.clear();
        }
        counted.pushed.insert(text.clone(), said.at);
        counted.published.insert(text.clone(), said.at);
        Some(text)
    }

    async fn poll(&self, poller: &Http, line: &Proxy) {
        let mut interval = self.interval.subscribe();
        loop {
            let Ok(every) = interval.wait_for(Option::is_some).await.map(|every| *every) else {
                return;
            };
            let Some(every) = every else { continue };
            interval.mark_unchanged();
            // From where the baseline stands now.
            let Ok(mut since) = poller.poll(0, None).await.map(|batch| batch.next) else {
                continue;
            };
            let before = line.bytes();
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
                let bytes = line.bytes() - before;
                let mut counted = self.counted.lock().expect("no panic holds it");
                counted.polling.requests = requests;
                counted.polling.bytes = bytes.up + bytes.down;
                for message in batch.messages {
                    let since = counted.published.remove(&message);
                    counted.polling.heard(since);
                }
            }
            interval.mark_changed();
        }
    }
}
