//! The finished broadcast server: the heartbeat server, where everyone hears what anyone says.
//! What comes from there, or from the echo server, is explained there.

use futures_util::{FutureExt, SinkExt, StreamExt};
use memchr::memchr2;
use std::borrow::Cow;
use std::io::{self, BufWriter, Stdout, Write};
use std::sync::{LazyLock, Mutex};
use std::{
    env, error::Error, fmt::Display, future, num::NonZeroU64, pin::pin, process, time::Duration,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio::{signal::ctrl_c, task::yield_now};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, coding::CloseCode};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

type Client = WebSocketStream<TcpStream>;
type Signal = watch::Receiver<()>;
type Ended = Result<(), Box<dyn Error + Send + Sync>>;
/// Each client gets a clone of the message, which is one more owner of the same bytes.
type Everyone = broadcast::Sender<Message>;

const PATIENCE: Duration = Duration::from_secs(5);
/// So many messages may wait for the slowest client. All wait in the same place, so that this bounds
/// what is kept, however many are slow; and a thousand on their way are nothing unusual.
const BACKLOG: usize = 8192;
const ROUND: usize = 64;
const WELCOME: &str = "Welcome! Connection established.";
const AWAY: CloseFrame = CloseFrame { code: CloseCode::Away, reason: Utf8Bytes::from_static("") };

/// Standard output, one task at a time.
static LOG: LazyLock<Mutex<BufWriter<Stdout>>> =
    LazyLock::new(|| Mutex::new(BufWriter::new(io::stdout())));

#[tokio::main]
async fn main() {
    let millis = setting("HEARTBEAT_INTERVAL_MS", "30000");
    let period = millis.parse().map(|millis: NonZeroU64| Duration::from_millis(millis.get()));
    let period = period.unwrap_or_else(|error| {
        refuse("HEARTBEAT_INTERVAL_MS", &millis, error, "a positive integer")
    });
    let addr = setting("ADDR", "127.0.0.1:8080");
    let listener = TcpListener::bind(&addr).await;
    let listener = listener.unwrap_or_else(|error| {
        refuse("ADDR", &addr, error, "host:port, with a port that is free")
    });
    let local = listener.local_addr().expect("it is bound");
    log(format_args!("WebSocket server running on ws://{local}"));
    write_log();

    let everyone = broadcast::Sender::new(BACKLOG);
    // One clock for all: when all beat together, the machine wakes up once and not a thousand times.
    let beats = watch::Sender::new(());
    let mut clock = interval(period);
    // A beat that is late must not shorten the time there is to answer it: the next is late, too.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await; // an interval's first tick comes at once
    let mut ctrl_c = pin!(ctrl_c());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, beats.subscribe(), everyone.clone()))),
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            _ = clock.tick() => { beats.send_replace(()); }
            _ = &mut ctrl_c => break,
        }
    }
    let _ = everyone.send(Message::Close(Some(AWAY)));
    let _ = timeout(Duration::from_secs(1), everyone.closed()).await;
}

async fn serve(stream: TcpStream, beats: Signal, everyone: Everyone) {
    let _ = stream.set_nodelay(true);
    let config = WebSocketConfig::default()
        .read_buffer_size(4 << 10) // heartbeats are for clients that are many, and mostly idle
        .write_buffer_size(2 << 20)
        .max_message_size(Some(16 << 20));
    let handshake = accept_async_with_config(stream, Some(config));
    if let Ok(Ok(mut ws)) = timeout(PATIENCE, handshake).await {
        log("Client connected");
        let (ping, pong) = (Notify::new(), Notify::new());
        // Side by side, for a beat must not wait until a client that reads no more has read. The
        // first to end ends the other, and then the connection: from the dead there's no farewell.
        tokio::select! {
            _ = chat(&mut ws, &ping, &pong, &everyone) => {}
            () = heart(beats, &ping, &pong) => {}
        }
        log("Client disconnected");
        write_log();
    }
}

/// Asks for a ping at every beat, and ends at the first that finds no pong since the one before.
async fn heart(mut beats: Signal, ping: &Notify, pong: &Notify) {
    beats.mark_unchanged(); // a beat during the handshake was not for this client
    pong.notify_one(); // as good as a pong: it has just been heard
    while beats.changed().await.is_ok() {
        yield_now().await; // if it was us who slept, a pong may lie there: let it be read first
        if pong.notified().now_or_never().is_none() {
            return;
        }
        ping.notify_one();
    }
}

async fn chat(ws: &mut Client, ping: &Notify, pong: &Notify, everyone: &Everyone) -> Ended {
    // In this order: who has seen the welcome misses nothing that is said from then on.
    let mut inbox = everyone.subscribe();
    ws.feed(Message::text(WELCOME)).await?;
    'open: loop {
        for _ in 0..ROUND {
            // All that is there is fed, to be written at once; no more, or reading might never come.
            let heard = inbox.len();
            for _ in 0..heard {
                ws.feed(inbox.try_recv()?).await?; // the error: it lags so far that some are lost to it
            }
            // Not `biased`: none of the three can starve the others. Were the socket always asked first, it
            // would be asked, and its read buffer filled with zeros, twice for each message that is heard.
            tokio::select! {
                () = ping.notified() => ws.feed(Message::Ping(Bytes::new())).await?,
                message = inbox.recv() => ws.feed(message?).await?,
                message = next(ws) => match message {
                    // This never waits, so nobody waits for the slow; and it can't fail, as we listen.
                    Some(m) if m.is_text() || m.is_binary() => drop(everyone.send(reply(m))),
                    Some(Message::Pong(_)) => pong.notify_one(),
                    Some(Message::Close(_)) | None => break 'open,
                    Some(_) => {}
                },
            }
            if heard > BACKLOG / 4 {
                break; // while all talk at once, who has said one thing listens for a while
            }
        }
        yield_now().await;
        write_log();
        let _ = ws.flush().now_or_never();
    }
    let _ = timeout(PATIENCE, ws.for_each(|_| future::ready(()))).await;
    Ok(())
}

async fn next(ws: &mut Client) -> Option<Message> {
    let message = future::poll_fn(|cx| {
        let message = ws.poll_next_unpin(cx);
        if message.is_pending() {
            write_log();
            let _ = ws.poll_flush_unpin(cx);
        }
        message
    });
    message.await?.ok()
}

fn reply(message: Message) -> Message {
    let text = match message {
        Message::Text(text) => text,
        bytes => String::from_utf8_lossy(&bytes.into_data()).into_owned().into(),
    };
    log(format_args!("Received: {}", one_line(&text)));
    Message::text(["Server received: ", &text].concat())
}

fn setting(name: &str, default: &str) -> String {
    env::var_os(name).map_or(default.into(), |value| value.to_string_lossy().into_owned())
}

fn refuse(name: &str, value: &str, error: impl Display, wanted: &str) -> ! {
    let _ = writeln!(io::stderr(), "{name}={value:?}: {error} (wanted {wanted})");
    process::exit(2)
}

fn log(event: impl Display) {
    let _ = writeln!(LOG.lock().expect("no panic holds it"), "{event}");
}

fn one_line(text: &str) -> Cow<'_, str> {
    if memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
        return text.replace('\r', "\\r").replace('\n', "\\n").into();
    }
    text.into()
}

fn write_log() {
    let _ = LOG.lock().expect("no panic holds it").flush();
}
