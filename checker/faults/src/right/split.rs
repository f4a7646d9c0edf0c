//! Split halves: one task reads, another writes what comes through a channel. With an interval, a third beats.

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

use super::{accept, greet, listen, reply, said};
use crate::config::Config;
use crate::log::Log;

type Ws = WebSocketStream<TcpStream>;

/// `heartbeat` or, without, `echo`.
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

/// Reads on only when the reply is written: once a close frame is read, tungstenite sends nothing any more.
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
        let Some(said) = said(&message) else { continue };
        if out.send(Message::Text(reply(&said, log))).await.is_err() {
            return;
        }
        match written.acquire().await {
            Ok(permit) => permit.forget(),
            Err(_) => return,
        }
    }
}

/// Ends when the client is dead.
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
