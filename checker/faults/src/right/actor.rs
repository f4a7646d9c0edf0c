//! `broadcast` with an actor: one task owns the clients, and the others send it messages.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{accept, client, listen, shake};
use crate::base::WELCOME;
use crate::config::Config;
use crate::log::Log;

enum Command {
    Join(u64, mpsc::Sender<Utf8Bytes>),
    Say(Utf8Bytes),
    Leave(u64),
}

struct Member {
    room: mpsc::Sender<Command>,
    own: mpsc::WeakSender<Utf8Bytes>,
}

impl client::Room for Member {
    async fn say(&self, text: Utf8Bytes) {
        drop(self.room.send(Command::Say(text)).await);
        client::await_capacity(&self.own).await;
    }
}

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    let (room, commands) = mpsc::channel(1024);
    tokio::spawn(actor(commands));
    for id in 0.. {
        let stream = accept(&listener).await;
        tokio::spawn(serve(stream, id, room.clone(), config.interval, log.clone()));
    }
    Ok(())
}

async fn actor(mut commands: mpsc::Receiver<Command>) {
    let mut clients = HashMap::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Join(id, sender) => {
                drop(sender.try_send(WELCOME.into()));
                clients.insert(id, sender);
            }
            Command::Say(text) => clients.retain(|_, sender| sender.try_send(text.clone()).is_ok()),
            Command::Leave(id) => {
                clients.remove(&id);
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    id: u64,
    room: mpsc::Sender<Command>,
    period: Duration,
    log: Log,
) {
    let Some(ws) = shake(stream, &log).await else {
        return;
    };
    let (sender, queue) = mpsc::channel(client::QUEUE);
    let member = Member { room: room.clone(), own: sender.downgrade() };
    drop(room.send(Command::Join(id, sender)).await);
    client::serve(ws, period, queue, &log, member).await;
    drop(room.send(Command::Leave(id)).await);
    log.line("Client disconnected");
}
