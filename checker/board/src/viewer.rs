//! The connection of one page: a snapshot, then each change.

use std::convert::Infallible;
use std::sync::Arc;

use futures_util::StreamExt;
use hyper_tungstenite::HyperWebsocketStream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::heartbeat::{End, Heartbeat};
use crate::server::{Board, close};

/// JavaScript sees no pings, so a page is sent this at each tick. It misses a dead board by it.
const BEAT: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"beat"}"#);

/// Serves one page to the end of the connection.
pub(crate) async fn serve(
    board: Arc<Board>,
    mut socket: HyperWebsocketStream,
    mut shutdown: watch::Receiver<bool>,
) {
    let end = tokio::select! {
        Err(end) = exchange(&board, &mut socket) => end,
        _ = shutdown.wait_for(|ends| *ends) => End::Shutdown,
    };
    close(&board, socket, end).await;
}

/// Sends changes until the connection ends.
async fn exchange(board: &Board, socket: &mut HyperWebsocketStream) -> Result<Infallible, End> {
    let mut heartbeat = Heartbeat::start(board.period).await;
    let (mut changes, snapshot) = board.room.subscribe(board.period);
    heartbeat.send(socket, Message::Text(snapshot)).await?;
    loop {
        tokio::select! {
            message = socket.next() => match message.ok_or(End::Closed { clean: false })?? {
                Message::Pong(_) => heartbeat.pong(),
                Message::Close(_) => return Err(End::Closed { clean: true }),
                // A page has nothing to say.
                Message::Text(_) | Message::Binary(_) => {
                    return Err(End::Refused("a page sends no messages".to_string()));
                }
                Message::Ping(_) | Message::Frame(_) => {}
            },
            change = changes.recv() => match change {
                Ok(change) => heartbeat.send(socket, Message::Text(change)).await?,
                // The page was too slow for the channel. A snapshot replaces what it missed.
                Err(RecvError::Lagged(_)) => {
                    let snapshot;
                    (changes, snapshot) = board.room.subscribe(board.period);
                    heartbeat.send(socket, Message::Text(snapshot)).await?;
                }
                Err(RecvError::Closed) => return Err(End::Shutdown),
            },
            () = heartbeat.tick() => {
                heartbeat.ping(socket).await?;
                heartbeat.send(socket, Message::Text(BEAT)).await?;
            }
        }
    }
}
