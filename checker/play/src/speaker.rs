//! The checker's own client, for what a browser can't do: send a message in fragments of its choosing.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// What the checker's own client is told to do.
#[derive(Debug)]
pub enum Order {
    /// Send this text in so many fragments, with a ping between the first two.
    Fragments(String, usize),
    /// Say goodbye.
    Close,
}

/// Connects at `lane`, obeys, and answers pings, until the connection ends; what it hears goes to `heard`.
pub async fn speak(
    lane: SocketAddr,
    url: String,
    mut orders: mpsc::UnboundedReceiver<Order>,
    heard: impl Fn(String),
) -> Result<(), String> {
    let stream = TcpStream::connect(lane).await.map_err(|error| error.to_string())?;
    let (mut socket, _) = client_async(url, stream).await.map_err(|error| error.to_string())?;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Fragments(text, parts)) => {
                    for message in fragments(&text, parts) {
                        socket.send(message).await.map_err(|error| error.to_string())?;
                    }
                }
                Some(Order::Close) => {
                    let frame = CloseFrame { code: 1000.into(), reason: "".into() };
                    socket.close(Some(frame)).await.map_err(|error| error.to_string())?;
                }
                None => return Ok(()),
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => heard(text.to_string()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => return Ok(()),
            }
        }
    }
}

/// The text's bytes in so many frames of about the same length; a fragment may end in the middle of a character.
fn fragments(text: &str, parts: usize) -> Vec<Message> {
    let bytes = text.as_bytes();
    let parts = parts.clamp(2, bytes.len().max(2));
    let mut messages = Vec::with_capacity(parts + 1);
    for part in 0..parts {
        let piece = &bytes[bytes.len() * part / parts..bytes.len() * (part + 1) / parts];
        let opcode = OpCode::Data(if part == 0 { Data::Text } else { Data::Continue });
        messages.push(Message::Frame(Frame::message(piece.to_vec(), opcode, part + 1 == parts)));
        if part == 0 {
            messages.push(Message::Ping(Bytes::from_static(b"between fragments")));
        }
    }
    messages
}
