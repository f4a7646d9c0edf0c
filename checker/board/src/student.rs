//! The connection of one student: a hello, then a verdict whenever one changes.

use std::sync::Arc;

use board_client::message::{FromStudent, Hello, ToStudent, VERSION};
use futures_util::StreamExt;
use hyper_tungstenite::HyperWebsocketStream;
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::heartbeat::{End, Heartbeat};
use crate::room::{Presence, Seat};
use crate::server::{Board, close};

/// Serves one student to the end of the connection.
pub(crate) async fn serve(
    board: Arc<Board>,
    mut socket: HyperWebsocketStream,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut heartbeat = Heartbeat::start(board.period).await;
    let mut seat = None;
    let running = exchange(&board, &mut socket, &mut heartbeat, &mut seat);
    let end = tokio::select! {
        Err(end) = running => end,
        _ = shutdown.wait_for(|ends| *ends) => End::Shutdown,
    };
    if let Some(seat) = seat {
        let presence = match end {
            End::Closed { clean: true } => Presence::Left,
            _ => Presence::Vanished,
        };
        board.room.leave(seat, presence);
    }
    close(&board, socket, end).await;
}

/// Exchanges messages until the connection ends.
async fn exchange(
    board: &Board,
    socket: &mut HyperWebsocketStream,
    heartbeat: &mut Heartbeat,
    seat: &mut Option<Seat>,
) -> Result<std::convert::Infallible, End> {
    loop {
        tokio::select! {
            message = socket.next() => match message.ok_or(End::Closed { clean: false })?? {
                Message::Text(text) => match (parse(&text)?, &*seat) {
                    (FromStudent::Hello(hello), None) => {
                        *seat = Some(welcome(board, socket, heartbeat, hello).await?);
                    }
                    (FromStudent::Verdict(verdict), Some(seat)) => {
                        board.room.apply(*seat, &verdict).map_err(refuse)?;
                    }
                    (FromStudent::Hello(_), Some(_)) => return Err(refuse("a second hello")),
                    (FromStudent::Verdict(_), None) => return Err(refuse("no hello came first")),
                },
                Message::Binary(_) => return Err(refuse("messages are JSON in text messages")),
                Message::Pong(_) => heartbeat.pong(),
                Message::Close(_) => return Err(End::Closed { clean: true }),
                // The library answers pings when the socket is read again.
                Message::Ping(_) | Message::Frame(_) => {}
            },
            () = heartbeat.tick() => {
                if seat.is_none() {
                    return Err(refuse("no hello came within a heartbeat"));
                }
                heartbeat.ping(socket).await?;
            }
        }
    }
}

fn parse(text: &str) -> Result<FromStudent, End> {
    serde_json::from_str(text).map_err(|error| refuse(format!("unknown message: {error}")))
}

async fn welcome(
    board: &Board,
    socket: &mut HyperWebsocketStream,
    heartbeat: &Heartbeat,
    hello: Hello,
) -> Result<Seat, End> {
    if hello.version != VERSION {
        let wrong = format!(
            "the board has version {VERSION} of its messages, and this workbook has {}",
            hello.version
        );
        return Err(refuse(wrong));
    }
    let seat = board.room.join(&hello).map_err(refuse)?;
    let heartbeat_ms = u64::try_from(board.period.as_millis()).unwrap_or(u64::MAX);
    let welcome = serde_json::to_string(&ToStudent::Welcome { heartbeat_ms });
    let welcome = Utf8Bytes::from(welcome.expect("the welcome has a JSON form"));
    if let Err(end) = heartbeat.send(socket, Message::Text(welcome)).await {
        board.room.leave(seat, Presence::Vanished);
        return Err(end);
    }
    Ok(seat)
}

fn refuse(reason: impl ToString) -> End {
    End::Refused(reason.to_string())
}
