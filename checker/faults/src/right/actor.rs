//! `broadcast` with an actor: one task owns the clients, everybody else sends it letters. No lock anywhere.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{accept, client, listen, shake};
use crate::config::Config;
use crate::log::Log;
use crate::text::WELCOME;

enum Letter {
    Join(u64, mpsc::Sender<Utf8Bytes>),
    Say(Utf8Bytes),
    Leave(u64),
}

struct Member {
    room: mpsc::Sender<Letter>,
    own: mpsc::WeakSender<Utf8Bytes>,
}

impl client::Room for Member {
    async fn say(&self, text: Utf8Bytes) {
        drop(self.room.send(Letter::Say(text)).await);
        client::breathe(&self.own).await;
    }
}

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    let (room, letters) = mpsc::channel(1024);
    tokio::spawn(actor(letters));
    for id in 0.. {
        let stream = accept(&listener).await;
        tokio::spawn(serve(stream, id, room.clone(), config.interval, log.clone()));
    }
    Ok(())
}

async fn actor(mut letters: mpsc::Receiver<Letter>) {
    let mut clients = HashMap::new();
    while let Some(letter) = letters.recv().await {
        match letter {
            Letter::Join(id, sender) => {
                drop(sender.try_send(WELCOME.into()));
                clients.insert(id, sender);
            }
            Letter::Say(text) => clients.retain(|_, sender| sender.try_send(text.clone()).is_ok()),
            Letter::Leave(id) => {
                clients.remove(&id);
            }
        }
    }
}

async fn serve(stream: TcpStream, id: u64, room: mpsc::Sender<Letter>, period: Duration, log: Log) {
    let Some(ws) = shake(stream, &log).await else {
        return;
    };
    let (sender, queue) = mpsc::channel(client::QUEUE);
    let member = Member { room: room.clone(), own: sender.downgrade() };
    drop(room.send(Letter::Join(id, sender)).await);
    client::serve(ws, period, queue, &log, member).await;
    drop(room.send(Letter::Leave(id)).await);
    log.line("Client disconnected");
}
