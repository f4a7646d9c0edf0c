//! The three exercises on axum, in the way its documentation shows:
//! `axum echo|heartbeat|broadcast`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::serve::ListenerExt;
use bench::serve;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use harness::exercise::Exercise;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{self, MissedTickBehavior};

struct Room {
    exercise: Exercise,
    period: Duration,
    everyone: broadcast::Sender<Utf8Bytes>,
}

#[tokio::main]
async fn main() {
    let everyone = broadcast::Sender::new(serve::BACKLOG);
    let room = Arc::new(Room { exercise: serve::exercise(), period: serve::period(), everyone });
    let app = Router::new().fallback(upgrade).with_state(room);
    let listener = serve::listen().await.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let _ = axum::serve(listener, app).await;
}

async fn upgrade(upgrade: WebSocketUpgrade, State(room): State<Arc<Room>>) -> Response {
    upgrade.max_message_size(16 << 20).max_frame_size(16 << 20).on_upgrade(|socket| async move {
        serve::log("Client connected");
        match room.exercise {
            Exercise::Echo => echo(socket).await,
            _ => live(socket, &room).await,
        }
        serve::log("Client disconnected");
    })
}

async fn echo(mut socket: WebSocket) {
    if socket.send(Message::text(serve::WELCOME)).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.recv().await {
        let data = match message {
            Message::Text(text) => text.into(),
            Message::Binary(data) => data,
            _ => continue,
        };
        if socket.send(Message::text(serve::reply(&data))).await.is_err() {
            return;
        }
    }
}

async fn live(socket: WebSocket, room: &Room) {
    let inbox = room.everyone.subscribe();
    let (mut sink, stream) = socket.split();
    if sink.send(Message::text(serve::WELCOME)).await.is_err() {
        return;
    }
    let alive = AtomicBool::new(true);
    let (replies, own) = mpsc::channel(64);
    tokio::select! {
        () = read(stream, &alive, &replies, room) => {}
        () = write(sink, &alive, own, inbox, room) => {}
    }
}

async fn read(
    mut stream: SplitStream<WebSocket>,
    alive: &AtomicBool,
    replies: &mpsc::Sender<Utf8Bytes>,
    room: &Room,
) {
    while let Some(Ok(message)) = stream.next().await {
        let data = match message {
            Message::Text(text) => text.into(),
            Message::Binary(data) => data,
            Message::Pong(_) => {
                alive.store(true, Ordering::Relaxed);
                continue;
            }
            _ => continue,
        };
        let reply = serve::reply(&data).into();
        if room.exercise == Exercise::Broadcast {
            let _ = room.everyone.send(reply);
        } else if replies.send(reply).await.is_err() {
            return;
        }
    }
}

async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    alive: &AtomicBool,
    mut own: mpsc::Receiver<Utf8Bytes>,
    mut inbox: broadcast::Receiver<Utf8Bytes>,
    room: &Room,
) {
    let mut clock = time::interval(room.period);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await;
    loop {
        let message = tokio::select! {
            Some(reply) = own.recv() => Message::Text(reply),
            said = inbox.recv() => match said {
                Ok(said) => Message::Text(said),
                Err(_) => return,
            },
            _ = clock.tick() => {
                if !alive.swap(false, Ordering::Relaxed) {
                    return;
                }
                Message::Ping(Default::default())
            }
        };
        // A client that has not read for an interval is dropped.
        if !matches!(time::timeout(room.period, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
}
