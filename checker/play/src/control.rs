//! The WebSocket between the page and this program. Each message is a JSON object.

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

use crate::event_log::Cursor;
use crate::own_client::{ClientCommand, run_client};
use crate::session::Session;

/// The time between two updates of the events.
const NEWS_INTERVAL: Duration = Duration::from_millis(40);
/// The time between two updates of the server's state.
const STATE_INTERVAL: Duration = Duration::from_millis(500);
/// The most events of an update.
const MOST_NEWS: usize = 1_000;

/// A command of the page.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Command {
    /// Adds a client.
    Add,
    /// Removes a client.
    Remove { client: usize },
    /// Cuts a client's link, or restores it.
    Cut { client: usize, cut: bool },
    /// Sets the latency of a client's link, in milliseconds each way.
    Latency { client: usize, millis: u64 },
    /// Sets the bytes that a client reads in a second; 0 for all there are.
    Slow { client: usize, rate: u32 },
    /// Sends this text in fragments through the checker's own client.
    Fragments { text: String, parts: usize },
    /// Closes the checker's own client.
    CloseOwn,
    /// Builds and starts the server again.
    Restart,
    /// Asks for an event with all of it that is kept.
    Event { id: u64 },
    /// Polls at this interval beside push, in milliseconds; 0 for not at all.
    Poll { millis: u64 },
}

/// The checker's own client of a page.
struct OwnClient {
    client: usize,
    commands: mpsc::UnboundedSender<ClientCommand>,
    running: tokio::task::JoinHandle<()>,
}

/// An open page.
struct Page {
    session: Arc<Session>,
    may_drive: bool,
    clients: Vec<usize>,
    own: Option<OwnClient>,
    replies: mpsc::UnboundedSender<Value>,
}

/// Carries out a page's commands and sends it updates until it is closed.
///
/// A page that may not drive receives all that there is, and may only ask for events.
pub(crate) async fn run_control(
    session: Arc<Session>,
    may_drive: bool,
    mut socket: WebSocketStream<impl AsyncRead + AsyncWrite + Unpin>,
) {
    let (replies, mut waiting) = mpsc::unbounded_channel();
    let mut page =
        Page { session: session.clone(), may_drive, clients: Vec::new(), own: None, replies };
    let mut cursor = if may_drive { session.log.end() } else { Cursor::default() };
    let (mut news, mut state) = (interval(NEWS_INTERVAL), interval(STATE_INTERVAL));
    news.set_missed_tick_behavior(MissedTickBehavior::Delay);
    state.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let hello = json!({
        "type": "hello",
        "path": session.path,
        "clients": if may_drive { session.clients_at_start } else { 0 },
        "view_only": !may_drive,
        "view_url": session.view_url.as_ref().filter(|_| may_drive),
    });
    let mut last_states = BTreeMap::new();
    let mut out = vec![hello];
    loop {
        for message in out.drain(..) {
            if socket.send(Message::text(message.to_string())).await.is_err() {
                return;
            }
        }
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                    Ok(command) => page.run(command).await,
                    Err(error) => out.push(complaint(format!("unknown command: {error}"))),
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
            reply = waiting.recv() => out.extend(reply),
            _ = news.tick() => out.extend(session.log.news(&mut cursor, MOST_NEWS)),
            _ = state.tick() => {
                let server = session.server.to_json(session.connections());
                for state in [server, session.polling.to_json()] {
                    let kind = state["type"].to_string();
                    if last_states.get(&kind) != Some(&state) {
                        out.push(state.clone());
                        last_states.insert(kind, state);
                    }
                }
            }
        }
    }
}

fn complaint(reason: String) -> Value {
    json!({ "type": "complaint", "text": reason })
}

impl Page {
    async fn run(&mut self, command: Command) {
        let session = &self.session;
        if !self.may_drive && !matches!(command, Command::Event { .. }) {
            return self.reply(complaint("this page may only look".to_string()));
        }
        match command {
            Command::Add => {
                if let Some((client, port)) = self.add_client().await {
                    self.reply(json!({ "type": "client", "client": client, "port": port }));
                }
            }
            Command::Remove { client } => {
                session.remove_client(client);
                self.clients.retain(|other| *other != client);
                if self.own.as_ref().is_some_and(|own| own.client == client) {
                    self.own = None;
                }
            }
            Command::Cut { client, cut } => session.change_link(client, |link| link.cut = cut),
            Command::Latency { client, millis } => {
                let latency = Duration::from_millis(millis.min(10_000));
                session.change_link(client, |link| link.latency = latency);
            }
            Command::Slow { client, rate } => {
                session.change_link(client, |link| link.read_rate = (rate > 0).then_some(rate));
            }
            Command::Fragments { text, parts } => self.send_fragments(text, parts).await,
            Command::CloseOwn => {
                if let Some(own) = &self.own {
                    let _ = own.commands.send(ClientCommand::Close);
                }
            }
            Command::Restart => session.server.restart(),
            Command::Event { id } => {
                let event = session.log.event(id);
                self.reply(json!({ "type": "event", "id": id, "event": event }));
            }
            Command::Poll { millis } => {
                // At a shorter interval the page would measure itself.
                let every = (millis > 0).then(|| Duration::from_millis(millis.clamp(20, 60_000)));
                session.polling.poll_every(every);
            }
        }
    }

    async fn add_client(&mut self) -> Option<(usize, u16)> {
        match self.session.add_client().await {
            Ok((client, port)) => {
                self.clients.push(client);
                Some((client, port))
            }
            Err(error) => {
                self.reply(complaint(format!("no further client: {error}")));
                None
            }
        }
    }

    /// Sends the text through the checker's own client, which is started if there is none.
    async fn send_fragments(&mut self, text: String, parts: usize) {
        let command = ClientCommand::SendFragments(text, parts);
        let command = match &self.own {
            Some(own) => match own.commands.send(command) {
                Ok(()) => return,
                // It has disconnected meanwhile. Another one is started.
                Err(unsent) => unsent.0,
            },
            None => command,
        };
        if let Some(gone) = self.own.take() {
            self.session.remove_client(gone.client);
        }
        let Some((client, port)) = self.add_client().await else { return };
        self.reply(json!({ "type": "own", "client": client }));
        let (commands, incoming) = mpsc::unbounded_channel();
        let _ = commands.send(command);
        let address = self.session.lane_address(port);
        let url = format!("ws://localhost:{port}{}", self.session.path);
        let replies = self.replies.clone();
        let running = tokio::spawn(async move {
            let received = |text: String| {
                let _ =
                    replies.send(json!({ "type": "own-heard", "client": client, "text": text }));
            };
            let error = run_client(address, url, incoming, received).await.err();
            let reason = error.map(|error| error.to_string());
            let _ = replies.send(json!({ "type": "own-left", "client": client, "why": reason }));
        });
        self.own = Some(OwnClient { client, commands, running });
    }

    fn reply(&self, reply: Value) {
        // An error means that the page is closed.
        let _ = self.replies.send(reply);
    }
}

impl Drop for OwnClient {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        for client in &self.clients {
            self.session.remove_client(*client);
        }
    }
}
