//! Exercise 2: the echo server, which now notices when a client is gone that never said goodbye.
//!
//! Read `lessons/04-heartbeats.md`, fill in the TODOs below one after the other, and look after each how far you got:
//! `cargo test -p checker heartbeat::`.

use std::{env, process, time::Duration};

// Some of these wait for your code. Delete the line below when all of it is there.
#[allow(unused_imports)]
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
#[allow(unused_imports)]
use tokio::time::{interval_at, timeout};
#[allow(unused_imports)]
use tokio_tungstenite::{
    accept_async,
    tungstenite::{self, Bytes, Message},
};

#[tokio::main]
async fn main() {
    let beat = heartbeat_interval();
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_string());
    let listener = TcpListener::bind(&addr).await.unwrap_or_else(|error| {
        eprintln!("ADDR={addr:?}: {error} (wanted host:port, with a port that is free)");
        process::exit(2)
    });
    let local = listener.local_addr().expect("a bound listener has an address");
    println!("WebSocket server running on ws://{local}");

    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            if let Err(error) = serve(stream, beat).await {
                eprintln!("a connection ended with: {error}");
            }
        });
    }
}

/// The time between two pings, from `HEARTBEAT_INTERVAL_MS`: milliseconds, 30 seconds if it is not set.
fn heartbeat_interval() -> Duration {
    let text = env::var("HEARTBEAT_INTERVAL_MS").unwrap_or_else(|_| "30000".to_string());
    match text.parse() {
        Ok(millis @ 1..) => Duration::from_millis(millis),
        _ => {
            eprintln!("HEARTBEAT_INTERVAL_MS={text:?} (wanted a positive whole number of milliseconds)");
            process::exit(2)
        }
    }
}

/// Everything that happens on one connection, from the handshake to the end.
async fn serve(stream: TcpStream, beat: Duration) -> tungstenite::Result<()> {
    // TODO 1: bring over what `serve` does in your echo server, as it was when it was green.
    //         lessons/04-heartbeats.md#bring-the-echo-over     heartbeat::echo
    //
    // TODO 2: make an interval of `beat` once, before the loop, and let `tokio::select!` wait for the next message or
    //         the next tick, whichever comes first; at each tick send a ping.
    //         lessons/04-heartbeats.md#the-beat                heartbeat::pings, steady, interval, busy
    //
    // TODO 3: remember whether a pong has come since the last ping; if none has when the next tick comes, leave the
    //         loop, and return without a closing handshake: that drops the socket.
    //         lessons/04-heartbeats.md#who-is-dead             heartbeat::alive, dead, relapse, chatter, neighbours
    //
    // TODO 4: let no write last for ever: a client that has stopped reading blocks your `send`, and the ticks with it.
    //         lessons/04-heartbeats.md#a-blocked-write         heartbeat::stalled
    todo!("TODO 1: bring your echo server over for {stream:?} and a beat of {beat:?}")
}
