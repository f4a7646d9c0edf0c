//! The HTTP baseline: the same messages, asked for instead of pushed.
//!
//! `POST /messages` publishes, `GET /messages?since=N` returns what came after the first N.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

type Messages = Arc<Mutex<Vec<String>>>;

/// What a poller gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Batch {
    /// The messages after `since`, oldest first.
    pub messages: Vec<String>,
    /// What to ask with next.
    pub next: usize,
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: usize,
}

/// Serves the baseline on a free loopback port until the task is aborted.
///
/// # Errors
/// When no port can be had.
pub async fn serve() -> io::Result<(SocketAddr, tokio::task::JoinHandle<()>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/messages", get(messages).post(publish)).with_state(Messages::default());
    let serving = tokio::spawn(async move {
        // It ends only with its listener, which is ours.
        let _ = axum::serve(listener, router).await;
    });
    Ok((address, serving))
}

async fn messages(State(messages): State<Messages>, Query(Since { since }): Query<Since>) -> Json<Batch> {
    let messages = messages.lock().expect("no panic holds it");
    let new = messages.get(since..).unwrap_or_default().to_vec();
    Json(Batch { messages: new, next: messages.len() })
}

async fn publish(State(messages): State<Messages>, text: String) {
    messages.lock().expect("no panic holds it").push(text);
}
