//! A saved `wire.json`, shown again on the page.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// A file that cannot be shown again.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// It cannot be read.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// It is no saved wire.
    #[error("{path} is no saved wire: {error}; wanted: a file of the page's `Save as JSON`")]
    Format {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: serde_json::Error,
    },
}

/// The events of a saved file.
#[derive(Deserialize)]
struct Saved {
    events: Vec<SavedEvent>,
}

#[derive(Clone, Deserialize, Serialize)]
struct SavedEvent {
    id: u64,
    at: u64,
    client: u64,
    connection: u64,
    way: Way,
    kind: Kind,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    Up,
    Down,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Request,
    Response,
    Body,
    Text,
    Continuation,
    Binary,
    Ping,
    Pong,
    Close,
    Reserved,
    Garbage,
    End,
    Cable,
}

/// A saved file.
pub struct Recording {
    name: String,
    events: Vec<SavedEvent>,
    /// The secret in the page's address.
    pub token: String,
}

impl Recording {
    /// Reads a file.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        let text = fs::read_to_string(path)
            .map_err(|error| RecordingError::Read { path: path.into(), error })?;
        let saved: Saved = serde_json::from_str(&text)
            .map_err(|error| RecordingError::Format { path: path.into(), error })?;
        Ok(Recording {
            name: path.display().to_string(),
            events: saved.events,
            token: format!("{:032x}", rand::random::<u128>()),
        })
    }

    /// Returns all events, for the page.
    pub fn to_json(&self) -> Value {
        json!({ "events": self.events })
    }

    /// Answers a page's questions until it is closed.
    pub(crate) async fn run_control(
        &self,
        mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
    ) {
        let hello = json!({
            "type": "hello", "path": "/", "clients": 0, "view_only": true, "recording": self.name,
        });
        if socket.send(Message::text(hello.to_string())).await.is_err() {
            return;
        }
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let Ok(question) = serde_json::from_str::<Question>(&text) else { continue };
            let event = self.events.iter().find(|event| event.id == question.id);
            let answer = json!({ "type": "event", "id": question.id, "event": event });
            if socket.send(Message::text(answer.to_string())).await.is_err() {
                return;
            }
        }
    }
}

/// A page asks for an event. It has nothing else to ask of a recording.
#[derive(Deserialize)]
struct Question {
    id: u64,
}
