//! A server for all three exercises on raw frames.
//!
//! Its behaviour at each point is a hook of [`Mutation`], and the default hooks follow the
//! contract. This module knows no fault: the catalogue passes a mutation to [`run`].

pub(crate) mod answer;
pub(crate) mod beat;
pub(crate) mod conn;
pub(crate) mod frame;
pub(crate) mod handshake;
pub(crate) mod hub;
mod mutation;
pub(crate) mod outbox;
pub(crate) mod reader;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::config::Config;
use crate::log::Log;
use answer::Event;
use conn::Conn;
pub(crate) use mutation::{Mutation, Right, mutation};
use reader::{End, Reader};

/// The first message to each client.
pub(crate) const WELCOME: &str = "Welcome! Connection established.";
/// The beginning of each reply.
pub(crate) const PREFIX: &str = "Server received: ";
/// The time limit of a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The three exercises of the day.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exercise {
    Echo,
    Heartbeat,
    Broadcast,
}

impl Exercise {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Heartbeat => "heartbeat",
            Self::Broadcast => "broadcast",
        }
    }
}

/// The state that all connections share.
pub(crate) struct Server {
    pub(crate) exercise: Exercise,
    pub(crate) mutation: &'static dyn Mutation,
    /// The heartbeat interval.
    pub(crate) interval: Duration,
    pub(crate) started: Instant,
    pub(crate) log: Log,
    pub(crate) hub: hub::Hub,
    /// The number of connections so far.
    pub(crate) next: AtomicU64,
    pub(crate) stop_accepting: Notify,
    connections: Semaphore,
    handshakes: Semaphore,
}

/// Locks a mutex. A panic elsewhere does not matter.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Binds, and serves until the process is killed.
pub(crate) async fn run(
    config: Config,
    exercise: Exercise,
    mutation: &'static dyn Mutation,
) -> io::Result<()> {
    run_on(TcpListener::bind(&config.addr).await?, config, exercise, mutation).await
}

/// Serves until the process is killed.
pub(crate) async fn run_on(
    listener: TcpListener,
    config: Config,
    exercise: Exercise,
    mutation: &'static dyn Mutation,
) -> io::Result<()> {
    let addr = listener.local_addr()?;
    let server = Arc::new(Server {
        exercise,
        mutation,
        interval: mutation.interval(config.interval),
        started: Instant::now(),
        log: Log::start(mutation.buffers_log()),
        hub: hub::Hub::default(),
        next: AtomicU64::new(0),
        stop_accepting: Notify::new(),
        connections: Semaphore::new(mutation.connection_slots()),
        handshakes: Semaphore::new(mutation.handshake_slots()),
    });
    mutation.announce(&server.log, format!("WebSocket server running on ws://{addr}"));
    tokio::select! {
        () = accept(&server, &listener) => {}
        () = server.stop_accepting.notified() => {}
    }
    drop(listener);
    std::future::pending().await
}

async fn accept(server: &Arc<Server>, listener: &TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        drop(stream.set_nodelay(server.mutation.nodelay()));
        server.mutation.dispatch(server.clone(), stream).await;
    }
}

/// Serves one connection from its handshake to its end.
pub(crate) async fn serve(server: Arc<Server>, mut stream: TcpStream) {
    let Ok(_slot) = server.connections.acquire().await else { return };
    let Ok(handshake) = server.handshakes.acquire().await else { return };
    if let Some(rest) = shake(&server, &mut stream).await {
        drop(handshake);
        attend(server.clone(), stream, rest).await;
    }
}

/// Reads and answers a handshake, with a time limit. Returns the bytes behind it.
pub(crate) async fn shake(server: &Server, stream: &mut TcpStream) -> Option<Vec<u8>> {
    timeout(HANDSHAKE_TIMEOUT, handshake::shake(server, stream)).await.ok()?
}

/// Serves one connection from the end of its handshake.
pub(crate) async fn attend(server: Arc<Server>, stream: TcpStream, rest: Vec<u8>) {
    if let Some(conn) = join(&server) {
        converse(server, conn, stream, rest).await;
    }
}

/// Adds a connection to the map of clients, unless there is no room for it.
pub(crate) fn join(server: &Server) -> Option<Arc<Conn>> {
    server.hub.join(server, server.next.fetch_add(1, Relaxed))
}

/// Serves a connection that is in the map of clients.
pub(crate) async fn converse(
    server: Arc<Server>,
    conn: Arc<Conn>,
    stream: TcpStream,
    rest: Vec<u8>,
) {
    let mutation = server.mutation;
    mutation.log(&server.log, Event::Connected);
    let (read, mut write) = stream.into_split();
    let mut writer = tokio::spawn({
        let conn = conn.clone();
        async move { outbox::write(&conn.out, &mut write, mutation).await }
    });
    let beat = tokio::spawn({
        let (server, conn) = (server.clone(), conn.clone());
        async move { mutation.heartbeat(&server, &conn).await }
    });
    let mut reader = Reader::new(read, rest);
    let end = tokio::select! {
        biased;
        () = conn.killed() => End::Dropped,
        end = reader.run(&server, &conn) => end,
    };
    beat.abort();
    mutation.leave(&server, &conn, &end).await;
    mutation.log(&server.log, Event::Disconnected(&end));
    mutation.ended(&server, &conn, &end);
    let closes = match &end {
        End::Closed { code, reason } => {
            mutation.close(&conn, *code, reason).await;
            true
        }
        End::Violation(code) if !mutation.resets(&end) => {
            conn.out.push_last(frame::close(Some(*code)));
            true
        }
        _ => false,
    };
    let mut written = false;
    if closes {
        // The client may still be sending. Closing now would reset the connection, and the
        // client would lose the close frame.
        written = timeout(Duration::from_secs(2), &mut writer).await.is_ok();
        drop(timeout(Duration::from_secs(1), reader.drain()).await);
    }
    if mutation.resets(&end) {
        reader.reset();
    }
    if !written {
        writer.abort();
        drop(writer.await);
    }
    conn.out.abandon();
}
