//! Serves the chat over HTTP.
//!
//! - `POST /messages` publishes the body.
//! - `GET /messages?since=N` returns the messages after the first N at once: short polling.
//! - `GET /messages?since=N&wait=MILLIS` waits for a message to return: long polling.
//! - `GET /events` streams messages without end: server-sent events.
//! - `DELETE /messages` deletes all messages; numbers start at 0 again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{Stream, StreamExt, unfold};
use harness::sync::lock;
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use hyper::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::http::{self, Request, Response, header, parameter, response, text_response};
use crate::{Batch, EVENTS_KEEP_ALIVE, origin};

/// How many messages are kept. A poll for older ones returns the kept ones.
const REMEMBERED: usize = 10_000;
/// How many bytes of messages are kept.
const REMEMBERED_BYTES: usize = 64 << 20;
/// The longest message, in bytes.
const LONGEST: usize = 1 << 21;
/// The longest a long poll may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Serves the chat on this listener until the future is dropped.
pub fn serve(listener: TcpListener) -> BoxFuture<'static, io::Result<()>> {
    let room = Arc::new(Room::default());
    // Boxed, so that it is compiled in this crate and not where it is awaited.
    Box::pin(http::serve(listener, move |request| answer(room.clone(), request)))
}

async fn answer(room: Arc<Room>, request: Request) -> Response {
    let host = header(request.headers(), HOST);
    let origin = request.headers().get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if !origin::is_allowed(host, origin) {
        return text_response(StatusCode::FORBIDDEN, "a page of another origin is not served");
    }
    let answered = match (request.uri().path(), request.method()) {
        ("/messages", &Method::GET | &Method::HEAD) => messages(&room, &request).await,
        ("/messages", &Method::POST) => publish(&room, request).await,
        ("/messages", &Method::DELETE) => {
            room.change(|messages| *messages = Messages::default());
            Ok(response(StatusCode::NO_CONTENT, [], ""))
        }
        ("/messages", _) => {
            Ok(response(StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD, POST, DELETE")], ""))
        }
        ("/events", &Method::GET | &Method::HEAD) => events(room, &request),
        ("/events", _) => Ok(response(StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")], "")),
        (path, _) => Err(Refusal::UnknownPath(path.to_string())),
    };
    answered.unwrap_or_else(|refusal| text_response(refusal.status(), &refusal.to_string()))
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

/// The reason why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("there is no {0} here; there are /messages and /events")]
    UnknownPath(String),
    #[error("{name} is `{text}`; wanted: a whole number")]
    NotANumber { name: &'static str, text: String },
    #[error("a message has at most {LONGEST} bytes")]
    TooLong,
    #[error("the message did not come whole: {0}")]
    Incomplete(Box<dyn Error + Send + Sync>),
    #[error("a message is text in UTF-8")]
    NotText,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::UnknownPath(_) => StatusCode::NOT_FOUND,
            Refusal::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::NotANumber { .. } | Refusal::Incomplete(_) | Refusal::NotText => {
                StatusCode::BAD_REQUEST
            }
        }
    }
}

/// Parses a whole number from the request's query, if it has this parameter.
fn number<N: FromStr>(request: &Request, name: &'static str) -> Result<Option<N>, Refusal> {
    let Some(text) = parameter(request, name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Refusal::NotANumber { name, text })
}

async fn messages(room: &Room, request: &Request) -> Result<Response, Refusal> {
    let since = number(request, "since")?.unwrap_or(0);
    if let Some(wait) = number(request, "wait")? {
        let mut next = room.next.subscribe();
        let _ = timeout(
            Duration::from_millis(wait).min(LONGEST_WAIT),
            next.wait_for(|next| *next > since),
        )
        .await;
    }
    let body = serde_json::to_vec(&room.since(since)).expect("a batch can be written as JSON");
    Ok(response(StatusCode::OK, [(CONTENT_TYPE, "application/json")], body))
}

async fn publish(room: &Room, request: Request) -> Result<Response, Refusal> {
    // A body with an announced length over the limit is refused unread.
    if request.body().size_hint().lower() > LONGEST as u64 {
        return Err(Refusal::TooLong);
    }
    let body = Limited::new(request.into_body(), LONGEST).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Refusal::TooLong } else { Refusal::Incomplete(error) }
    })?;
    let text = String::from_utf8(body.to_bytes().into()).map_err(|_| Refusal::NotText)?;
    room.change(|messages| messages.push(text));
    Ok(response(StatusCode::NO_CONTENT, [], ""))
}

/// Streams events from now on, or from the `Last-Event-ID` of a client that reconnects.
fn events(room: Arc<Room>, request: &Request) -> Result<Response, Refusal> {
    let keep_alive = number(request, "keep_alive")?;
    let every =
        keep_alive.map_or(EVENTS_KEEP_ALIVE, |millis: u64| Duration::from_millis(millis.max(1)));
    let last = header(request.headers(), HeaderName::from_static("last-event-id")).parse().ok();
    let first = last.unwrap_or_else(|| *room.next.borrow());
    let blocks = blocks(room, first, every).map(|block| Ok::<_, Infallible>(Frame::data(block)));
    let mut response = response(
        StatusCode::OK,
        [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")],
        "",
    );
    *response.body_mut() = StreamBody::new(blocks).boxed_unsync();
    Ok(response)
}

/// Yields the messages from this number on as events, and a comment after each idle period.
fn blocks(room: Arc<Room>, first: usize, every: Duration) -> impl Stream<Item = Bytes> {
    let changed = room.next.subscribe();
    unfold((room, first, changed), move |(room, number, mut changed)| async move {
        loop {
            // Before reading the message: a message that arrives in between counts as a change.
            changed.mark_unchanged();
            if let Some(message) = room.message(number) {
                return Some((event(number + 1, &message), (room, number + 1, changed)));
            }
            match timeout(every, changed.changed()).await {
                Ok(changed) => changed.ok()?,
                Err(_) => return Some((Bytes::from_static(b":\n\n"), (room, number, changed))),
            }
        }
    })
}

/// Renders one event (WHATWG HTML standard, section 9.2). CR, LF and CRLF each end a `data` line.
fn event(id: usize, message: &str) -> Bytes {
    let mut text = format!("id: {id}\n");
    for line in message.replace("\r\n", "\n").split(['\r', '\n']) {
        text.extend(["data: ", line, "\n"]);
    }
    (text + "\n").into()
}
