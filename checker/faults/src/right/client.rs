//! Serves one client of a room: its messages go to the room, and its queue to the client.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use super::{beat, reply, text_of};
use crate::log::Log;

/// The capacity of a client's queue: 8 MiB with messages of 1 KiB.
pub(super) const QUEUE: usize = 8 * 1024;

/// Sends a reply to all clients.
pub(super) trait Room: Sync {
    fn say(&self, text: Utf8Bytes) -> impl Future<Output = ()> + Send;
}

/// Serves until the client leaves, misses a pong, or the room closes its queue.
pub(super) async fn serve(
    ws: WebSocketStream<TcpStream>,
    period: Duration,
    mut queue: mpsc::Receiver<Utf8Bytes>,
    log: &Log,
    room: impl Room,
) {
    let (mut sink, mut source) = ws.split();
    let alive = AtomicBool::new(true);
    let (pings, mut due) = mpsc::channel(1);
    let read = async {
        while let Some(Ok(message)) = source.next().await {
            if message.is_pong() {
                alive.store(true, SeqCst);
            }
            if let Some(text) = text_of(&message) {
                room.say(reply(&text, log)).await;
            }
        }
    };
    let write = async {
        loop {
            let sent = tokio::select! {
                Some(()) = due.recv() => sink.send(Message::Ping(Bytes::new())).await,
                text = queue.recv() => {
                    let Some(text) = text else { return };
                    let mut sent = sink.feed(Message::Text(text)).await;
                    while sent.is_ok() && let Ok(text) = queue.try_recv() {
                        sent = sink.feed(Message::Text(text)).await;
                    }
                    sent.and(sink.flush().await)
                }
            };
            if sent.is_err() {
                return std::future::pending().await; // the reader ends the connection
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
        () = beat(period, period, &alive, &pings) => {}
    }
}

/// Backpressure: waits for the sender's own queue, so that a flood does not fill other queues.
pub(super) async fn await_capacity(own: &mpsc::WeakSender<Utf8Bytes>) {
    while own.upgrade().is_some_and(|own| own.capacity() < QUEUE * 3 / 4) {
        sleep(Duration::from_millis(1)).await;
    }
}
