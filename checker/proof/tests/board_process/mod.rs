//! A running `cargo checker board`, and a page that is connected to it without a browser.

// Each test file is a crate of its own and uses some of these.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use board_client::link::{BoardLink, LinkState};
use board_client::message::Name;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::common::running_checker;

/// The time limit of each wait. It ends a hang only.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// A running board.
pub(crate) struct BoardProcess {
    child: Child,
    /// `HOST:PORT/ROOM`.
    pub(crate) room: String,
    /// The secret of the page's address.
    pub(crate) key: String,
}

impl BoardProcess {
    /// Starts a board on any free port, or on the one that these arguments name.
    pub(crate) fn start(args: &[&str]) -> Self {
        // Starting may build the checker on a runtime of its own, and runtimes cannot nest.
        let mut command = std::thread::spawn(running_checker).join().expect("the checker is built");
        command.args(["board", "--host", "127.0.0.1"]);
        if !args.contains(&"--port") {
            command.args(["--port", "0"]);
        }
        let mut child = command.args(args).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = lines.next().expect("it says where it runs").expect("text");
        let address = first.strip_prefix("board running on http://").expect("an address");
        let (room, key) = address.split_once('#').expect("a key");
        let (room, key) = (room.to_string(), key.to_string());
        // Reads on, so that the pipe does not fill.
        std::thread::spawn(move || lines.for_each(drop));
        BoardProcess { child, room, key }
    }

    /// Kills the board, and starts another one at the same addresses.
    pub(crate) fn kill_and_restart(self, args: &[&str]) -> Self {
        let (room, key) = (self.room.clone(), self.key.clone());
        drop(self);
        let (address, code) = room.split_once('/').expect("a room");
        let port = address.rsplit_once(':').expect("a port").1;
        let same = ["--port", port, "--room", code, "--key", &key];
        BoardProcess::start(&[args, &same].concat())
    }

    /// Returns the process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the address for students.
    pub(crate) fn address(&self) -> String {
        format!("ws://{}", self.room)
    }

    /// Returns the address of the page for a browser.
    pub(crate) fn page_address(&self) -> String {
        format!("http://{}#{}", self.room, self.key)
    }

    /// Connects a student and waits until the board has welcomed it.
    pub(crate) async fn join(&self, number: usize, name: &str) -> BoardLink {
        let address = self.address().parse().expect("an address");
        let name = Name::try_from(name.to_string()).expect("a name");
        let link = BoardLink::open(address, format!("{number:032x}"), name);
        wait_until_connected(&link).await;
        link
    }

    /// Connects a page that reads only when the socket is read.
    pub(crate) async fn page_socket(&self) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
        let url = format!("ws://{}/page?key={}", self.room, self.key);
        connect_async(url).await.expect("the board accepts a page").0
    }

    /// Connects a page that reads and answers pings from now on, and waits for its snapshot. What
    /// happens later reaches it as a change.
    pub(crate) async fn page(&self) -> Page {
        let mut socket = self.page_socket().await;
        let (messages, received) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Text(text) = message
                    && messages.send(serde_json::from_str(&text).expect("JSON")).is_err()
                {
                    return;
                }
            }
        });
        let mut page = Page { snapshot: Value::Null, received };
        page.snapshot = page.next().await;
        page
    }
}

impl Drop for BoardProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the board has the student's verdicts.
pub(crate) async fn wait_until_connected(link: &BoardLink) {
    let mut state = link.state();
    let connected = state.wait_for(|state| *state == LinkState::Connected);
    timeout(RESPONSE_TIMEOUT, connected).await.expect("it connects in time").expect("it lives");
}

/// The messages that a page receives.
pub(crate) struct Page {
    /// The first message.
    pub(crate) snapshot: Value,
    received: mpsc::UnboundedReceiver<Value>,
}

impl Page {
    /// Returns the next message.
    pub(crate) async fn next(&mut self) -> Value {
        let message = timeout(RESPONSE_TIMEOUT, self.received.recv()).await;
        message.expect("a message in time").expect("the board lives")
    }

    /// Returns the next message that meets a condition.
    pub(crate) async fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Waits until this student has this presence.
    pub(crate) async fn wait_for_presence(&mut self, name: &str, presence: &str) -> Value {
        self.wait_for(|message| message["name"] == name && message["presence"] == presence).await
    }
}
