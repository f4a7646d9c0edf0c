//! One client of a room: what it says goes to its room, what its queue brings goes to it.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use super::{reply, said};
use crate::log::Log;

/// As many messages may wait for a client; at a kilobyte each that is 8 MiB.
pub(super) const QUEUE: usize = 8 * 1024;

/// What brings a reply to everyone.
pub(super) trait Room: Sync {
    fn say(&self, text: Utf8Bytes) -> impl Future<Output = ()> + Send;
}

/// Serves until the client leaves, is dead, or its queue is closed by the room.
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
            if let Some(said) = said(&message) {
                room.say(reply(&said, log)).await;
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
}

/// Lets a sender wait for its own queue, so that a flood does not overrun those who keep reading.
pub(super) async fn breathe(own: &mpsc::WeakSender<Utf8Bytes>) {
    while own.upgrade().is_some_and(|own| own.capacity() < QUEUE * 3 / 4) {
        sleep(Duration::from_millis(1)).await;
    }
}
