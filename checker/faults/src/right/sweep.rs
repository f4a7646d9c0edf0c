//! `heartbeat` with one timer. Each tick aborts the tasks of dead clients and pings the others.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, interval_at};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::{accept, greet, listen, reply, text_of};
use crate::config::Config;
use crate::log::Log;

struct Entry {
    alive: Arc<AtomicBool>,
    pings: mpsc::Sender<()>,
    task: AbortHandle,
}

#[derive(Default)]
struct Table(Mutex<HashMap<u64, Entry>>);

impl Table {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a client when its task ends or is aborted.
struct Goodbye {
    id: u64,
    table: Arc<Table>,
    log: Log,
}

impl Drop for Goodbye {
    fn drop(&mut self) {
        self.table.lock().remove(&self.id);
        self.log.line("Client disconnected");
    }
}

pub(crate) async fn run(config: Config) -> io::Result<()> {
    let (listener, log) = listen(&config).await?;
    let table = Arc::new(Table::default());
    tokio::spawn(sweep(table.clone(), config.interval));
    for id in 0.. {
        let stream = accept(&listener).await;
        tokio::spawn(meet(stream, id, table.clone(), log.clone()));
    }
    Ok(())
}

async fn sweep(table: Arc<Table>, interval: Duration) {
    let mut ticks = interval_at(Instant::now() + interval, interval);
    loop {
        ticks.tick().await;
        for entry in table.lock().values() {
            if entry.alive.swap(false, SeqCst) {
                let _busy = entry.pings.try_send(());
            } else {
                entry.task.abort();
            }
        }
    }
}

/// Adds a new client to the table.
async fn meet(stream: TcpStream, id: u64, table: Arc<Table>, log: Log) {
    let Some(mut ws) = greet(stream, &log).await else {
        return;
    };
    let goodbye = Goodbye { id, table: table.clone(), log: log.clone() };
    let alive = Arc::new(AtomicBool::new(true));
    let (pings, mut due) = mpsc::channel(1);
    let mut entries = table.lock();
    let task = tokio::spawn({
        let alive = alive.clone();
        async move {
            let _goodbye = goodbye;
            loop {
                tokio::select! {
                    message = ws.next() => {
                        let Some(Ok(message)) = message else { return };
                        if message.is_pong() {
                            alive.store(true, SeqCst);
                        }
                        let Some(text) = text_of(&message) else { continue };
                        if ws.send(Message::Text(reply(&text, &log))).await.is_err() {
                            return;
                        }
                    }
                    // Fails after a close frame was read. The next read answers that frame.
                    Some(()) = due.recv() => drop(ws.send(Message::Ping(Bytes::new())).await),
                }
            }
        }
    });
    entries.insert(id, Entry { alive, pings, task: task.abort_handle() });
}
