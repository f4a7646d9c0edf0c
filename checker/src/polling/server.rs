//! Serves the chat over HTTP.
//!
//! - `POST /messages` publishes the body.
//! - `GET /messages?since=N` returns at once what came after the first N: short polling.
//! - `GET /messages?since=N&wait=MILLIS` waits for something to return: long polling.
//! - `GET /events` goes on for ever: server-sent events.
//! - `DELETE /messages` forgets them all, and counts from 0 again.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures_util::Stream;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Batch, EVENTS_KEEP_ALIVE};

/// How many messages are remembered; who asks for older ones gets what there is.
const REMEMBERED: usize = 10_000;
/// The longest a long poll may ask to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Serves on this listener until it is dropped.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let router = Router::new()
        .route("/messages", get(messages).post(publish).delete(clear))
        .route("/events", get(events))
        .with_state(Arc::new(Room::default()));
    // Without it the system may hold a small answer back; push is given the same.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await
}

/// What was said.
#[derive(Default)]
struct Room {
    said: Mutex<Said>,
    next: watch::Sender<usize>,
}

#[derive(Default)]
struct Said {
    messages: VecDeque<String>,
    forgotten: usize,
}

impl Room {
    fn since(&self, since: usize) -> Batch {
        let said = self.said.lock().expect("no panic holds it");
        let new = said.messages.iter().skip(since.saturating_sub(said.forgotten));
        Batch { messages: new.cloned().collect(), next: said.forgotten + said.messages.len() }
    }

    fn message(&self, number: usize) -> Option<String> {
        let said = self.said.lock().expect("no panic holds it");
        said.messages.get(number.checked_sub(said.forgotten)?).cloned()
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        let mut said = self.said.lock().expect("no panic holds it");
        change(&mut said);
        let next = said.forgotten + said.messages.len();
        drop(said);
        self.next.send_replace(next);
    }
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    since: usize,
    wait: Option<u64>,
}

async fn messages(State(room): State<Arc<Room>>, Query(wanted): Query<Wanted>) -> Json<Batch> {
    if let Some(wait) = wanted.wait {
        let mut next = room.next.subscribe();
        let wait = Duration::from_millis(wait).min(LONGEST_WAIT);
        let _ = tokio::time::timeout(wait, next.wait_for(|next| *next > wanted.since)).await;
    }
    Json(room.since(wanted.since))
}

async fn publish(State(room): State<Arc<Room>>, text: String) -> StatusCode {
    room.change(|said| {
        said.messages.push_back(text);
        if said.messages.len() > REMEMBERED {
            said.messages.pop_front();
            said.forgotten += 1;
        }
    });
    StatusCode::NO_CONTENT
}

async fn clear(State(room): State<Arc<Room>>) -> StatusCode {
    room.change(|said| *said = Said::default());
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Stay {
    /// Milliseconds between signs of life.
    keep_alive: Option<u64>,
}

/// From now on; or, for a client that comes back, from where it was cut off.
async fn events(
    State(room): State<Arc<Room>>,
    Query(stay): Query<Stay>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<usize>().ok());
    let first = last.unwrap_or_else(|| *room.next.borrow());
    let changed = room.next.subscribe();
    let stream = unfold((room, first, changed), |(room, number, mut changed)| async move {
        loop {
            // Looked at before the message: what comes in between is then seen as a change.
            changed.mark_unchanged();
            if let Some(message) = room.message(number) {
                let event = Event::default().id((number + 1).to_string()).data(message);
                return Some((Ok(event), (room, number + 1, changed)));
            }
            changed.changed().await.ok()?;
        }
    });
    let every = stay.keep_alive.map_or(EVENTS_KEEP_ALIVE, |millis| Duration::from_millis(millis.max(1)));
    Sse::new(stream).keep_alive(KeepAlive::new().interval(every))
}
