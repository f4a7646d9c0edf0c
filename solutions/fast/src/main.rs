//! `solutions/broadcast`, tuned in the steps of lesson 7. With the argument `echo`, an echo server.

use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU64;
use std::sync::Mutex;
use std::time::Duration;
use std::{env, process};

use futures_util::stream::ReadyChunks;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::yield_now;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Result, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

type Client = ReadyChunks<WebSocketStream<TcpStream>>;
/// The channel that carries each reply to all clients.
type Room = broadcast::Sender<Utf8Bytes>;
type Inbox = broadcast::Receiver<Utf8Bytes>;

/// The lines that are not printed yet.
static LOG: Mutex<String> = Mutex::new(String::new());

#[tokio::main]
async fn main() {
    let millis = env::var("HEARTBEAT_INTERVAL_MS").unwrap_or_else(|_| "30000".to_string());
    let millis: NonZeroU64 = millis.parse().unwrap_or_else(|error| {
        eprintln!("HEARTBEAT_INTERVAL_MS={millis:?}: {error} (expected a positive integer)");
        process::exit(2)
    });
    let period = Duration::from_millis(millis.get());

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_string());
    let listener = TcpListener::bind(&addr).await.unwrap_or_else(|error| {
        eprintln!("ADDR={addr:?}: {error} (expected host:port with a free port)");
        process::exit(2)
    });
    let local = listener.local_addr().expect("a bound listener has an address");
    log(format!("WebSocket server running on ws://{local}"));
    print_log();

    // A client that reads may be 1,000 messages behind; 4096 of 1 KiB are 4 MiB, kept once.
    let room = Room::new(4096);
    // With the argument `echo`, each client is alone in a room of its own.
    let echo = env::args().nth(1).is_some_and(|mode| mode == "echo");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Enough for one client: `send` empties the inbox before the next read.
                let room = if echo { Room::new(64) } else { room.clone() };
                tokio::spawn(serve(stream, period, room));
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Serves one client, from the handshake to the end of its connection.
async fn serve(stream: TcpStream, period: Duration, room: Room) {
    let _ = stream.set_nodelay(true);
    // The default is 128 KiB. The library fills it with zeros before each attempt to read.
    let config = WebSocketConfig::default().read_buffer_size(4 << 10);
    let handshake = accept_async_with_config(stream, Some(config));
    let handshake = timeout(Duration::from_secs(5), handshake).await;
    let Ok(Ok(ws)) = handshake else { return };
    // `next` returns all messages that have arrived, but at most 32: the room must have space for
    // the messages of 100 clients.
    let mut ws = ws.ready_chunks(32);

    log("Client connected");
    let _ = run_session(&mut ws, period, &room).await;
    log("Client disconnected");
    print_log();
}

/// Exchanges messages between one client and the room until the connection ends.
async fn run_session(ws: &mut Client, period: Duration, room: &Room) -> Result<()> {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;

    // Before the welcome: a client that has received it must not miss a message.
    let mut inbox = room.subscribe();
    ws.feed(Message::text("Welcome! Connection established.")).await?;
    send(ws, &mut inbox, period).await?;

    let mut alive = true;
    loop {
        tokio::select! {
            messages = ws.next() => {
                let Some(messages) = messages else { return Ok(()) };
                for message in messages {
                    let text = match message? {
                        Message::Text(text) => text,
                        Message::Binary(data) => String::from_utf8_lossy(&data).into_owned().into(),
                        Message::Pong(_) => {
                            alive = true;
                            continue;
                        }
                        _ => continue,
                    };
                    log(format_args!("Received: {text}"));
                    // This never waits. It fails only without a subscriber, and `inbox` is one.
                    let _ = room.send(["Server received: ", &text].concat().into());
                }
                // The other clients' tasks take these messages before more are read.
                yield_now().await;
            }
            reply = inbox.recv() => {
                // `Lagged`: this client lost messages. Disconnect it rather than leave a gap.
                let Ok(reply) = reply else { return Ok(()) };
                // `feed` never waits here: the buffer is empty after `send`.
                ws.feed(Message::Text(reply)).await?;
            }
            _ = ticks.tick() => {
                if !alive {
                    return Ok(());
                }
                alive = false;
                ws.feed(Message::Ping(Bytes::new())).await?;
            }
        }
        send(ws, &mut inbox, period).await?;
    }
}

/// Feeds all replies that are ready and flushes once. Fails if the client has lost a reply, or if
/// that takes longer than `limit`: the client has stopped reading.
async fn send(ws: &mut Client, inbox: &mut Inbox, limit: Duration) -> Result<()> {
    let ready = async {
        for _ in 0..inbox.len() {
            let reply = inbox.try_recv().map_err(|_lagged| Error::ConnectionClosed)?;
            ws.feed(Message::Text(reply)).await?;
        }
        print_log();
        ws.flush().await
    };
    match timeout(limit, ready).await {
        Ok(sent) => sent,
        Err(_elapsed) => Err(Error::Io(ErrorKind::TimedOut.into())),
    }
}

/// Keeps one line for one event until `print_log`.
fn log(event: impl Display) {
    let mut log = LOG.lock().expect("no panic holds the lock");
    let start = log.len();
    let _ = write!(log, "{event}");
    // A line break is rare. Two fast searches cost less than two copies.
    if log[start..].contains('\r') || log[start..].contains('\n') {
        let line = log[start..].replace('\r', "\\r").replace('\n', "\\n");
        log.replace_range(start.., &line);
    }
    log.push('\n');
}

/// Prints all lines with one write. `print!` would panic if stdout were closed.
fn print_log() {
    let mut log = LOG.lock().expect("no panic holds the lock");
    let _ = io::stdout().write_all(log.as_bytes());
    log.clear();
}
