//! Exercise 3: the heartbeat server, in which everybody hears what anybody says.
//!
//! Read `lessons/05-broadcast.md`, fill in the TODOs below one after the other, and look after each how far you got:
//! `cargo test -p checker broadcast::`.

use std::{env, process, time::Duration};

// Some of these wait for your code. Delete the line below when all of it is there.
#[allow(unused_imports)]
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
#[allow(unused_imports)]
use tokio::{
    sync::broadcast,
    time::{interval_at, timeout},
};
#[allow(unused_imports)]
use tokio_tungstenite::{
    accept_async,
    tungstenite::{self, Bytes, Message, Utf8Bytes},
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

    // TODO 2: make one `broadcast::channel` for the whole server, with room for more than 1,000 messages, and give
    //         each task a clone of its sender.
    //         lessons/05-broadcast.md#one-channel-for-all
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
    // TODO 1: bring over what `serve` does in your heartbeat server, as it was when it was green.
    //         lessons/05-broadcast.md#bring-the-heartbeat-over     broadcast::heartbeat
    //
    // TODO 3: subscribe to the channel before you send the welcome, so that nothing said after it is missed; the
    //         welcome itself goes to this client alone.
    //         lessons/05-broadcast.md#when-to-subscribe            broadcast::welcome, latecomer
    //
    // TODO 4: send the reply to a message into the channel instead of back to its sender.
    //         lessons/05-broadcast.md#everyone                     broadcast::everyone
    //
    // TODO 5: let `tokio::select!` wait for the channel too, and send to this client what comes out of it.
    //         lessons/05-broadcast.md#everyone                     broadcast::order, agreement, leaver, latency::push
    //
    // TODO 6: a client that doesn't keep up gets `RecvError::Lagged`: it has lost messages, so drop the connection.
    //         lessons/05-broadcast.md#slow-clients                 broadcast::crowd, slow
    todo!("TODO 1: bring your heartbeat server over for {stream:?} and a beat of {beat:?}")
}
