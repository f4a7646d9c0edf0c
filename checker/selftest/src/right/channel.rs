//! `broadcast` with tokio's `broadcast` channel: one ring for all, and who lags by all of it is dropped.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, interval_at, sleep};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use super::{accept, client, listen, reply, said, shake};
use crate::config::Config;
use crate::log::Log;
use crate::text::WELCOME;

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    let (room, _) = broadcast::channel(client::QUEUE);
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(serve(stream, room.clone(), config.interval, log.clone()));
    }
}

async fn serve(stream: TcpStream, room: broadcast::Sender<Utf8Bytes>, period: Duration, log: Log) {
    let Some(ws) = shake(stream, &log).await else {
        return;
    };
    // Subscribed before the welcome: whoever has seen it misses nothing.
    let mut news = room.subscribe();
    let (mut sink, mut source) = ws.split();
    let behind = AtomicUsize::new(0);
    let alive = AtomicBool::new(true);
    let (pings, mut due) = mpsc::channel(1);
    let read = async {
        while let Some(Ok(message)) = source.next().await {
            if message.is_pong() {
                alive.store(true, SeqCst);
            }
            if let Some(said) = said(&message) {
                drop(room.send(reply(&said, &log)));
                // A flood must not lap those who keep reading: its sender goes no faster than it reads itself.
                while behind.load(SeqCst) > client::QUEUE / 4 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
    };
    let write = async {
        if sink.send(Message::text(WELCOME)).await.is_err() {
            return;
        }
        loop {
            behind.store(news.len(), SeqCst);
            let sent = tokio::select! {
                Some(()) = due.recv() => sink.send(Message::Ping(Bytes::new())).await,
                text = news.recv() => {
                    let Ok(text) = text else { return };
                    let mut sent = sink.feed(Message::Text(text)).await;
                    while sent.is_ok() && let Ok(text) = news.try_recv() {
                        sent = sink.feed(Message::Text(text)).await;
                    }
                    sent.and(sink.flush().await)
                }
            };
            if sent.is_err() {
                return std::future::pending().await; // the reader sees the end, and what came before it
            }
        }
    };
    let beat = async {
        let mut ticks = interval_at(Instant::now() + period, period);
        loop {
            ticks.tick().await;
            if !alive.swap(false, SeqCst) {
                return;
            }
            drop(pings.try_send(()));
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
        () = beat => {}
    }
    log.line("Client disconnected");
}
