//! The three exercises on tokio-tungstenite, right and in the plainest way: each message is sent by itself, and all
//! settings are the library's. What the solutions do beyond that is what they gain.
//!
//! `plain echo|heartbeat|broadcast [READ_BUFFER]`, the last in bytes.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use bench::serve;
use checker::exercise::Exercise;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio::time::{self, MissedTickBehavior};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

struct Room {
    exercise: Exercise,
    period: Duration,
    config: WebSocketConfig,
    everyone: broadcast::Sender<Message>,
}

#[tokio::main]
async fn main() {
    let mut config = WebSocketConfig::default();
    if let Some(bytes) = std::env::args().nth(2).and_then(|bytes| bytes.parse().ok()) {
        config = config.read_buffer_size(bytes);
    }
    let everyone = broadcast::Sender::new(serve::BACKLOG);
    let room =
        Arc::new(Room { exercise: serve::exercise(), period: serve::period(), config, everyone });
    let listener = serve::listen().await;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let room = room.clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            let Ok(mut ws) = accept_async_with_config(stream, Some(room.config)).await else {
                return;
            };
            serve::log("Client connected");
            let _ = match room.exercise {
                Exercise::Echo => echo(&mut ws).await,
                _ => live(&mut ws, &room).await,
            };
            serve::log("Client disconnected");
        });
    }
}

async fn echo(ws: &mut WebSocketStream<TcpStream>) -> tungstenite::Result<()> {
    ws.send(Message::text(serve::WELCOME)).await?;
    while let Some(message) = ws.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            ws.send(Message::text(serve::answer(&message.into_data()))).await?;
        }
    }
    Ok(())
}

async fn live(ws: &mut WebSocketStream<TcpStream>, room: &Room) -> tungstenite::Result<()> {
    let mut inbox = room.everyone.subscribe();
    ws.send(Message::text(serve::WELCOME)).await?;
    let mut clock = time::interval(room.period);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await;
    let mut alive = true;
    loop {
        let out = tokio::select! {
            message = ws.next() => match message.transpose()? {
                Some(message) if message.is_text() || message.is_binary() => {
                    let reply = Message::text(serve::answer(&message.into_data()));
                    if room.exercise == Exercise::Heartbeat {
                        reply
                    } else {
                        let _ = room.everyone.send(reply);
                        continue;
                    }
                }
                Some(Message::Pong(_)) => {
                    alive = true;
                    continue;
                }
                Some(_) => continue,
                None => return Ok(()),
            },
            said = inbox.recv() => match said {
                Ok(said) => said,
                Err(broadcast::error::RecvError::Lagged(_)) => return Ok(()),
                Err(broadcast::error::RecvError::Closed) => pending().await,
            },
            _ = clock.tick() => {
                if !alive {
                    return Ok(());
                }
                alive = false;
                Message::Ping(Default::default())
            }
        };
        // Who has not read for a whole interval is as good as dead.
        match time::timeout(room.period, ws.send(out)).await {
            Ok(sent) => sent?,
            Err(_) => return Ok(()),
        }
    }
}
