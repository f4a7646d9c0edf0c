//! The finished echo server: it greets every client and sends each message back to its sender.

use futures_util::{FutureExt, SinkExt, StreamExt};
use memchr::memchr2;
use std::borrow::Cow;
use std::io::{self, BufWriter, Stdout, Write};
use std::sync::{LazyLock, Mutex};
use std::{env, fmt::Display, future, pin::pin, process, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio::{signal::ctrl_c, sync::watch, task::yield_now, time::sleep, time::timeout};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, coding::CloseCode};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes, protocol::WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

type Client = WebSocketStream<TcpStream>;

/// For a client that never finishes the handshake, or the farewell.
const PATIENCE: Duration = Duration::from_secs(5);
/// So much is done before anything else has its turn.
const ROUND: usize = 64;
const WELCOME: &str = "Welcome! Connection established.";
const AWAY: CloseFrame = CloseFrame { code: CloseCode::Away, reason: Utf8Bytes::from_static("") };

/// Standard output, one task at a time; what is longer than its buffer would be searched for line ends.
static LOG: LazyLock<Mutex<BufWriter<Stdout>>> =
    LazyLock::new(|| Mutex::new(BufWriter::with_capacity(128 << 10, io::stdout())));

#[tokio::main]
async fn main() {
    let addr = env::var_os("ADDR").unwrap_or_else(|| "127.0.0.1:8080".into());
    let addr = addr.to_string_lossy(); // what isn't Unicode isn't an address, and bind() says so
    let listener = TcpListener::bind(&*addr).await.unwrap_or_else(|error| {
        let wanted = "wanted host:port, with a port that is free";
        let _ = writeln!(io::stderr(), "ADDR={addr:?}: {error} ({wanted})");
        process::exit(2)
    });
    let local = listener.local_addr().expect("it is bound");
    log(format_args!("WebSocket server running on ws://{local}"));
    write_log();

    // A change tells every client's task to finish; once no receiver is left, all of them have.
    let stop = watch::Sender::new(());
    let mut ctrl_c = pin!(ctrl_c());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // A task for each, handshake included: a client that is slow holds up no other.
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, stop.subscribe()))),
                // Out of file descriptors, say: over when a client leaves. Until then, don't spin.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            _ = &mut ctrl_c => break,
        }
    }
    stop.send_replace(());
    let _ = timeout(Duration::from_secs(1), stop.closed()).await;
}

async fn serve(stream: TcpStream, stop: watch::Receiver<()>) {
    // Or else a small packet waits for the last one's acknowledgement, which may take 40 ms.
    let _ = stream.set_nodelay(true);
    let config = WebSocketConfig::default()
        // Filled with zeros before every read, and 128 KiB by default: that is a lot of zeros. With
        // room for a header, messages of 16, 32 or 64 KiB need no further read for their last bytes.
        .read_buffer_size((16 << 10) + 14)
        // feed() waits for a client that doesn't read only when so much is unwritten. Many write
        // all they have to say before they read, and we would wait for each other for ever.
        .write_buffer_size(2 << 20)
        // As much as a frame may have: then it makes no difference whether a message has several.
        .max_message_size(Some(16 << 20));
    let handshake = accept_async_with_config(stream, Some(config));
    if let Ok(Ok(mut ws)) = timeout(PATIENCE, handshake).await {
        log("Client connected");
        let _ = echo(&mut ws, stop).await; // an error is one more way to leave
        log("Client disconnected");
        write_log();
    }
}

async fn echo(ws: &mut Client, mut stop: watch::Receiver<()>) -> tungstenite::Result<()> {
    ws.feed(Message::text(WELCOME)).await?;
    'open: loop {
        for _ in 0..ROUND {
            tokio::select! {
                biased; // `stop` is shared by all clients: look there only if there is nothing to do
                message = next(ws) => match message {
                    Some(m) if m.is_text() || m.is_binary() => ws.feed(reply(m)).await?,
                    Some(Message::Close(_)) | None => break 'open,
                    Some(_) => {} // the library answers pings
                },
                _ = stop.changed() => break 'open ws.close(Some(AWAY)).await?,
            }
        }
        // However much there is to read: now others have their turn, and what has been fed is written.
        yield_now().await;
        write_log();
        let _ = ws.flush().now_or_never();
    }
    // It finishes the closing handshake as well, whoever began it, if it goes on being asked for
    // messages until there are none. Where there is nothing to finish, this is over at once.
    let _ = timeout(PATIENCE, ws.for_each(|_| future::ready(()))).await;
    Ok(())
}

/// Only if there is nothing to read, what has been fed is written: all that has arrived is answered
/// with one write. An error in writing is an error in reading, too.
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
        Message::Text(text) => text, // known to be UTF-8: don't look at every byte of it once more
        bytes => String::from_utf8_lossy(&bytes.into_data()).into_owned().into(),
    };
    log(format_args!("Received: {}", one_line(&text)));
    // Unlike format!(), which guesses, this knows how much to allocate, and so does it once.
    Message::text(["Server received: ", &text].concat())
}

/// One line an event. Lines are written as messages are: when there is nothing to read, all at once.
fn log(event: impl Display) {
    let _ = writeln!(LOG.lock().expect("no panic holds it"), "{event}");
}

/// A message with line breaks is one event, too.
fn one_line(text: &str) -> Cow<'_, str> {
    if memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
        return text.replace('\r', "\\r").replace('\n', "\\n").into();
    }
    text.into()
}

/// Errors are ignored: nobody may be reading our output any more, and `println!` would panic.
fn write_log() {
    let _ = LOG.lock().expect("no panic holds it").flush();
}
