//! Exercise 1: a server that greets each client and sends its messages back.
//!
//! Read `lessons/02-the-handshake.md` and `lessons/03-echo.md`, then fill in the TODOs below, in
//! their order. `cargo test -p checker echo::` says how far you are. `cargo run -p echo` runs it.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;
use std::{env, process};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
// From TODO 1 on you will need:
// use futures_util::{SinkExt, StreamExt};
// use tokio::time::timeout;
// use tokio_tungstenite::accept_async;
// use tokio_tungstenite::tungstenite::Message;

#[tokio::main]
async fn main() {
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&addr).await.unwrap_or_else(|error| {
        eprintln!("ADDR={addr:?}: {error} (wanted host:port, with a port that is free)");
        process::exit(2)
    });
    let local = listener.local_addr().expect("it is bound");
    log(format!("WebSocket server running on ws://{local}"));

    loop {
        match listener.accept().await {
            // Each client has a task of its own, so that none has to wait for another.
            Ok((stream, _)) => drop(tokio::spawn(serve(stream))),
            // Too many open connections, perhaps: try again when some have gone.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// All that happens with one client, from the first byte to the last.
async fn serve(stream: TcpStream) {
    // Small messages are to leave at once, without waiting to be joined by others.
    if stream.set_nodelay(true).is_err() {
        return; // the client is gone already
    }

    // TODO 1: Do the handshake with `accept_async`, giving up after five seconds (`timeout`) or if it
    // fails; then log `Client connected`. [echo::handshake]
    // See lessons/03-echo.md#accepting-a-client
    todo!("TODO 1: do the handshake");

    // TODO 2: Send the text `Welcome! Connection established.` before anything else. [echo::welcome]
    // See lessons/03-echo.md#the-first-message

    // TODO 3: Read message after message until there are no more, and answer each text `M` with
    // the text `Server received: M`; log `Received: M`. [echo::reply, order, payloads, concurrent]
    // See lessons/03-echo.md#message-after-message

    // TODO 4: Answer a binary message in the same way, its bytes taken for UTF-8 as far as they
    // are (`String::from_utf8_lossy`). [echo::binary]
    // See lessons/03-echo.md#text-and-binary

    // TODO 5: Leave pings and close frames to the library, which answers them as long as you go on
    // reading; stop at `None` or an error, not at the close frame. [echo::ping, close, violations]
    // See lessons/03-echo.md#the-end-of-a-connection

    // TODO 6: However it ended, log `Client disconnected`, once. [echo::abrupt, log]
    // See lessons/03-echo.md#the-end-of-a-connection
}

/// Prints one line. `println!` would panic when nobody reads our output any more.
fn log(event: impl Display) {
    let line = event.to_string().replace('\r', "\\r").replace('\n', "\\n");
    let _ = writeln!(io::stdout(), "{line}");
}
