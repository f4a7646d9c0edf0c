//! `heartbeat` with tokio's plain `interval` for each connection: its first tick, and so the first ping, comes at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::interval;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{accept, greet, listen, reply, said};
use crate::config::Config;
use crate::log::Log;

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(client(stream, config.interval, log.clone()));
    }
}

async fn client(stream: TcpStream, period: Duration, log: Log) {
    let Some(mut ws) = greet(stream, &log).await else {
        return;
    };
    let alive = AtomicBool::new(true);
    let (pings, mut due) = mpsc::channel(1);
    let talk = async {
        loop {
            let sent = tokio::select! {
                message = ws.next() => {
                    let Some(Ok(message)) = message else { return };
                    if message.is_pong() {
                        alive.store(true, SeqCst);
                    }
                    let Some(said) = said(&message) else { continue };
                    ws.send(Message::Text(reply(&said, &log))).await
                }
                Some(()) = due.recv() => ws.send(Message::Ping(Bytes::from_static(b"beat"))).await,
            };
            if sent.is_err() {
                return;
            }
        }
    };
    // Outside of the loop above, which may hang in a write.
    let beat = async {
        let mut ticks = interval(period);
        loop {
            ticks.tick().await;
            if !alive.swap(false, SeqCst) {
                return;
            }
            let _busy = pings.try_send(());
        }
    };
    tokio::select! {
        () = talk => {}
        () = beat => {}
    }
    log.line("Client disconnected");
}
