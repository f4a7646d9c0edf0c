//! `broadcast` with a map of bounded senders under a mutex. A client with a full queue is removed.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{accept, client, listen, shake};
use crate::base::WELCOME;
use crate::config::Config;
use crate::log::Log;

type Room = Arc<Mutex<HashMap<u64, mpsc::Sender<Utf8Bytes>>>>;

struct Member {
    room: Room,
    own: mpsc::WeakSender<Utf8Bytes>,
}

impl client::Room for Member {
    async fn say(&self, text: Utf8Bytes) {
        lock(&self.room).retain(|_, sender| sender.try_send(text.clone()).is_ok());
        client::await_capacity(&self.own).await;
    }
}

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    let room = Room::default();
    for id in 0.. {
        let stream = accept(&listener).await;
        tokio::spawn(serve(stream, id, room.clone(), config.interval, log.clone()));
    }
    Ok(())
}

async fn serve(stream: TcpStream, id: u64, room: Room, period: Duration, log: Log) {
    let Some(ws) = shake(stream, &log).await else {
        return;
    };
    let (sender, queue) = mpsc::channel(client::QUEUE);
    // Queued before the client is in the map, so that the welcome comes first.
    drop(sender.try_send(WELCOME.into()));
    let member = Member { room: room.clone(), own: sender.downgrade() };
    lock(&room).insert(id, sender);
    client::serve(ws, period, queue, &log, member).await;
    lock(&room).remove(&id);
    log.line("Client disconnected");
}

fn lock(room: &Room) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Utf8Bytes>>> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}
