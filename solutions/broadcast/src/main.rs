//! Exercise 3, finished: the heartbeat server, which sends every message to every client.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU64;
use std::time::Duration;
use std::{env, process};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Result, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async};

type Client = WebSocketStream<TcpStream>;
/// The channel that carries each reply to all clients.
type Room = broadcast::Sender<Utf8Bytes>;

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

    // A client that reads may be 1,000 messages behind; 4096 of 1 KiB are 4 MiB, kept once.
    let room = Room::new(4096);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, period, room.clone()));
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Serves one client, from the handshake to the end of its connection.
async fn serve(stream: TcpStream, period: Duration, room: Room) {
    let _ = stream.set_nodelay(true);
    let handshake = timeout(Duration::from_secs(5), accept_async(stream)).await;
    let Ok(Ok(mut ws)) = handshake else { return };

    log("Client connected");
    let _ = run_session(&mut ws, period, &room).await;
    log("Client disconnected");
}

/// Exchanges messages between one client and the room until the connection ends.
async fn run_session(ws: &mut Client, period: Duration, room: &Room) -> Result<()> {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;

    // Before the welcome: a client that has received it must not miss a message.
    let mut inbox = room.subscribe();
    send(ws, Message::text("Welcome! Connection established."), period).await?;

    let mut alive = true;
    loop {
        tokio::select! {
            message = ws.next() => {
                let Some(message) = message else { return Ok(()) };
                let text = match message? {
                    Message::Text(text) => text.to_string(),
                    Message::Binary(data) => String::from_utf8_lossy(&data).to_string(),
                    Message::Pong(_) => {
                        alive = true;
                        continue;
                    }
                    _ => continue,
                };
                log(format!("Received: {text}"));
                // This never waits. It fails only without a subscriber, and `inbox` is one.
                let _ = room.send(format!("Server received: {text}").into());
            }
            reply = inbox.recv() => {
                // `Lagged`: this client lost messages. Disconnect it rather than leave a gap.
                let Ok(reply) = reply else { return Ok(()) };
                send(ws, Message::Text(reply), period).await?;
            }
            _ = ticks.tick() => {
                if !alive {
                    return Ok(());
                }
                alive = false;
                send(ws, Message::Ping(Bytes::new()), period).await?;
            }
        }
    }
}

/// Sends one message. Fails if that takes longer than `limit`: the client has stopped reading.
async fn send(ws: &mut Client, message: Message, limit: Duration) -> Result<()> {
    match timeout(limit, ws.send(message)).await {
        Ok(sent) => sent,
        Err(_elapsed) => Err(Error::Io(ErrorKind::TimedOut.into())),
    }
}

/// Prints one line for one event. `println!` would panic if stdout were closed.
fn log(event: impl Display) {
    let line = event.to_string().replace('\r', "\\r").replace('\n', "\\n");
    let _ = writeln!(io::stdout(), "{line}");
}
