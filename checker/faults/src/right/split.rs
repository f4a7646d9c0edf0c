//! `echo` or `heartbeat` on split halves: one task reads, and another writes from a channel.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{accept, greet, listen, reply, text_of};
use crate::config::Config;
use crate::log::Log;

type Ws = WebSocketStream<TcpStream>;

/// Serves `heartbeat`, or `echo` without it.
pub(crate) async fn run(config: Config, heartbeat: bool) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    loop {
        let stream = accept(&listener).await;
        tokio::spawn(client(stream, log.clone(), heartbeat.then_some(config.interval)));
    }
}

async fn client(stream: TcpStream, log: Log, interval: Option<Duration>) {
    let Some(ws) = greet(stream, &log).await else {
        return;
    };
    let (sink, source) = ws.split();
    let (out, queue) = mpsc::channel(16);
    let written = Arc::new(Semaphore::new(0));
    let alive = AtomicBool::new(true);
    let writer = tokio::spawn(write(sink, queue, written.clone()));
    tokio::select! {
        () = read(source, &out, &written, &alive, &log) => {}
        () = beat(interval, &out, &alive) => {}
    }
    writer.abort();
    drop(writer.await);
    log.line("Client disconnected");
}

async fn write(
    mut sink: SplitSink<Ws, Message>,
    mut queue: mpsc::Receiver<Message>,
    written: Arc<Semaphore>,
) {
    while let Some(message) = queue.recv().await {
        let is_reply = message.is_text();
        if sink.send(message).await.is_err() {
            written.close();
            return;
        }
        if is_reply {
            written.add_permits(1);
        }
    }
}

/// Reads the next message after the reply was written, since tungstenite sends nothing after it has
/// read a close frame.
async fn read(
    mut source: SplitStream<Ws>,
    out: &mpsc::Sender<Message>,
    written: &Semaphore,
    alive: &AtomicBool,
    log: &Log,
) {
    while let Some(Ok(message)) = source.next().await {
        if message.is_pong() {
            alive.store(true, SeqCst);
        }
        let Some(text) = text_of(&message) else { continue };
        if out.send(Message::Text(reply(&text, log))).await.is_err() {
            return;
        }
        match written.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
    }
}

/// Pings until a pong is missing.
async fn beat(interval: Option<Duration>, out: &mpsc::Sender<Message>, alive: &AtomicBool) {
    let Some(interval) = interval else {
        return std::future::pending().await;
    };
    let mut ticks = interval_at(Instant::now() + interval, interval);
    loop {
        ticks.tick().await;
        if !alive.swap(false, SeqCst) {
            return;
        }
        drop(out.try_send(Message::Ping(Bytes::new())));
    }
}
