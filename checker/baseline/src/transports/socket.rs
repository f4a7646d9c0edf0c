//! A WebSocket client that times each message where the socket is read.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use harness::client::{RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};
use harness::wire::frame::{Control, Data, Decoder, Frame, Item, OpCode};

/// Makes the upgrade request; `host` and `path` are those of a `ws:` URL.
pub fn upgrade_request(host: &str, path: &str, key: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// One connection to a WebSocket server.
pub struct Socket {
    stream: TcpStream,
    decoder: Decoder,
    buffer: Vec<u8>,
    events: VecDeque<SocketEvent>,
    message: Vec<u8>,
    arrived: Instant,
    /// The number of bytes written.
    pub written: u64,
}

/// A received message or ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketEvent {
    /// A complete message.
    Message(String),
    /// A ping, already answered.
    Ping,
}

impl Socket {
    /// Connects and waits for the welcome.
    pub async fn connect(address: SocketAddr, host: &str, path: &str) -> CheckResult<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let request = upgrade_request(host, path, &generate_key());
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Socket {
            stream,
            decoder: Decoder::new(usize::MAX),
            buffer: vec![0; 16 * 1024],
            events: VecDeque::new(),
            message: Vec::new(),
            arrived: Instant::now(),
            written: request.len() as u64,
        };
        let welcome = async {
            while socket.next().await?.0 == SocketEvent::Ping {}
            Ok(())
        };
        match timeout_on_busy_host(RESPONSE_TIMEOUT, welcome).await {
            Some(welcomed) => welcomed.map(|()| socket),
            None => Err(failure(format!(
                "the server sent no welcome within {} s",
                RESPONSE_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Sends a masked text message.
    pub(crate) async fn send(&mut self, text: &str) -> CheckResult {
        self.send_frame(Frame::new(OpCode::Data(Data::Text), text)).await
    }

    async fn send_frame(&mut self, frame: Frame) -> CheckResult {
        let bytes = frame.masked(rand::random()).encode();
        self.written += bytes.len() as u64;
        self.stream.write_all(&bytes).await.map_err(|error| disconnect_error(&error.to_string()))
    }

    /// Waits for the next text message. Returns it with the time of its arrival.
    pub(crate) async fn receive(&mut self) -> CheckResult<(String, Instant)> {
        loop {
            if let (SocketEvent::Message(text), at) = self.next().await? {
                return Ok((text, at));
            }
        }
    }

    /// Waits for the next message or ping. Returns it with the time of its arrival. Cancel-safe,
    /// except while it answers a ping.
    pub async fn next(&mut self) -> CheckResult<(SocketEvent, Instant)> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok((event, self.arrived));
            }
            let read = match self.stream.read(&mut self.buffer).await {
                Ok(0) => return Err(disconnect_error("connection closed")),
                Ok(read) => read,
                Err(error) => return Err(disconnect_error(&error.to_string())),
            };
            self.arrived = Instant::now();
            let mut items = Vec::new();
            self.decoder.feed(&self.buffer[..read], |item| items.push(item));
            for item in items {
                self.handle_item(item).await?;
            }
        }
    }

    async fn handle_item(&mut self, item: Item) -> CheckResult {
        match item {
            Item::Head(head) => {
                let status = head.lines().next().unwrap_or_default();
                if status.split_whitespace().nth(1) != Some("101") {
                    return Err(failure(format!(
                        "the server refused to speak WebSocket: it answered \"{status}\" where \
                         \"HTTP/1.1 101 Switching Protocols\" was wanted"
                    )));
                }
            }
            Item::Frame(frame) => match frame.opcode {
                OpCode::Control(Control::Ping) => {
                    self.send_frame(Frame::new(OpCode::Control(Control::Pong), frame.payload))
                        .await?;
                    self.events.push_back(SocketEvent::Ping);
                }
                OpCode::Control(Control::Close) => {
                    return Err(disconnect_error("it sent a close frame"));
                }
                OpCode::Control(_) => {}
                OpCode::Data(_) => {
                    self.message.extend_from_slice(&frame.payload);
                    if frame.fin {
                        let message = std::mem::take(&mut self.message);
                        self.events.push_back(SocketEvent::Message(
                            String::from_utf8_lossy(&message).into_owned(),
                        ));
                    }
                }
            },
            Item::Body(_) => {}
            Item::Garbage(_, why) => {
                return Err(failure(format!("the server does not speak WebSocket: {why}")));
            }
        }
        Ok(())
    }
}

fn disconnect_error(how: &str) -> CheckError {
    failure(format!("the server ended a connection in the middle of the race: {how}"))
}

fn failure(summary: String) -> CheckError {
    Failure::new(FailureKind::Protocol, summary).into()
}
