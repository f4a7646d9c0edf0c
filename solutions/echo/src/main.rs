//! Exercise 1, finished: a server that welcomes each client and sends its messages back.

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

    // A client that never finishes the handshake is given up after five seconds.
    let handshake = timeout(Duration::from_secs(5), accept_async(stream)).await;
    let Ok(Ok(mut ws)) = handshake else { return };

    log("Client connected");
    let _ = run_session(&mut ws).await; // An error ends the session like a close frame does.
    log("Client disconnected");
}

/// Exchanges messages with one client until the connection ends.
async fn run_session(ws: &mut Client) -> Result<()> {
    ws.send(Message::text("Welcome! Connection established.")).await?;

    while let Some(message) = ws.next().await {
        let text = match message? {
            Message::Text(text) => text.to_string(),
            Message::Binary(data) => String::from_utf8_lossy(&data).to_string(),
            // The library answers pings and close frames while this loop keeps reading.
            _ => continue,
        };
        log(format!("Received: {text}"));
        ws.send(Message::text(format!("Server received: {text}"))).await?;
    }
    Ok(())
}

/// Prints one line for one event. `println!` would panic if stdout were closed.
fn log(event: impl Display) {
    let line = event.to_string().replace('\r', "\\r").replace('\n', "\\n");
    let _ = writeln!(io::stdout(), "{line}");
}
