//! Exercise 3: the heartbeat server, which sends every message to every client.
//!
//! Read `lessons/05-broadcast.md`, then fill in the TODOs in the order of their numbers.
//! `cargo test -p checker broadcast::` grades this file. `cargo run -p broadcast` runs it.

// Delete this line when all TODOs are done.
#![allow(dead_code, unreachable_code, unused_imports, unused_mut, unused_variables)]

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

    // TODO 5: One message is not enough: a client that reads may be 1,000 messages behind. Choose a
    // capacity that leaves room and costs little, such as 4096. [broadcast::crowd, slow]
    // See lessons/05-broadcast.md#the-slow-client
    let room = Room::new(1);
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
    // TODO 2: Subscribe to the room here: after the handshake and before the welcome. Earlier is
    // too much, later may be too late. [broadcast::latecomer, everyone]
    // See lessons/05-broadcast.md#when-to-subscribe

    // TODO 1: Bring over the body of `run_session` from your heartbeat server.
    // [broadcast::welcome, heartbeat]
    // See lessons/05-broadcast.md#bring-the-heartbeat-over
    todo!("TODO 1: bring the heartbeat server over");

    // TODO 3: In the loop, send the reply into the room instead of to the client. In a third branch
    // of `select!`, send to the client what `recv()` returns.
    // [broadcast::everyone, order, agreement, leaver]
    // See lessons/05-broadcast.md#into-the-channel-and-out-of-it

    // TODO 4: `recv()` returns the error `Lagged` when this client has missed messages. Return, so
    // that the connection ends: don't wait for the client, and don't leave a gap. [broadcast::slow]
    // See lessons/05-broadcast.md#the-slow-client
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
