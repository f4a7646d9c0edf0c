//! Exercise 1: a server that welcomes every client and sends back what it says.
//!
//! Read `lessons/02-the-handshake.md` and `lessons/03-echo.md`, fill in the TODOs below one after the other, and look
//! after each how far you got: `cargo test -p checker echo::`.

use std::{env, process};

// Some of these wait for your code. Delete the line below when all of it is there.
#[allow(unused_imports)]
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
#[allow(unused_imports)]
use tokio_tungstenite::{
    accept_async,
    tungstenite::{self, Message},
};

#[tokio::main]
async fn main() {
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_string());
    let listener = TcpListener::bind(&addr).await.unwrap_or_else(|error| {
        eprintln!("ADDR={addr:?}: {error} (wanted host:port, with a port that is free)");
        process::exit(2)
    });
    let local = listener.local_addr().expect("a bound listener has an address");
    println!("WebSocket server running on ws://{local}");

    // One task for each client: this loop must never wait for any of them.
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            if let Err(error) = serve(stream).await {
                eprintln!("a connection ended with: {error}");
            }
        });
    }
}

/// Everything that happens on one connection, from the handshake to the end.
async fn serve(stream: TcpStream) -> tungstenite::Result<()> {
    // TODO 1: make a WebSocket of the TCP stream, and print `Client connected` when the handshake is done.
    //         lessons/03-echo.md#from-stream-to-websocket      echo::handshake
    //
    // TODO 2: before you read anything, send the text `Welcome! Connection established.`
    //         lessons/03-echo.md#the-first-message             echo::welcome
    //
    // TODO 3: for each text message M, print `Received: M` and send back `Server received: M`.
    //         lessons/03-echo.md#the-loop                      echo::reply, order, payloads, concurrent, ping
    //
    // TODO 4: treat a binary message as text, whatever its bytes are.
    //         lessons/03-echo.md#bytes-are-not-text            echo::binary
    //
    // TODO 5: let the loop run until there are no more messages, so that the library can answer a close frame, and
    //         print `Client disconnected` however the loop ended, by an error too.
    //         lessons/03-echo.md#how-connections-end           echo::close, abrupt, violations, log
    todo!("TODO 1: make a WebSocket of {stream:?}")
}
