//! Exercise 1: a server that welcomes each client and sends its messages back.
//!
//! Read `lessons/02-the-handshake.md` and `lessons/03-echo.md`, then fill in the TODOs in order.
//! `cargo test -p checker echo::` grades this file. `cargo run -p echo` runs it.

// Delete this line when all TODOs are done.
#![allow(unreachable_code, unused_imports, unused_mut, unused_variables)]

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;
use std::{env, process};

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Message, Result};
use tokio_tungstenite::{WebSocketStream, accept_async};

type Client = WebSocketStream<TcpStream>;

#[tokio::main]
async fn main() {
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
                // One task per client: a slow client delays no other.
                tokio::spawn(serve(stream));
            }
            // Too many open files, for example. Retry when some connections have closed.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Serves one client, from the handshake to the end of its connection.
async fn serve(stream: TcpStream) {
    // Nagle's algorithm would delay the second of two small writes by up to 40 ms.
    let _ = stream.set_nodelay(true);

    // TODO 1: Do the handshake with `accept_async(stream)`. Return if it fails. Put a `timeout` of
    // five seconds around it, and return when that elapses. (The limit is not graded.)
    // [echo::handshake]
    // See lessons/03-echo.md#accepting-a-client
    let mut ws: Client = todo!("TODO 1: do the handshake");

    // TODO 2: Call `log("Client connected")` before the session and `log("Client disconnected")`
    // after it, however it ended. [echo::log, abrupt]
    // See lessons/03-echo.md#the-end-of-a-connection
    let _ = run_session(&mut ws).await; // An error ends the session like a close frame does.
}

/// Exchanges messages with one client until the connection ends.
async fn run_session(ws: &mut Client) -> Result<()> {
    // TODO 3: Send the text `Welcome! Connection established.` [echo::welcome]
    // See lessons/03-echo.md#the-first-message

    // TODO 4: Read messages with `next()` until it returns `None`. For each text `M`, log
    // `Received: M` and send the text `Server received: M`.
    // [echo::reply, order, payloads, concurrent]
    // See lessons/03-echo.md#message-after-message

    // TODO 5: In that loop, answer a binary message in the same way. Decode its bytes with
    // `String::from_utf8_lossy`. [echo::binary]
    // See lessons/03-echo.md#text-and-binary

    // TODO 6: In that loop, ignore all other messages and keep reading, also after a close frame:
    // the library answers pings and close frames while you read. [echo::ping, close, violations]
    // See lessons/03-echo.md#the-end-of-a-connection

    Ok(())
}

/// Prints one line for one event. `println!` would panic if stdout were closed.
fn log(event: impl Display) {
    let line = event.to_string().replace('\r', "\\r").replace('\n', "\\n");
    let _ = writeln!(io::stdout(), "{line}");
}
