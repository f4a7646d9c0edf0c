//! Right servers on tokio-tungstenite, in designs that students use.

mod actor;
mod channel;
mod client;
mod map;
mod opening;
mod split;
mod sweep;
mod threads;

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use futures_util::SinkExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::base::{PREFIX, WELCOME};
use crate::config::Config;
use crate::log::Log;

pub(crate) use actor::run as actor;
pub(crate) use channel::run as channel;
pub(crate) use map::run as map;
pub(crate) use opening::run as opening;
pub(crate) use split::run as split;
pub(crate) use sweep::run as sweep;
pub(crate) use threads::run as threads;

/// Runs a server on tokio's usual runtime.
pub(crate) fn on_all_cores(server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(server)
}

/// Runs a server on a single thread.
pub(crate) fn on_one_core(server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server)
}

/// Binds, and prints the ready line.
async fn listen(config: &Config) -> io::Result<(TcpListener, Log)> {
    let listener = TcpListener::bind(&config.addr).await?;
    let log = Log::start(false);
    log.line(format!("WebSocket server running on ws://{}", listener.local_addr()?));
    Ok((listener, log))
}

/// Accepts the next connection, and continues after an error.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

/// Asks for a ping at each tick, the first one after `first`. Returns when a ping was not answered.
async fn beat(first: Duration, period: Duration, alive: &AtomicBool, pings: &mpsc::Sender<()>) {
    let mut ticks = interval_at(Instant::now() + first, period);
    loop {
        ticks.tick().await;
        if !alive.swap(false, SeqCst) {
            return;
        }
        let _busy = pings.try_send(());
    }
}

/// Completes the handshake within ten seconds.
async fn shake(stream: TcpStream, log: &Log) -> Option<WebSocketStream<TcpStream>> {
    drop(stream.set_nodelay(true));
    let config = WebSocketConfig::default().read_buffer_size(8 * 1024);
    let handshake = tokio_tungstenite::accept_async_with_config(stream, Some(config));
    let ws = timeout(Duration::from_secs(10), handshake).await.ok()?.ok()?;
    log.line("Client connected");
    Some(ws)
}

/// Completes the handshake and sends the welcome.
async fn greet(stream: TcpStream, log: &Log) -> Option<WebSocketStream<TcpStream>> {
    let mut ws = shake(stream, log).await?;
    if ws.send(Message::text(WELCOME)).await.is_err() {
        log.line("Client disconnected");
        return None;
    }
    Some(ws)
}

/// Returns the text of a text or binary message; `None` for a control frame.
fn text_of(message: &Message) -> Option<String> {
    match message {
        Message::Text(text) => Some(text.to_string()),
        Message::Binary(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    }
}

/// Logs a message and returns its reply.
fn reply(text: &str, log: &Log) -> Utf8Bytes {
    log.line(format!("Received: {text}"));
    format!("{PREFIX}{text}").into()
}
