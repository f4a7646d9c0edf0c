//! `broadcast` with tokio's `broadcast` channel. A client that lags by its capacity is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use super::{accept, beat, client, listen, reply, shake, text_of};
use crate::base::WELCOME;
use crate::config::Config;
use crate::log::Log;

#[derive(Clone)]
struct Room {
    news: broadcast::Sender<Utf8Bytes>,
    sent: Arc<AtomicUsize>,
}

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    let (news, _) = broadcast::channel(client::QUEUE);
    let room = Room { news, sent: Arc::default() };
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(serve(stream, room.clone(), config.interval, log.clone()));
    }
}

async fn serve(stream: TcpStream, room: Room, period: Duration, log: Log) {
    let Some(ws) = shake(stream, &log).await else {
        return;
    };
    // Subscribes before the welcome, so that a welcomed client misses no message.
    let mut news = room.news.subscribe();
    let received = AtomicUsize::new(room.sent.load(SeqCst));
    let (mut sink, mut source) = ws.split();
    let alive = AtomicBool::new(true);
    let (pings, mut due) = mpsc::channel(1);
    let read = async {
        while let Some(Ok(message)) = source.next().await {
            if message.is_pong() {
                alive.store(true, SeqCst);
            }
            let Some(text) = text_of(&message) else { continue };
            drop(room.news.send(reply(&text, &log)));
            room.sent.fetch_add(1, SeqCst);
            // Backpressure: a sender waits for its own receiver, or a flood would lap other
            // clients.
            while room.sent.load(SeqCst).saturating_sub(received.load(SeqCst)) > client::QUEUE / 4 {
                sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let write = async {
        if sink.send(Message::text(WELCOME)).await.is_err() {
            return;
        }
        loop {
            let mut sent = tokio::select! {
                Some(()) = due.recv() => sink.send(Message::Ping(Bytes::new())).await,
                text = news.recv() => {
                    let Ok(text) = text else { return };
                    received.fetch_add(1, SeqCst);
                    sink.feed(Message::Text(text)).await
                }
            };
            while sent.is_ok() {
                match news.try_recv() {
                    Ok(text) => sent = sink.feed(Message::Text(text)).await,
                    Err(TryRecvError::Empty) => break,
                    Err(_) => return, // lagged: messages are lost
                }
                received.fetch_add(1, SeqCst);
            }
            if sent.is_err() || sink.flush().await.is_err() {
                return std::future::pending().await; // the reader ends the connection
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
        () = beat(period, period, &alive, &pings) => {}
    }
    log.line("Client disconnected");
}
