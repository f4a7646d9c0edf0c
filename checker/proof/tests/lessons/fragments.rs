//! Tests statements of the lessons about libraries. The lessons show the output of this code.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use baseline::Batch;
use baseline::client::Http;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::markdown::read;

type Ws = WebSocketStream<DuplexStream>;

async fn connect() -> (Ws, Ws) {
    let (here, there) = duplex(1 << 16);
    let (server, client) = tokio::join!(accept_async(here), client_async("ws://localhost/", there));
    (server.expect("a handshake"), client.expect("an answer").0)
}

/// The polling client of lesson 1.
async fn poll(
    client: reqwest::Client,
    address: SocketAddr,
    show: impl Fn(String),
) -> Result<Infallible, reqwest::Error> {
    let mut since = 0;
    loop {
        let url = format!("http://{address}/messages?since={since}");
        let batch: Batch = client.get(url).send().await?.json().await?;
        for message in batch.messages {
            show(message);
        }
        since = batch.next;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn the_polling_client_shows_each_message_once() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (sender, mut shown) = mpsc::unbounded_channel();
    let http = Http::new(address, false);
    let publish = async {
        for text in ["one", "two", "three"] {
            http.publish(text).await.expect("published");
            assert_eq!(shown.recv().await.as_deref(), Some(text));
        }
    };
    let client = reqwest::Client::builder().no_proxy().build()?;
    let show = |message| drop(sender.send(message));
    tokio::select! {
        served = baseline::server::serve(listener) => Ok(served?),
        Err(error) = poll(client, address, show) => Err(error.into()),
        () = publish => Ok(()),
    }
}

#[tokio::test]
async fn a_failed_handshake_closes_the_socket() {
    let (here, mut there) = duplex(1 << 16);
    there.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it is written");
    assert!(accept_async(here).await.is_err());
    let mut answer = Vec::new();
    there.read_to_end(&mut answer).await.expect("an end");
    assert!(answer.is_empty());
}

#[tokio::test]
async fn pings_and_close_frames_are_answered_while_the_server_reads() {
    let (mut server, mut client) = connect().await;
    client.send(Message::Ping(Bytes::from_static(b"42"))).await.expect("it is written");
    client.close(None).await.expect("it is written");
    assert!(server.next().await.expect("a message").expect("a ping").is_ping());
    assert!(server.next().await.expect("a message").expect("a close frame").is_close());
    assert!(server.next().await.is_none());
    drop(server);
    let pong = client.next().await.expect("a message").expect("a pong");
    assert_eq!(pong, Message::Pong(Bytes::from_static(b"42")));
    assert!(client.next().await.expect("a message").expect("a close frame").is_close());
}

#[tokio::test]
async fn a_write_waits_for_the_reader() {
    let (mut server, client) = connect().await;
    assert!(server.send(Message::text("short")).now_or_never().is_some());
    assert!(server.send(Message::text("long".repeat(1 << 20))).now_or_never().is_none());
    drop(client);
}

#[test]
fn invalid_utf8_is_replaced() {
    let code = r#"String::from_utf8_lossy(b"Hi\xff").to_string(); // "Hi�""#;
    assert!(read("lessons/03-echo.md").contains(code));
    assert_eq!(String::from_utf8_lossy(b"Hi\xff"), "Hi�");
}

#[test]
fn the_sample_key() {
    let accept = derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[tokio::test]
async fn a_receiver_gets_what_is_sent_after_it_subscribed() -> Result<(), Box<dyn Error>> {
    let radio = broadcast::Sender::new(4);
    let mut ann = radio.subscribe();
    let _ = radio.send("one");
    let mut bob = radio.subscribe();
    let _ = radio.send("two");
    assert_eq!((ann.recv().await?, ann.recv().await?, bob.recv().await?), ("one", "two", "two"));
    assert!(ann.is_empty() && bob.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_lags_is_told() {
    async fn shown() {
        let radio = broadcast::Sender::new(2);
        let mut slow = radio.subscribe();
        for number in 1..=5 {
            let _ = radio.send(number);
        }
        println!("{:?}", slow.recv().await);
        println!("{:?}", slow.recv().await);
    }
    shown().await;

    let radio = broadcast::Sender::new(2);
    let mut slow = radio.subscribe();
    for number in 1..=5 {
        let _ = radio.send(number);
    }
    let printed = format!("{:?}\n{:?}\n", slow.recv().await, slow.recv().await);
    assert!(read("lessons/05-broadcast.md").contains(&format!("\n{printed}")), "{printed}");
}

#[test]
fn a_clone_of_a_text_shares_its_bytes() {
    let text: Utf8Bytes = String::from("Server received: Hello").into();
    assert_eq!(text.clone().as_str().as_ptr(), text.as_str().as_ptr());
}
