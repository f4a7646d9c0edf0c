//! The client a check talks through: connect, send, expect.
//!
//! It speaks frames and not messages, since half of the checks are about frames that no well-behaved
//! library would send; and it answers pings only as long as it is told to.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use crate::evidence::Evidence;
use crate::verdict::{Checked, Failure, Kind, Trouble};
use crate::wire::frame::{Control, Data, Decoder, Frame, Item, OpCode, opcode_name};
use crate::wire::tap::{Connection, Plumbing, Tap};
use crate::wire::transcript::{Mark, hex, quoted};

/// How long a client waits for anything at all before it calls the server silent. Long enough to end only a
/// hang: no right server comes near it.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// The first message of every server.
pub const WELCOME: &str = "Welcome! Connection established.";
/// What a server puts before the text it sends back.
pub const PREFIX: &str = "Server received: ";

/// What a server answers to `message`.
pub fn reply_to(message: &str) -> String {
    format!("{PREFIX}{message}")
}

/// Waits for `event`, but no longer than `limit` as a busy machine counts it: time in which the checker itself
/// did not get to run is not held against the server.
pub async fn within<T>(limit: Duration, event: impl Future<Output = T>) -> Option<T> {
    const TICK: Duration = Duration::from_millis(50);
    let ticks = (limit.as_millis() / TICK.as_millis()).max(1);
    let patience = async {
        for _ in 0..ticks {
            tokio::time::sleep(TICK).await;
        }
    };
    tokio::select! {
        biased;
        event = event => Some(event),
        () = patience => None,
    }
}

/// Something that a client heard from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The HTTP response's head.
    Head(String),
    /// The beginning of a body after a refused upgrade.
    Body(String),
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A ping with its payload.
    Ping(Vec<u8>),
    /// A pong with its payload.
    Pong(Vec<u8>),
    /// A close frame: its status code, if it has one.
    Close(Option<u16>),
    /// Bytes or frames that RFC 6455 forbids a server to send.
    Violation(String),
    /// The TCP connection ended; `true` if it was reset.
    End(bool),
}

/// Something heard, when, and in which frame.
#[derive(Debug, Clone)]
pub struct Moment {
    /// What.
    pub heard: Heard,
    /// When the client read it.
    pub at: Instant,
    /// The number (from 0) of the frame that completed it.
    pub frame: usize,
}

/// A client of the server under test.
pub struct Client {
    /// Its connection as the tap sees it.
    pub connection: Arc<Connection>,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    written: watch::Receiver<u64>,
    queued: u64,
    inbox: mpsc::UnboundedReceiver<Moment>,
    held_back: VecDeque<Moment>,
    answers_pings: Arc<AtomicBool>,
    hang_up: Arc<Notify>,
    /// When each ping was heard that the client passed while waiting for something else.
    pub pings: Vec<Instant>,
    frame: usize,
}

impl Client {
    /// Opens a TCP connection to the server and says nothing.
    ///
    /// # Errors
    /// When the server doesn't accept.
    pub async fn open(tap: &Tap, plumbing: Plumbing, evidence: Arc<Evidence>) -> Checked<Self> {
        let (stream, connection) = match within(PATIENCE, tap.dial(plumbing)).await {
            Some(Ok(dialled)) => dialled,
            Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Err(refused("the port in the ready line refuses connections").into());
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(refused("the server resets a connection while it is made").into());
            }
            Some(Err(error)) => return Err(error.into()),
            None => return Err(refused("the server no longer accepts connections").into()),
        };
        evidence.connections.fetch_add(1, Ordering::Relaxed);
        Ok(Self::on(stream, connection, evidence))
    }

    fn on(stream: TcpStream, connection: Arc<Connection>, evidence: Arc<Evidence>) -> Self {
        let (mut from_server, mut to_server) = stream.into_split();
        let (outgoing, mut bytes) = mpsc::unbounded_channel::<Vec<u8>>();
        let (inbox_in, inbox) = mpsc::unbounded_channel();
        let (written_in, written) = watch::channel(0);
        let answers_pings = Arc::new(AtomicBool::new(true));
        let hang_up = Arc::new(Notify::new());
        let hanging_up = hang_up.clone();
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    biased;
                    next = bytes.recv() => next,
                    () = hanging_up.notified() => None,
                };
                let Some(bytes) = next else { break };
                if to_server.write_all(&bytes).await.is_err() {
                    return;
                }
                written_in.send_modify(|written| *written += bytes.len() as u64);
            }
            let _ = to_server.shutdown().await;
        });
        let mut ear = Ear {
            inbox: inbox_in,
            pongs: outgoing.downgrade(),
            answers_pings: answers_pings.clone(),
            evidence,
            message: None,
            frame: 0,
        };
        tokio::spawn(async move {
            let mut decoder = Decoder::new(usize::MAX);
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match from_server.read(&mut buffer).await {
                    Ok(0) => return ear.say(Heard::End(false)),
                    Err(_) => return ear.say(Heard::End(true)),
                    Ok(read) => decoder.feed(&buffer[..read], |item| ear.hear(item)),
                }
            }
        });
        Client {
            connection,
            outgoing,
            written,
            queued: 0,
            inbox,
            held_back: VecDeque::new(),
            answers_pings,
            hang_up,
            pings: Vec::new(),
            frame: 0,
        }
    }

    /// The client's number in the conversation, from 1.
    pub fn number(&self) -> usize {
        self.connection.number()
    }

    /// From now on pings go unanswered, as with a client whose machine is gone.
    pub fn stop_answering_pings(&self) {
        self.answers_pings.store(false, Ordering::Relaxed);
    }

    // Saying things

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: Vec<u8>) {
        self.queued += bytes.len() as u64;
        // When the server is gone the send is lost, and the client hears of the end by reading.
        let _ = self.outgoing.send(bytes);
    }

    /// Ends the connection without a word: FIN, when all that was sent is on its way.
    pub fn hang_up(self) {
        self.hang_up.notify_one();
    }

    /// Sends a frame, masked.
    pub fn send(&mut self, frame: Frame) {
        self.send_bytes(frame.masked(rand::random()).encode());
    }

    /// Sends a text message.
    pub fn send_text(&mut self, text: impl Into<String>) {
        self.send(Frame::new(OpCode::Data(Data::Text), text.into()));
    }

    /// Sends a close frame with this code, and from then on answers no ping: a server that has said goodbye need not
    /// read any more, and would meet a late pong with a reset.
    pub fn send_close(&mut self, code: u16, reason: &str) {
        self.stop_answering_pings();
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        self.send(Frame::new(OpCode::Control(Control::Close), payload));
    }

    /// A way to speak for this client while somebody else listens.
    pub fn mouth(&self) -> Mouth {
        Mouth { outgoing: self.outgoing.clone() }
    }

    /// How many of the bytes handed to `send…` the system has not taken yet.
    pub fn unsent(&self) -> u64 {
        self.queued.saturating_sub(*self.written.borrow())
    }

    /// Waits until the system has taken all but `rest` bytes. Never ends when the server doesn't read.
    pub async fn sent_but(&mut self, rest: u64) {
        let enough = self.queued.saturating_sub(rest);
        if self.written.wait_for(|written| *written >= enough).await.is_err() {
            std::future::pending().await
        }
    }

    /// Sends the request that opens a WebSocket connection, with further header lines if any; returns its key.
    pub fn send_request(&mut self, key: Option<&str>, more: &[&str]) -> String {
        let key = key.map_or_else(generate_key, str::to_string);
        let mut head = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        );
        for line in more {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        self.send_bytes(head.into_bytes());
        key
    }

    // Hearing things

    /// The next thing the server says, whatever it is.
    ///
    /// # Errors
    /// When it says nothing; `wanted` names what was waited for.
    pub async fn next(&mut self, wanted: &str) -> Checked<Moment> {
        if let Some(moment) = self.held_back.pop_front() {
            return Ok(moment);
        }
        match within(PATIENCE, self.inbox.recv()).await {
            Some(Some(moment)) => {
                self.frame = moment.frame;
                Ok(moment)
            }
            Some(None) => {
                Err(self.failure(Kind::EndedEarly, format!("the connection is over, and {wanted} never came")).into())
            }
            None => Err(self.silence(wanted)),
        }
    }

    /// The next thing that is neither ping nor pong; pings are noted in `pings`.
    ///
    /// # Errors
    /// When nothing comes.
    pub async fn next_but_heartbeats(&mut self, wanted: &str) -> Checked<Moment> {
        let passing_over = async {
            loop {
                let moment = self.next(wanted).await?;
                match moment.heard {
                    Heard::Ping(_) => self.pings.push(moment.at),
                    Heard::Pong(_) => {}
                    _ => return Ok(moment),
                }
            }
        };
        // Heartbeats that go on keep nobody waiting for ever.
        match within(PATIENCE, passing_over).await {
            Some(heard) => heard,
            None => Err(self.silence(wanted)),
        }
    }

    /// The head of the server's HTTP response.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn response(&mut self) -> Checked<String> {
        let moment = self.next("the answer to the upgrade request").await?;
        match moment.heard {
            Heard::Head(head) => Ok(head),
            heard => Err(self
                .failure(Kind::Handshake, "the upgrade request was not answered with an HTTP response")
                .expected("HTTP/1.1 101 Switching Protocols", describe(&heard))
                .at(Mark::Last { connection: self.number() })
                .into()),
        }
    }

    /// Waits for a text message and returns it.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn text(&mut self, wanted: &str) -> Checked<String> {
        let moment = self.next_but_heartbeats(wanted).await?;
        match moment.heard {
            Heard::Text(text) => Ok(text),
            _ => Err(self.instead(&moment, wanted)),
        }
    }

    /// Waits for a text message that must be `expected`; `wanted` names it in a sentence.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn expect_text(&mut self, expected: &str, wanted: &str) -> Checked {
        let moment = self.next_but_heartbeats(wanted).await.map_err(|trouble| match trouble {
            Trouble::Failed(mut failure) => {
                failure.expected = format!("the text {}", quoted(expected));
                Trouble::Failed(failure)
            }
            other => other,
        })?;
        match &moment.heard {
            Heard::Text(text) if text == expected => Ok(()),
            Heard::Text(text) => Err(self
                .failure(Kind::WrongMessage, format!("a text came that differs from {wanted}"))
                .literally(expected, text.as_str())
                .at(self.mark(&moment))
                .into()),
            _ => Err(self.instead(&moment, wanted)),
        }
    }

    /// Waits for the same text message so many times in a row.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn expect_times(&mut self, times: usize, expected: &str) -> Checked {
        for _ in 0..times {
            match self.inbox.try_recv() {
                Ok(Moment { heard: Heard::Text(text), .. }) if text == expected => {}
                Ok(moment) => {
                    self.held_back.push_back(moment);
                    self.expect_text(expected, "one of many messages").await?;
                }
                Err(_) => self.expect_text(expected, "one of many messages").await?,
            }
        }
        Ok(())
    }

    /// Waits for the server's answer to `message`.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn expect_reply(&mut self, message: &str) -> Checked {
        let wanted = format!("the reply to {}", quoted(message));
        self.expect_text(&reply_to(message), &wanted).await
    }

    /// Sends a text and waits for the answer.
    ///
    /// # Errors
    /// When something else comes, or nothing.
    pub async fn exchange(&mut self, message: &str) -> Checked {
        self.send_text(message);
        self.expect_reply(message).await
    }

    /// Waits for the next ping and says when it came. Messages are no fault here, and are passed over.
    ///
    /// # Errors
    /// When the connection ends or nothing comes.
    pub async fn ping(&mut self) -> Checked<Instant> {
        let passing_over = async {
            loop {
                let moment = self.next("a ping").await?;
                match moment.heard {
                    Heard::Ping(_) => {
                        self.pings.push(moment.at);
                        return Ok(moment.at);
                    }
                    Heard::Pong(_) | Heard::Text(_) | Heard::Binary(_) => {}
                    _ => return Err(self.instead(&moment, "a ping")),
                }
            }
        };
        match within(PATIENCE, passing_over).await {
            Some(heard) => heard,
            None => Err(self.silence("a ping")),
        }
    }

    /// Waits until the TCP connection ends, whatever is said until then, and says when it did.
    ///
    /// # Errors
    /// When it goes on and nothing is said.
    pub async fn end(&mut self) -> Checked<Instant> {
        let passing_over = async {
            loop {
                let Ok(moment) = self.next("the end of the TCP connection").await else { return None };
                match moment.heard {
                    Heard::End(_) => return Some(moment.at),
                    Heard::Ping(_) => self.pings.push(moment.at),
                    _ => {}
                }
            }
        };
        if let Some(Some(ended)) = within(PATIENCE, passing_over).await {
            return Ok(ended);
        }
        let got = format!("still open after {} s", PATIENCE.as_secs());
        let failure = self.failure(Kind::StillOpen, "the TCP connection is still open");
        Err(failure
            .expected("the server ends the TCP connection", got)
            .at(Mark::Last { connection: self.number() })
            .into())
    }

    /// What has been heard by now and not yet been asked for.
    pub fn overheard(&mut self) -> Vec<Moment> {
        let mut moments: Vec<Moment> = self.held_back.drain(..).collect();
        while let Ok(moment) = self.inbox.try_recv() {
            moments.push(moment);
        }
        moments
    }

    // Saying what went wrong

    /// A failure that shows this client's conversation.
    pub fn failure(&self, kind: Kind, summary: impl Into<String>) -> Failure {
        Failure::new(kind, summary).about([self.number()])
    }

    /// The mark for what was just heard.
    pub fn mark(&self, moment: &Moment) -> Mark {
        match moment.heard {
            Heard::End(_) | Heard::Head(_) | Heard::Body(_) | Heard::Violation(_) => {
                Mark::Last { connection: self.number() }
            }
            _ => Mark::Received { connection: self.number(), frame: moment.frame },
        }
    }

    fn silence(&self, wanted: &str) -> Trouble {
        self.failure(Kind::Silence, format!("the server stays silent: {wanted} never came"))
            .expected(wanted, format!("nothing for {} s", PATIENCE.as_secs()))
            .at(Mark::Last { connection: self.number() })
            .into()
    }

    /// The failure for something that came in place of what was `wanted`.
    pub fn instead(&self, moment: &Moment, wanted: &str) -> Trouble {
        let got = describe(&moment.heard);
        let (kind, summary) = match &moment.heard {
            Heard::End(_) => (Kind::EndedEarly, format!("the connection ended, and {wanted} never came")),
            Heard::Close(_) => (Kind::EndedEarly, format!("the server closed, and {wanted} never came")),
            Heard::Violation(what) => (Kind::Protocol, format!("the server broke the rules for frames: {what}")),
            Heard::Binary(_) => (Kind::WrongMessage, format!("a binary message came in place of {wanted}")),
            _ => (Kind::Unexpected, format!("something else came in place of {wanted}")),
        };
        self.failure(kind, summary).expected(wanted, got).at(self.mark(moment)).into()
    }
}

/// Speaks for a client.
pub struct Mouth {
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
}

impl Mouth {
    /// Sends a frame, masked.
    pub fn say(&self, frame: Frame) {
        let _ = self.outgoing.send(frame.masked(rand::random()).encode());
    }
}

fn refused(summary: &str) -> Failure {
    Failure::new(Kind::DoesNotStart, summary)
        .expected("a server that accepts connections", "connection refused")
        .hint("The port in the ready line must be the one of listener.local_addr(), and accept() must be called again after each connection.")
}

/// What was heard, in words.
pub fn describe(heard: &Heard) -> String {
    match heard {
        Heard::Head(head) => head.lines().next().unwrap_or_default().to_string(),
        Heard::Body(body) => quoted(body),
        Heard::Text(text) => format!("the text {}", quoted(text)),
        Heard::Binary(bytes) => format!("a binary message of {} bytes: {}", bytes.len(), hex(bytes, 12)),
        Heard::Ping(_) => "a ping".to_string(),
        Heard::Pong(payload) => format!("a pong with the payload {}", quoted(&String::from_utf8_lossy(payload))),
        Heard::Close(Some(code)) => format!("a close frame with code {code}"),
        Heard::Close(None) => "a close frame without a code".to_string(),
        Heard::Violation(what) => what.clone(),
        Heard::End(false) => "the end of the TCP connection".to_string(),
        Heard::End(true) => "a reset of the TCP connection".to_string(),
    }
}

/// Listens to one connection: puts messages together, answers pings, and holds the server to RFC 6455.
struct Ear {
    inbox: mpsc::UnboundedSender<Moment>,
    pongs: mpsc::WeakUnboundedSender<Vec<u8>>,
    answers_pings: Arc<AtomicBool>,
    evidence: Arc<Evidence>,
    message: Option<(Data, Vec<u8>)>,
    frame: usize,
}

impl Ear {
    fn say(&mut self, heard: Heard) {
        let count = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        match heard {
            Heard::Text(_) | Heard::Binary(_) => count(&self.evidence.messages),
            Heard::Ping(_) => count(&self.evidence.pings),
            Heard::Pong(_) => count(&self.evidence.pongs),
            Heard::Close(_) => count(&self.evidence.closes),
            Heard::End(_) => count(&self.evidence.ends),
            _ => {}
        }
        // The check may be over before the connection is.
        let _ = self.inbox.send(Moment { heard, at: Instant::now(), frame: self.frame });
    }

    fn hear(&mut self, item: Item) {
        match item {
            Item::Head(head) => self.say(Heard::Head(head)),
            Item::Body(body) => self.say(Heard::Body(body)),
            Item::Garbage(bytes, why) => {
                self.say(Heard::Violation(format!("bytes that are no frame ({why}): {}", hex(&bytes, 8))));
            }
            Item::Frame(frame) => {
                self.hear_frame(frame);
                self.frame += 1;
            }
        }
    }

    fn hear_frame(&mut self, frame: Frame) {
        if let Some(violation) = violation(&frame, self.message.is_some()) {
            return self.say(Heard::Violation(violation));
        }
        match frame.opcode {
            OpCode::Control(Control::Ping) => {
                if self.answers_pings.load(Ordering::Relaxed)
                    && let Some(pongs) = self.pongs.upgrade()
                {
                    let pong = Frame::new(OpCode::Control(Control::Pong), frame.payload.clone());
                    let _ = pongs.send(pong.masked(rand::random()).encode());
                }
                self.say(Heard::Ping(frame.payload));
            }
            OpCode::Control(Control::Pong) => self.say(Heard::Pong(frame.payload)),
            OpCode::Control(_) => self.say(Heard::Close(frame.close_code())),
            OpCode::Data(data) => {
                let (kind, mut message) = self.message.take().unwrap_or((data, Vec::new()));
                message.extend_from_slice(&frame.payload);
                if !frame.fin {
                    self.message = Some((kind, message));
                } else if kind == Data::Binary {
                    self.say(Heard::Binary(message));
                } else {
                    self.say(match String::from_utf8(message) {
                        Ok(text) => Heard::Text(text),
                        Err(_) => Heard::Violation("a text message that is not valid UTF-8 (section 8.1)".to_string()),
                    });
                }
            }
        }
    }
}

/// What RFC 6455 has against this frame of a server, if anything.
fn violation(frame: &Frame, in_message: bool) -> Option<String> {
    let name = opcode_name(frame.opcode);
    let control = matches!(frame.opcode, OpCode::Control(_));
    let complaint = if frame.mask.is_some() {
        format!("a masked {name} frame; only clients mask (section 5.1)")
    } else if frame.reserved_bits {
        format!("a {name} frame with a reserved bit set, though no extension was agreed on (section 5.2)")
    } else if control && !frame.fin {
        format!("a fragmented {name} frame; control frames can't be (section 5.5)")
    } else if control && frame.len > 125 {
        format!("a {name} frame of {} bytes; control frames have at most 125 (section 5.5)", frame.len)
    } else if frame.opcode == OpCode::Control(Control::Close) && frame.len == 1 {
        "a close frame with half a status code (section 5.5.1)".to_string()
    } else if frame.opcode == OpCode::Data(Data::Continue) && !in_message {
        "a continuation frame with nothing to continue (section 5.4)".to_string()
    } else if !control && frame.opcode != OpCode::Data(Data::Continue) && in_message {
        format!("a {name} frame in the middle of another message (section 5.4)")
    } else {
        return None;
    };
    Some(complaint)
}
