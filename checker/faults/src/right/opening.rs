//! `heartbeat` with an `interval` for each connection. Its first tick, and so the first ping, comes
//! at once, as with tokio's plain `interval`, or a moment later.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{accept, beat, greet, listen, reply, text_of};
use crate::config::Config;
use crate::log::Log;

/// The delay of the first ping to every second client, as on a busy runtime.
const FIRST_TURN: Duration = Duration::from_millis(20);

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    let mut wait = Duration::ZERO;
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(client(stream, wait, config.interval, log.clone()));
        wait = FIRST_TURN - wait;
    }
}

async fn client(stream: TcpStream, wait: Duration, period: Duration, log: Log) {
    let Some(mut ws) = greet(stream, &log).await else {
        return;
    };
    let alive = AtomicBool::new(true);
    let (pings, mut due) = mpsc::channel(1);
    let talk = async {
        loop {
            tokio::select! {
                message = ws.next() => {
                    let Some(Ok(message)) = message else { return };
                    if message.is_pong() {
                        alive.store(true, SeqCst);
                    }
                    let Some(text) = text_of(&message) else { continue };
                    if ws.send(Message::Text(reply(&text, &log))).await.is_err() {
                        return;
                    }
                }
                // Fails after a close frame was read. The next read answers that frame.
                Some(()) = due.recv() => {
                    drop(ws.send(Message::Ping(Bytes::from_static(b"beat"))).await);
                }
            }
        }
    };
    // `beat` is a future of its own, since the loop above may hang in a write.
    tokio::select! {
        () = talk => {}
        () = beat(wait, period, &alive, &pings) => {}
    }
    log.line("Client disconnected");
}
