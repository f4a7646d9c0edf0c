//! The clients of the baseline.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use reqwest::{Client, Response, header};

use super::Batch;
use crate::verdict::{Checked, Trouble};

/// Somebody who talks to the baseline: publishes, polls or listens.
#[derive(Clone)]
pub struct Http {
    client: Client,
    base: String,
    reconnect: bool,
}

impl Http {
    /// A client of the baseline at `address` (`host:port`); it keeps its connection, or opens a new one for each
    /// request if it is to `reconnect`.
    ///
    /// # Errors
    /// When this machine doesn't let it be made.
    pub fn new(address: impl std::fmt::Display, reconnect: bool) -> Checked<Self> {
        // The baseline is on this machine, whatever proxy stands between it and the world.
        let mut builder = Client::builder().no_proxy();
        if reconnect {
            builder = builder.pool_max_idle_per_host(0);
        }
        let client = builder.build().map_err(trouble)?;
        Ok(Http { client, base: format!("http://{address}"), reconnect })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Checked<Response> {
        let request = if self.reconnect { request.header(header::CONNECTION, "close") } else { request };
        request.send().await.and_then(Response::error_for_status).map_err(trouble)
    }

    /// Publishes a message.
    ///
    /// # Errors
    /// When the baseline doesn't take it.
    pub async fn publish(&self, text: &str) -> Checked {
        let request = self.client.post(format!("{}/messages", self.base)).body(text.to_string());
        self.send(request).await.map(drop)
    }

    /// Asks once for what came after the first `since` messages: at once, or waiting for something to come.
    ///
    /// # Errors
    /// When the baseline doesn't answer.
    pub async fn poll(&self, since: usize, wait: Option<Duration>) -> Checked<Batch> {
        let mut url = format!("{}/messages?since={since}", self.base);
        if let Some(wait) = wait {
            // Always five digits, so that what it costs does not depend on how long it is.
            url = format!("{url}&wait={:05}", wait.as_millis());
        }
        self.send(self.client.get(url)).await?.json().await.map_err(trouble)
    }

    /// Opens so many connections, if it is to keep them: who asks often over a long line has several requests under
    /// way, and has had time to get there.
    ///
    /// # Errors
    /// When the baseline doesn't answer.
    pub async fn warm_up(&self, connections: usize) -> Checked {
        if !self.reconnect {
            try_join_all((0..connections).map(|_| self.poll(0, None))).await?;
        }
        Ok(())
    }

    /// Listens to events from now on, with a sign of life so often, or as often as the baseline likes.
    ///
    /// # Errors
    /// When the baseline doesn't answer.
    pub async fn events(&self, keep_alive: Option<Duration>) -> Checked<Events> {
        let query = keep_alive.map(|every| format!("?keep_alive={}", every.as_millis())).unwrap_or_default();
        let response = self.send(self.client.get(format!("{}/events{query}", self.base))).await?;
        Ok(Events { response, buffer: Vec::new(), arrived: Instant::now() })
    }

    /// Makes the baseline forget all messages.
    ///
    /// # Errors
    /// When it doesn't.
    pub async fn clear(&self) -> Checked {
        self.send(self.client.delete(format!("{}/messages", self.base))).await.map(drop)
    }
}

/// A stream of server-sent events.
pub struct Events {
    response: Response,
    buffer: Vec<u8>,
    arrived: Instant,
}

/// What came on a stream of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
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
    pub async fn next(&mut self) -> Checked<(Heard, Instant)> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|bytes| bytes == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok((parse(&String::from_utf8_lossy(&block)), self.arrived));
            }
            match self.response.chunk().await.map_err(trouble)? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Err(Trouble::Unknown("the HTTP baseline ended its stream of events".to_string())),
            }
            self.arrived = Instant::now();
        }
    }
}

/// One block of the stream, up to its blank line (the WHATWG's HTML standard, section 9.2).
fn parse(block: &str) -> Heard {
    let data: Vec<&str> = block
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| data.strip_prefix(' ').unwrap_or(data))
        .collect();
    if data.is_empty() { Heard::Comment } else { Heard::Message(data.join("\n")) }
}

fn trouble(error: reqwest::Error) -> Trouble {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    Trouble::Unknown(format!("the HTTP baseline fails: {words}"))
}
