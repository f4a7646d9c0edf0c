//! The clients of the baseline.

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

/// Somebody who talks to the baseline: publishes, polls or listens.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    reconnect: bool,
}

impl Http {
    /// A client of the baseline at `address` (`host:port`); it keeps its connection, or opens a new one for each
    /// request if it is to `reconnect`.
    pub fn new(address: impl Display, reconnect: bool) -> Self {
        let mut connector = HttpConnector::new();
        // As the baseline's own answers, and push: a small request is sent at once.
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
        // What curl and browsers say, too: a request is not to cost less here than it does elsewhere.
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(ACCEPT, "*/*");
        if self.reconnect {
            request = request.header(CONNECTION, "close");
        }
        let response =
            self.request(request.body(Full::from(body)).map_err(error)?).await.map_err(error)?;
        if response.status().is_success() { Ok(response) } else { Err(failed(response.status())) }
    }

    /// The future of an `async fn` is compiled by whoever awaits it, with everything in it. What hyper is made of is
    /// compiled here, where nobody waits for it.
    fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        self.client.request(request)
    }

    /// Publishes a message.
    ///
    /// # Errors
    /// When the baseline doesn't take it.
    pub async fn publish(&self, text: &str) -> CheckResult {
        self.send(Method::POST, "/messages", text.to_string()).await.map(drop)
    }

    /// Asks once for what came after the first `since` messages: at once, or waiting for something to come.
    ///
    /// # Errors
    /// When the baseline doesn't answer.
    pub async fn poll(&self, since: usize, wait: Option<Duration>) -> CheckResult<Batch> {
        let mut path = format!("/messages?since={since}");
        if let Some(wait) = wait {
            // Always five digits, so that what it costs does not depend on how long it is.
            path = format!("{path}&wait={:05}", wait.as_millis());
        }
        let response = self.send(Method::GET, &path, String::new()).await?;
        let body = response.into_body().collect().await.map_err(error)?;
        serde_json::from_slice(&body.to_bytes()).map_err(error)
    }

    /// Opens so many connections, if it is to keep them: who asks often over a long line has several requests under
    /// way, and has had time to get there.
    ///
    /// # Errors
    /// When the baseline doesn't answer.
    pub async fn warm_up(&self, connections: usize) -> CheckResult {
        if !self.reconnect {
            try_join_all((0..connections).map(|_| self.poll(0, None))).await?;
        }
        Ok(())
    }

    /// Listens to events from now on, with a sign of life so often, or as often as the baseline likes.
    ///
    /// # Errors
    /// When the baseline doesn't answer.
    pub async fn events(&self, keep_alive: Option<Duration>) -> CheckResult<Events> {
        let query = keep_alive
            .map(|every| format!("?keep_alive={}", every.as_millis()))
            .unwrap_or_default();
        let response = self.send(Method::GET, &format!("/events{query}"), String::new()).await?;
        Ok(Events { body: response.into_body(), buffer: Vec::new(), arrived: Instant::now() })
    }

    /// Makes the baseline forget all messages.
    ///
    /// # Errors
    /// When it doesn't.
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

/// What came on a stream of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEvent {
    /// A message.
    Message(String),
    /// A comment: a sign of life.
    Comment,
}

impl Events {
    /// The next event or comment, and when it was there.
    ///
    /// # Errors
    /// When the stream ends.
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

/// One block of the stream, up to its blank line (the WHATWG's HTML standard, section 9.2).
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
    failed(words)
}

fn failed(words: impl Display) -> CheckError {
    CheckError::Inconclusive(format!("the HTTP baseline fails: {words}"))
}
