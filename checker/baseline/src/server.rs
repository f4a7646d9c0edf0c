//! Serves the chat over HTTP.
//!
//! - `POST /messages` publishes the body.
//! - `GET /messages?since=N` returns at once what came after the first N: short polling.
//! - `GET /messages?since=N&wait=MILLIS` waits for something to return: long polling.
//! - `GET /events` goes on for ever: server-sent events.
//! - `DELETE /messages` forgets them all, and counts from 0 again.

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
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use hyper::{Method, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::http::{self, Request, Response, header, parameter, response, text_response};
use crate::{Batch, EVENTS_KEEP_ALIVE};

/// How many messages are remembered; who asks for older ones gets what there is.
const REMEMBERED: usize = 10_000;
/// The longest message, in bytes.
const LONGEST: usize = 1 << 21;
/// The longest a long poll may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Serves on this listener until it is dropped.
///
/// # Errors
/// When the listener fails for good.
pub fn serve(listener: TcpListener) -> BoxFuture<'static, io::Result<()>> {
    let room = Arc::new(Room::default());
    // In a box, and so compiled here: see the clients.
    Box::pin(http::serve(listener, move |request| answer(room.clone(), request)))
}

async fn answer(room: Arc<Room>, request: Request) -> Response {
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

/// What was messages.
#[derive(Default)]
struct Room {
    messages: Mutex<Messages>,
    next: watch::Sender<usize>,
}

#[derive(Default)]
struct Messages {
    messages: VecDeque<String>,
    forgotten: usize,
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
    // A body whose announced length is over the limit is refused unread.
    if request.body().size_hint().lower() > LONGEST as u64 {
        return Err(Refusal::TooLong);
    }
    let body = Limited::new(request.into_body(), LONGEST).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Refusal::TooLong } else { Refusal::Incomplete(error) }
    })?;
    let text = String::from_utf8(body.to_bytes().into()).map_err(|_| Refusal::NotText)?;
    room.change(|messages| {
        messages.messages.push_back(text);
        if messages.messages.len() > REMEMBERED {
            messages.messages.pop_front();
            messages.forgotten += 1;
        }
    });
    Ok(response(StatusCode::NO_CONTENT, [], ""))
}

/// From now on; or, for a client that comes back, from where it was cut off.
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

/// The messages from this number on, each as an event; and a comment whenever there was none for so long.
fn blocks(room: Arc<Room>, first: usize, every: Duration) -> impl Stream<Item = Bytes> {
    let changed = room.next.subscribe();
    unfold((room, first, changed), move |(room, number, mut changed)| async move {
        loop {
            // Looked at before the message: what comes in between is then seen as a change.
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

/// One event as it is written (the WHATWG's HTML standard, section 9.2). Any of its ends of a line begins a new `data`.
fn event(id: usize, message: &str) -> Bytes {
    let mut text = format!("id: {id}\n");
    for line in message.replace("\r\n", "\n").split(['\r', '\n']) {
        text.extend(["data: ", line, "\n"]);
    }
    (text + "\n").into()
}
