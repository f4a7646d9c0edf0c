//! Exercise 2, finished: the echo server, which also detects dead connections.

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

    send(ws, Message::text("Welcome! Connection established."), period).await?;

    let mut alive = true; // Has a pong arrived since the last ping?
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
                send(ws, Message::text(format!("Server received: {text}")), period).await?;
            }
            _ = ticks.tick() => {
                if !alive {
                    return Ok(()); // No close frame: nothing would read it.
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
