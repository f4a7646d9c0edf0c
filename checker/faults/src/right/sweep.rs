//! `heartbeat` with one timer for all: each beat sweeps the table of clients, aborts the dead and pings the rest.

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

use super::{accept, greet, listen, reply, said};
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

/// However a connection's task ends, aborted or not, this runs.
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

/// Puts a newcomer into the table, under the lock that its task waits for.
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
                        let Some(said) = said(&message) else { continue };
                        if ws.send(Message::Text(reply(&said, &log))).await.is_err() {
                            return;
                        }
                    }
                    // Refused once the client's close frame has been read, whose answer is written by reading on.
                    Some(()) = due.recv() => drop(ws.send(Message::Ping(Bytes::new())).await),
                }
            }
        }
    });
    entries.insert(id, Entry { alive, pings, task: task.abort_handle() });
}
