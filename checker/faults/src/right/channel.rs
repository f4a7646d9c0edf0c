//! `broadcast` with tokio's `broadcast` channel: one ring for all, and who lags by all of it is dropped.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use super::{accept, client, listen, reply, said, shake};
use crate::config::Config;
use crate::log::Log;
use crate::text::WELCOME;

#[derive(Clone)]
struct Room {
    news: broadcast::Sender<Utf8Bytes>,
    told: Arc<AtomicUsize>,
}

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    let (news, _) = broadcast::channel(client::QUEUE);
    let room = Room { news, told: Arc::default() };
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(serve(stream, room.clone(), config.interval, log.clone()));
    }
}

async fn serve(stream: TcpStream, room: Room, period: Duration, log: Log) {
    let Some(ws) = shake(stream, &log).await else {
        return;
    };
    // Subscribed before the welcome: whoever has seen it misses nothing.
    let mut news = room.news.subscribe();
    let heard = AtomicUsize::new(room.told.load(SeqCst));
    let (mut sink, mut source) = ws.split();
    let alive = AtomicBool::new(true);
    let (pings, mut due) = mpsc::channel(1);
    let read = async {
        while let Some(Ok(message)) = source.next().await {
            if message.is_pong() {
                alive.store(true, SeqCst);
            }
            let Some(said) = said(&message) else { continue };
            drop(room.news.send(reply(&said, &log)));
            room.told.fetch_add(1, SeqCst);
            // A flood must not lap those who keep reading: its sender goes no faster than it reads itself.
            while room.told.load(SeqCst).saturating_sub(heard.load(SeqCst)) > client::QUEUE / 4 {
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
                    heard.fetch_add(1, SeqCst);
                    sink.feed(Message::Text(text)).await
                }
            };
            while sent.is_ok() {
                match news.try_recv() {
                    Ok(text) => sent = sink.feed(Message::Text(text)).await,
                    Err(TryRecvError::Empty) => break,
                    Err(_) => return, // lapped: what is lost cannot be made good
                }
                heard.fetch_add(1, SeqCst);
            }
            if sent.is_err() || sink.flush().await.is_err() {
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
            let _busy = pings.try_send(());
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
        () = beat => {}
    }
    log.line("Client disconnected");
}
