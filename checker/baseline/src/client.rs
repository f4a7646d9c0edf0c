//! The HTTP client of the baseline.

use std::error::Error;
use std::fmt::Display;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use harness::verdict::{CheckError, CheckResult};
use reqwest::header::{CONNECTION, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};

use crate::Batch;

/// A client of the baseline: publishes, polls, or reads the event stream.
#[derive(Clone)]
pub struct Http {
    client: Client,
    base: String,
    reconnect: bool,
}

impl Http {
    /// Makes a client of the baseline at `address` (`host:port`). With `reconnect` it opens a new
    /// connection for each request; otherwise it keeps connections alive.
    pub fn new(address: impl Display, reconnect: bool) -> Self {
        let mut builder = Client::builder().no_proxy();
        if reconnect {
            let close = HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))]);
            builder = builder.pool_max_idle_per_host(0).default_headers(close);
        }
        let client =
            builder.build().expect("a client without TLS needs nothing that can be missing");
        Http { client, base: format!("http://{address}"), reconnect }
    }

    /// Publishes a message.
    pub async fn publish(&self, text: &str) -> CheckResult {
        let request = self.client.post(format!("{}/messages", self.base));
        send(request.body(text.to_string())).await.map(drop)
    }

    /// Polls once for the messages after the first `since`. With `wait` it is a long poll.
    pub async fn poll(&self, since: usize, wait: Option<Duration>) -> CheckResult<Batch> {
        let mut url = format!("{}/messages?since={since}", self.base);
        if let Some(wait) = wait {
            // Always five digits: the request's size must not depend on the time.
            url = format!("{url}&wait={:05}", wait.as_millis());
        }
        send(self.client.get(url)).await?.json().await.map_err(inconclusive)
    }

    /// Opens this many connections in advance, unless each request opens its own. A frequent poller
    /// with a long round trip has several requests in flight, each on its own connection.
    pub(crate) async fn warm_up(&self, connections: usize) -> CheckResult {
        if !self.reconnect {
            try_join_all((0..connections).map(|_| self.poll(0, None))).await?;
        }
        Ok(())
    }

    /// Opens the event stream, from now on. `keep_alive` is the interval of its comments, `None`
    /// for the baseline's default.
    pub async fn events(&self, keep_alive: Option<Duration>) -> CheckResult<Events> {
        let query = keep_alive
            .map(|every| format!("?keep_alive={}", every.as_millis()))
            .unwrap_or_default();
        let response = send(self.client.get(format!("{}/events{query}", self.base))).await?;
        Ok(Events { response, buffer: Vec::new(), arrived: Instant::now() })
    }

    /// Deletes all messages.
    pub async fn clear(&self) -> CheckResult {
        send(self.client.delete(format!("{}/messages", self.base))).await.map(drop)
    }
}

/// Sends a request. Fails if the response has the status of an error.
async fn send(request: RequestBuilder) -> CheckResult<Response> {
    request.send().await.and_then(Response::error_for_status).map_err(inconclusive)
}

/// A stream of server-sent events.
pub struct Events {
    response: Response,
    buffer: Vec<u8>,
    arrived: Instant,
}

/// A block of an event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEvent {
    /// A message.
    Message(String),
    /// A comment, sent to keep the connection alive.
    Comment,
}

impl Events {
    /// Waits for the next event or comment. Returns it with the time of its arrival.
    pub async fn next(&mut self) -> CheckResult<(StreamEvent, Instant)> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok((parse(&String::from_utf8_lossy(&block)), self.arrived));
            }
            match self.response.chunk().await.map_err(inconclusive)? {
                Some(bytes) => self.buffer.extend(bytes),
                None => {
                    return Err(CheckError::Inconclusive(
                        "the HTTP baseline ended its stream of events".to_string(),
                    ));
                }
            }
            self.arrived = Instant::now();
        }
    }
}

/// Parses one block of the stream, up to its blank line (WHATWG HTML standard, section 9.2).
fn parse(block: &str) -> StreamEvent {
    let data: Vec<&str> = block
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| data.strip_prefix(' ').unwrap_or(data))
        .collect();
    if data.is_empty() { StreamEvent::Comment } else { StreamEvent::Message(data.join("\n")) }
}

fn inconclusive(error: reqwest::Error) -> CheckError {
    let mut reason = format!("the HTTP baseline fails: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    CheckError::Inconclusive(reason)
}
