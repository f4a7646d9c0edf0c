//! The HTTP client of the baseline.

use std::error::Error;
use std::fmt::Display;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use harness::verdict::{CheckError, CheckResult};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONNECTION};
use hyper::{Method, Request, Response};
use hyper_util::client::legacy::{Client, ResponseFuture, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use crate::Batch;

/// A client of the baseline: publishes, polls, or reads the event stream.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    reconnect: bool,
}

impl Http {
    /// Makes a client of the baseline at `address` (`host:port`). With `reconnect` it opens a new
    /// connection for each request; otherwise it keeps connections alive.
    pub fn new(address: impl Display, reconnect: bool) -> Self {
        let mut connector = HttpConnector::new();
        // Nagle's algorithm would delay small requests. The server and push disable it, too.
        connector.set_nodelay(true);
        let mut builder = Client::builder(TokioExecutor::new());
        if reconnect {
            builder.pool_max_idle_per_host(0);
        }
        Http { client: builder.build(connector), base: format!("http://{address}"), reconnect }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> CheckResult<Response<Incoming>> {
        // curl and browsers send this header, too. Requests must not be cheaper here than in
        // practice.
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(ACCEPT, "*/*");
        if self.reconnect {
            request = request.header(CONNECTION, "close");
        }
        let response =
            self.request(request.body(Full::from(body)).map_err(error)?).await.map_err(error)?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(inconclusive(response.status()))
        }
    }

    /// Sends a request. This is no `async fn`, so that hyper's futures are compiled in this crate.
    /// The future of an `async fn` is compiled in the crate that awaits it, at each rebuild.
    fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        self.client.request(request)
    }

    /// Publishes a message.
    pub async fn publish(&self, text: &str) -> CheckResult {
        self.send(Method::POST, "/messages", text.to_string()).await.map(drop)
    }

    /// Polls once for the messages after the first `since`. With `wait` it is a long poll.
    pub async fn poll(&self, since: usize, wait: Option<Duration>) -> CheckResult<Batch> {
        let mut path = format!("/messages?since={since}");
        if let Some(wait) = wait {
            // Always five digits: the request's size must not depend on the time.
            path = format!("{path}&wait={:05}", wait.as_millis());
        }
        let response = self.send(Method::GET, &path, String::new()).await?;
        let body = response.into_body().collect().await.map_err(error)?;
        serde_json::from_slice(&body.to_bytes()).map_err(error)
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
        let response = self.send(Method::GET, &format!("/events{query}"), String::new()).await?;
        Ok(Events { body: response.into_body(), buffer: Vec::new(), arrived: Instant::now() })
    }

    /// Deletes all messages.
    pub async fn clear(&self) -> CheckResult {
        self.send(Method::DELETE, "/messages", String::new()).await.map(drop)
    }
}

/// A stream of server-sent events.
pub struct Events {
    body: Incoming,
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
            match self.body.frame().await.transpose().map_err(error)? {
                Some(frame) => self.buffer.extend(frame.into_data().unwrap_or_default()),
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

fn error(error: impl Error) -> CheckError {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    inconclusive(words)
}

fn inconclusive(words: impl Display) -> CheckError {
    CheckError::Inconclusive(format!("the HTTP baseline fails: {words}"))
}
