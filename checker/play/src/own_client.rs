//! The checker's own client, which sends a message in fragments. A browser chooses its fragments
//! itself.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::{self, Bytes, Message};

/// A command to the client.
#[derive(Debug)]
pub enum ClientCommand {
    /// Sends this text in this number of fragments, with a ping between the first two.
    SendFragments(String, usize),
    /// Sends a close frame.
    Close,
}

/// Connects to `address`, and carries out commands and answers pings until the connection ends.
/// Calls `received` for each text message.
pub async fn run_client(
    address: SocketAddr,
    url: String,
    mut commands: mpsc::UnboundedReceiver<ClientCommand>,
    received: impl Fn(String),
) -> Result<(), tungstenite::Error> {
    let stream = TcpStream::connect(address).await?;
    let (mut socket, _) = client_async(url, stream).await?;
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(ClientCommand::SendFragments(text, count)) => {
                    for message in fragments(&text, count) {
                        socket.send(message).await?;
                    }
                }
                Some(ClientCommand::Close) => {
                    let frame = CloseFrame { code: 1000.into(), reason: "".into() };
                    socket.close(Some(frame)).await?;
                }
                None => return Ok(()),
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => received(text.to_string()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
    }
}

/// Cuts the text into frames of about the same length. A cut may split a character.
fn fragments(text: &str, count: usize) -> Vec<Message> {
    let bytes = text.as_bytes();
    let count = count.clamp(2, bytes.len().max(2));
    let mut messages = Vec::with_capacity(count + 1);
    for number in 0..count {
        let part = &bytes[bytes.len() * number / count..bytes.len() * (number + 1) / count];
        let opcode = OpCode::Data(if number == 0 { Data::Text } else { Data::Continue });
        messages.push(Message::Frame(Frame::message(part.to_vec(), opcode, number + 1 == count)));
        if number == 0 {
            messages.push(Message::Ping(Bytes::from_static(b"between fragments")));
        }
    }
    messages
}
