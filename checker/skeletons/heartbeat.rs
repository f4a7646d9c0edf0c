//! Exercise 2: the echo server, which also detects dead connections.
//!
//! Read `lessons/04-heartbeats.md`, then fill in the TODOs in order.
//! `cargo test -p checker heartbeat::` grades this file. `cargo run -p heartbeat` runs it.

// Delete this line when all TODOs are done.
#![allow(dead_code, unreachable_code, unused_imports, unused_mut, unused_variables)]

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU64;
use std::time::Duration;
use std::{env, process};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Result};
use tokio_tungstenite::{WebSocketStream, accept_async};

type Client = WebSocketStream<TcpStream>;

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

    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, period));
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Serves one client, from the handshake to the end of its connection.
async fn serve(stream: TcpStream, period: Duration) {
    let _ = stream.set_nodelay(true);
    let handshake = timeout(Duration::from_secs(5), accept_async(stream)).await;
    let Ok(Ok(mut ws)) = handshake else { return };

    log("Client connected");
    let _ = run_session(&mut ws, period).await;
    log("Client disconnected");
}

/// Exchanges messages with one client until the connection ends or a ping stays unanswered.
async fn run_session(ws: &mut Client, period: Duration) -> Result<()> {
    let mut ticks = interval(period);
    // After a late tick, the next one waits a whole period: the client's time to answer.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await; // The first tick completes at once.

    // TODO 1: Bring over the body of `run_session` from your echo server. [heartbeat::echo]
    // See lessons/04-heartbeats.md#bring-the-echo-over
    todo!("TODO 1: bring the echo server over");

    // TODO 2: In the loop, wait for the next message and for `ticks.tick()` at the same time, with
    // `tokio::select!`. At each tick, send `Message::Ping(Bytes::new())`.
    // [heartbeat::pings, steady, interval, busy]
    // See lessons/04-heartbeats.md#waiting-for-two-things

    // TODO 3: Remember whether a `Message::Pong` has arrived since the last ping. At a tick without
    // one, return without a close frame. [heartbeat::alive, dead, relapse, chatter, neighbours]
    // See lessons/04-heartbeats.md#a-pong-counts-for-one-interval
}

/// Sends one message. Fails if that takes longer than `limit`: the client has stopped reading.
async fn send(ws: &mut Client, message: Message, limit: Duration) -> Result<()> {
    // TODO 4: `ws.send` waits as long as the client does not read, and meanwhile no tick is
    // handled. Put a `timeout` of `limit` around it, and return an error when that elapses. Use
    // this function for every send: welcome, reply and ping. [heartbeat::stalled]
    // See lessons/04-heartbeats.md#when-a-write-blocks
    ws.send(message).await
}

/// Prints one line for one event. `println!` would panic if stdout were closed.
fn log(event: impl Display) {
    let line = event.to_string().replace('\r', "\\r").replace('\n', "\\n");
    let _ = writeln!(io::stdout(), "{line}");
}
