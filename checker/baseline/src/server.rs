//! Serves the chat over HTTP.
//!
//! - `POST /messages` publishes the body.
//! - `GET /messages?since=N` returns the messages after the first N at once: short polling.
//! - `GET /messages?since=N&wait=MILLIS` waits for a message to return: long polling.
//! - `GET /events` streams messages without end: server-sent events.
//! - `DELETE /messages` deletes all messages; numbers start at 0 again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, unfold};
use harness::sync::lock;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::{Batch, EVENTS_KEEP_ALIVE, origin};

/// How many messages are kept. A poll for older ones returns the kept ones.
const REMEMBERED: usize = 10_000;
/// How many bytes of messages are kept.
const REMEMBERED_BYTES: usize = 64 << 20;
/// The longest message, in bytes.
const LONGEST: usize = 1 << 21;
/// The longest a long poll may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Serves the chat on this listener until the future is dropped. Open connections stay.
pub fn serve(listener: TcpListener) -> BoxFuture<'static, io::Result<()>> {
    let router = Router::new()
        .route("/messages", get(poll).post(publish).delete(clear))
        .route("/events", get(events))
        .fallback((StatusCode::NOT_FOUND, "there are /messages and /events\n"))
        .layer(DefaultBodyLimit::max(LONGEST))
        .layer(middleware::from_fn(check_origin))
        .with_state(Arc::default());
    // Nagle's algorithm would delay small responses. Push disables it, too.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    // Boxed, so that it is compiled in this crate and not where it is awaited.
    Box::pin(async { axum::serve(listener, router).await })
}

/// Refuses requests that a foreign page sends.
async fn check_origin(
    request: Request,
    next: Next,
) -> Result<Response, (StatusCode, &'static str)> {
    if !is_allowed(request.headers()) {
        return Err((StatusCode::FORBIDDEN, "a page of another origin is not served\n"));
    }
    Ok(next.run(request).await)
}

fn is_allowed(headers: &HeaderMap) -> bool {
    let header = |name| Some(headers.get(name)?.to_str().unwrap_or_default());
    origin::is_allowed(header(HOST).unwrap_or_default(), header(ORIGIN))
}

/// All messages, and a watch channel that announces new ones.
#[derive(Default)]
struct Room {
    messages: Mutex<Messages>,
    next: watch::Sender<usize>,
}

#[derive(Default)]
struct Messages {
    messages: VecDeque<String>,
    bytes: usize,
    forgotten: usize,
}

impl Messages {
    fn push(&mut self, message: String) {
        self.bytes += message.len();
        self.messages.push_back(message);
        while self.messages.len() > REMEMBERED || self.bytes > REMEMBERED_BYTES {
            self.bytes -= self.messages.pop_front().map_or(0, |message| message.len());
            self.forgotten += 1;
        }
    }
}

impl Room {
    fn since(&self, since: usize) -> Batch {
        let messages = lock(&self.messages);
        let new = messages.messages.iter().skip(since.saturating_sub(messages.forgotten));
        Batch {
            messages: new.cloned().collect(),
            next: messages.forgotten + messages.messages.len(),
        }
    }

    fn message(&self, number: usize) -> Option<String> {
        let messages = lock(&self.messages);
        messages.messages.get(number.checked_sub(messages.forgotten)?).cloned()
    }

    fn change(&self, change: impl FnOnce(&mut Messages)) {
        let mut messages = lock(&self.messages);
        change(&mut messages);
        let next = messages.forgotten + messages.messages.len();
        drop(messages);
        self.next.send_replace(next);
    }
}

/// The query of a poll. With `wait`, in milliseconds, it is a long poll.
#[derive(Deserialize)]
struct Poll {
    #[serde(default)]
    since: usize,
    wait: Option<u64>,
}

async fn poll(State(room): State<Arc<Room>>, Query(query): Query<Poll>) -> Json<Batch> {
    if let Some(wait) = query.wait {
        let wait = Duration::from_millis(wait).min(LONGEST_WAIT);
        let mut next = room.next.subscribe();
        let _ = timeout(wait, next.wait_for(|next| *next > query.since)).await;
    }
    Json(room.since(query.since))
}

async fn publish(State(room): State<Arc<Room>>, text: String) -> StatusCode {
    room.change(|messages| messages.push(text));
    StatusCode::NO_CONTENT
}

async fn clear(State(room): State<Arc<Room>>) -> StatusCode {
    room.change(|messages| *messages = Messages::default());
    StatusCode::NO_CONTENT
}

/// The query of an event stream: the interval of its comments in milliseconds.
#[derive(Deserialize)]
struct Listen {
    keep_alive: Option<u64>,
}

/// Streams events from now on, or from the `Last-Event-ID` of a client that reconnects.
async fn events(
    State(room): State<Arc<Room>>,
    Query(query): Query<Listen>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let interval = query.keep_alive.map(|millis| Duration::from_millis(millis.max(1)));
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let first = last.unwrap_or_else(|| *room.next.borrow());
    Sse::new(messages_from(room, first))
        .keep_alive(KeepAlive::new().interval(interval.unwrap_or(EVENTS_KEEP_ALIVE)))
}

/// Yields the messages from this number on as events.
fn messages_from(room: Arc<Room>, first: usize) -> impl Stream<Item = Result<Event, Infallible>> {
    let changed = room.next.subscribe();
    unfold((room, first, changed), |(room, number, mut changed)| async move {
        loop {
            // Before reading the message: a message that arrives in between counts as a change.
            changed.mark_unchanged();
            if let Some(message) = room.message(number) {
                // axum would end two lines at CRLF.
                let message = message.replace("\r\n", "\n").replace('\r', "\n");
                let event = Event::default().id((number + 1).to_string()).data(message);
                return Some((Ok(event), (room, number + 1, changed)));
            }
            changed.changed().await.ok()?;
        }
    })
}
