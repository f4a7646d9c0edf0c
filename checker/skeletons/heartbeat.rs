//! Exercise 2: the echo server, which now notices when a client is dead.
//!
//! Read `lessons/04-heartbeats.md`, then fill in the TODOs below, in their order.
//! `cargo test -p checker heartbeat::` says how far you are. `cargo run -p heartbeat` runs it.

use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::time::Duration;
use std::{env, process};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, sleep};
// Beside what your echo server needs:
// use tokio::time::MissedTickBehavior;
// use tokio_tungstenite::tungstenite::Bytes;

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

    // TODO 1: Bring over what your echo server does here, from its TODO 1 to its end.
    // [heartbeat::echo]
    // See lessons/04-heartbeats.md#bring-the-echo-over
    todo!("TODO 1: bring the echo server over");

    // TODO 2: Wait for a message and for `beat.tick()` in the same place, with `tokio::select!`, and
    // send `Message::Ping(Bytes::new())` at each beat. [heartbeat::pings, steady, interval, busy]
    // See lessons/04-heartbeats.md#waiting-for-two-things

    // TODO 3: Remember whether a `Message::Pong` came since the last ping; at a beat when none did,
    // leave the loop without any farewell. [heartbeat::alive, dead, relapse, chatter, neighbours]
    // See lessons/04-heartbeats.md#a-pong-counts-for-one-beat

    // TODO 4: Late beats must not be made up for in a burst, nor cut short the time that a client has
    // to answer: choose another `MissedTickBehavior`. [heartbeat::steady, alive]
    // See lessons/04-heartbeats.md#when-a-beat-is-late

    // TODO 5: Sending waits for ever once the client reads no more, and no beat comes meanwhile: put
    // a `timeout` of one period around each send, and leave if it passes. [heartbeat::stalled]
    // See lessons/04-heartbeats.md#when-a-write-hangs
}

/// Prints one line. `println!` would panic when nobody reads our output any more.
fn log(event: impl Display) {
    let line = event.to_string().replace('\r', "\\r").replace('\n', "\\n");
    let _ = writeln!(io::stdout(), "{line}");
}
