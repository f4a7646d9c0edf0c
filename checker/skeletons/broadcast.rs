//! Exercise 3: the heartbeat server, where everyone hears what anyone says.
//!
//! Read `lessons/05-broadcast.md`, then fill in the TODOs below, in their order.
//! `cargo test -p checker broadcast::` says how far you are. `cargo run -p broadcast` runs it.

use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::time::Duration;
use std::{env, process};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep};
// Beside what your heartbeat server needs:
// use tokio::sync::broadcast;
// use tokio_tungstenite::tungstenite::Utf8Bytes;

#[tokio::main]
async fn main() {
    let millis = env::var("HEARTBEAT_INTERVAL_MS").unwrap_or_else(|_| "30000".to_owned());
    let millis: NonZeroU64 = millis.parse().unwrap_or_else(|error| {
        eprintln!("HEARTBEAT_INTERVAL_MS={millis:?}: {error} (wanted a positive integer)");
        process::exit(2)
    });
    let period = Duration::from_millis(millis.get());

    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&addr).await.unwrap_or_else(|error| {
        eprintln!("ADDR={addr:?}: {error} (wanted host:port, with a port that is free)");
        process::exit(2)
    });
    let local = listener.local_addr().expect("it is bound");
    log(format!("WebSocket server running on ws://{local}"));

    // TODO 2: Make the one channel that all messages go through, a `broadcast::Sender<Utf8Bytes>` with
    // room for 4096 messages, and give each task a clone of it. [broadcast::everyone]
    // See lessons/05-broadcast.md#who-is-everyone
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, period))),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// All that happens with one client, from the first byte to the last.
async fn serve(stream: TcpStream, period: Duration) {
    if stream.set_nodelay(true).is_err() {
        return; // the client is gone already
    }
    let mut beat = interval(period);
    beat.tick().await; // the first tick comes at once, and is no beat yet

    // TODO 1: Bring over what your heartbeat server does here. [broadcast::welcome, heartbeat]
    // See lessons/05-broadcast.md#bring-the-heartbeat-over
    todo!("TODO 1: bring the heartbeat server over");

    // TODO 3: Subscribe to the channel after the handshake and before the welcome: earlier is too
    // much, and later may be too late. [broadcast::latecomer, everyone]
    // See lessons/05-broadcast.md#when-to-subscribe

    // TODO 4: Don't send the reply to the client, but into the channel; and send to the client what
    // comes out of it, in a third arm of `select!`. [broadcast::everyone, order, agreement, leaver]
    // See lessons/05-broadcast.md#into-the-channel-and-out-of-it

    // TODO 5: `recv()` fails with `Lagged` for a client so slow that messages are lost to it: leave,
    // don't wait for it and don't go on with a gap. [broadcast::crowd, slow]
    // See lessons/05-broadcast.md#the-slow-client
}

/// Prints one line. `println!` would panic when nobody reads our output any more.
fn log(event: impl Display) {
    let line = event.to_string().replace('\r', "\\r").replace('\n', "\\n");
    let _ = writeln!(io::stdout(), "{line}");
}
