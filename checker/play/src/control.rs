//! The socket between the page and the playground: JSON, one object a message.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::session::Session;
use crate::speaker::{Order, speak};

/// So often a page is told what is new on the wire.
const NEWS: Duration = Duration::from_millis(40);
/// So often it is told how the server is.
const STATE: Duration = Duration::from_millis(500);
/// Of what is new, so many events at most are sent to a page at a time.
const MOST_NEWS: usize = 1_000;

/// What a page asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Command {
    /// A lane for one more client.
    Add,
    /// The client and its lane go.
    Remove { client: usize },
    /// The cable is pulled, or plugged in again.
    Cut { client: usize, cut: bool },
    /// The cable's length, in milliseconds each way.
    Latency { client: usize, millis: u64 },
    /// How many bytes the client reads in a second; 0 for all there are.
    Slow { client: usize, rate: u32 },
    /// The checker's own client sends this in fragments.
    Fragments { text: String, parts: usize },
    /// The checker's own client says goodbye.
    CloseOwn,
    /// The server is built and started again.
    Restart,
    /// One event, with all of it that is kept.
    Event { id: u64 },
    /// Polls so often beside the push, in milliseconds; 0 for not at all.
    Poll { millis: u64 },
}

/// The checker's own client of one page.
struct Own {
    client: usize,
    orders: mpsc::UnboundedSender<Order>,
    speaking: tokio::task::JoinHandle<()>,
}

/// One page.
struct Page {
    session: Arc<Session>,
    clients: Vec<usize>,
    own: Option<Own>,
    answers: mpsc::UnboundedSender<Value>,
}

/// Tells a page and listens to it, until it is closed.
pub async fn talk(
    session: Arc<Session>,
    mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
) {
    let (answers, mut waiting) = mpsc::unbounded_channel();
    let mut page = Page { session: session.clone(), clients: Vec::new(), own: None, answers };
    let mut cursor = session.journal.end();
    let (mut news, mut state) = (interval(NEWS), interval(STATE));
    news.set_missed_tick_behavior(MissedTickBehavior::Delay);
    state.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let hello =
        json!({ "type": "hello", "path": session.path, "clients": session.clients_at_start });
    let mut told = BTreeMap::new();
    let mut out = vec![hello];
    loop {
        for message in out.drain(..) {
            if socket.send(Message::text(message.to_string())).await.is_err() {
                return;
            }
        }
        tokio::select! {
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(command) => page.obey(command).await,
                    Err(error) => out.push(complaint(&format!("the page asked for what nobody knows: {error}"))),
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            answer = waiting.recv() => out.extend(answer),
            _ = news.tick() => out.extend(session.journal.news(&mut cursor, MOST_NEWS)),
            _ = state.tick() => {
                // What has not changed needs no repeating.
                for now in [session.subject.told(session.connections()), session.beside.told()] {
                    let kind = now["type"].to_string();
                    if told.get(&kind) != Some(&now) {
                        out.push(now.clone());
                        told.insert(kind, now);
                    }
                }
            }
        }
    }
}

fn complaint(why: &str) -> Value {
    json!({ "type": "complaint", "text": why })
}

impl Page {
    async fn obey(&mut self, command: Command) {
        let session = &self.session;
        match command {
            Command::Add => {
                if let Some((client, port)) = self.add().await {
                    self.answer(json!({ "type": "client", "client": client, "port": port }));
                }
            }
            Command::Remove { client } => {
                session.remove(client);
                self.clients.retain(|mine| *mine != client);
                if self.own.as_ref().is_some_and(|own| own.client == client) {
                    self.own = None;
                }
            }
            Command::Cut { client, cut } => session.turn(client, |knobs| knobs.cut = cut),
            Command::Latency { client, millis } => {
                session.turn(client, |knobs| {
                    knobs.latency = Duration::from_millis(millis.min(10_000))
                });
            }
            Command::Slow { client, rate } => {
                session.turn(client, |knobs| knobs.slow = (rate > 0).then_some(rate));
            }
            Command::Fragments { text, parts } => self.fragments(text, parts).await,
            Command::CloseOwn => {
                if let Some(own) = &self.own {
                    let _ = own.orders.send(Order::Close);
                }
            }
            Command::Restart => session.subject.restart(),
            Command::Event { id } => {
                let event = session.journal.event(id);
                self.answer(json!({ "type": "event", "id": id, "event": event }));
            }
            Command::Poll { millis } => {
                // Faster than that, the page would measure itself.
                let every = (millis > 0).then(|| Duration::from_millis(millis.clamp(20, 60_000)));
                session.beside.poll_every(every);
            }
        }
    }

    async fn add(&mut self) -> Option<(usize, u16)> {
        match self.session.add().await {
            Ok((client, port)) => {
                self.clients.push(client);
                Some((client, port))
            }
            Err(error) => {
                self.answer(complaint(&format!("no further client: {error}")));
                None
            }
        }
    }

    async fn fragments(&mut self, text: String, parts: usize) {
        let order = Order::Fragments(text, parts);
        let order = match &self.own {
            Some(own) => match own.orders.send(order) {
                Ok(()) => return,
                // It has left since; another one comes.
                Err(back) => back.0,
            },
            None => order,
        };
        if let Some(gone) = self.own.take() {
            self.session.remove(gone.client);
        }
        let Some((client, port)) = self.add().await else { return };
        self.answer(json!({ "type": "own", "client": client }));
        let (orders, received) = mpsc::unbounded_channel();
        let _ = orders.send(order);
        let (near, url) =
            (self.session.near(port), format!("ws://localhost:{port}{}", self.session.path));
        let answers = self.answers.clone();
        let speaking = tokio::spawn(async move {
            let hear = |text: String| {
                let _ =
                    answers.send(json!({ "type": "own-heard", "client": client, "text": text }));
            };
            let why = speak(near, url, received, hear).await.err();
            let _ = answers.send(json!({ "type": "own-left", "client": client, "why": why }));
        });
        self.own = Some(Own { client, orders, speaking });
    }

    fn answer(&self, answer: Value) {
        // Whoever asked is gone when nobody waits.
        let _ = self.answers.send(answer);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.speaking.abort();
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        for client in &self.clients {
            self.session.remove(*client);
        }
    }
}
