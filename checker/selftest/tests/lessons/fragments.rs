//! What the lessons show of the libraries, in functions that are compiled and run.

use std::error::Error;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::broadcast;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::markdown::read;

type Ws = WebSocketStream<DuplexStream>;

async fn accepted(stream: DuplexStream) -> Option<Ws> {
    match timeout(Duration::from_secs(5), accept_async(stream)).await {
        Ok(Ok(ws)) => Some(ws),     // the handshake is done
        Ok(Err(_error)) => None,    // what came was no handshake
        Err(_five_seconds) => None, // nothing came, or not all of it
    }
}

async fn greets(ws: &mut Ws) -> tungstenite::Result<()> {
    ws.send(Message::text("Good morning.")).await?;
    Ok(())
}

async fn hears(ws: &mut Ws) -> tungstenite::Result<()> {
    while let Some(message) = ws.next().await {
        match message? {
            Message::Text(text) => println!("{} bytes of text", text.len()),
            Message::Binary(data) => println!("{} bytes", data.len()),
            other => println!("the library sees to it: {other:?}"),
        }
    }
    Ok(())
}

async fn waits_for_two_things(ws: &mut Ws) {
    let mut beat = interval(Duration::from_secs(30));
    beat.tick().await; // the first tick comes at once
    loop {
        tokio::select! {
            message = ws.next() => match message {
                Some(Ok(message)) => println!("heard {message:?}"),
                _ => break, // the connection is over
            },
            _ = beat.tick() => println!("half a minute has passed"),
        }
    }
}

async fn wrote(ws: &mut Ws, message: Message) -> bool {
    match timeout(Duration::from_secs(1), ws.send(message)).await {
        Ok(Ok(())) => true,        // it is in the kernel's buffer
        Ok(Err(_error)) => false,  // the connection is broken
        Err(_one_second) => false, // nothing moves: the client doesn't read
    }
}

async fn met() -> (Ws, Ws) {
    let (here, there) = duplex(1 << 16);
    let (server, client) = tokio::join!(accepted(here), client_async("ws://localhost/", there));
    (server.expect("a handshake"), client.expect("an answer").0)
}

#[tokio::test]
async fn a_client_is_greeted_and_heard() {
    let (mut server, mut client) = met().await;
    greets(&mut server).await.expect("it is written");
    assert_eq!(
        client.next().await.expect("a message").expect("a greeting"),
        Message::text("Good morning.")
    );
    let talk = async {
        for message in [Message::text("Hello"), Message::Binary(Bytes::from_static(b"Hi\xff"))] {
            client.send(message).await.expect("it is written");
        }
        client.close(None).await.expect("it is written");
        // The library answers; it ends the connection when the server's half is dropped.
        client.next().await.expect("an answer").expect("a close frame").is_close()
    };
    let (heard, answered) = tokio::join!(hears(&mut server), talk);
    assert!(heard.is_ok() && answered);
}

#[tokio::test]
async fn who_speaks_no_websocket_is_no_client() {
    let (here, mut there) = duplex(1 << 16);
    there.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("it is written");
    assert!(accepted(here).await.is_none());
    let mut answer = Vec::new();
    there.read_to_end(&mut answer).await.expect("an end");
    assert!(answer.is_empty(), "lesson 3 says that there is no answer");
}

#[tokio::test]
async fn two_things_are_waited_for_until_the_connection_is_over() {
    let (mut server, mut client) = met().await;
    client.send(Message::Ping(Bytes::new())).await.expect("it is written");
    drop(client);
    waits_for_two_things(&mut server).await;
}

#[tokio::test]
async fn a_write_has_a_limit() {
    let (mut server, client) = met().await;
    assert!(wrote(&mut server, Message::text("short")).await);
    assert!(!wrote(&mut server, Message::text("long".repeat(1 << 20))).await, "nobody reads that");
    drop(client);
}

#[test]
fn the_sample_key() {
    let accept = derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[tokio::test]
async fn a_receiver_gets_what_is_sent_from_then_on() -> Result<(), Box<dyn Error>> {
    let radio = broadcast::Sender::new(4);
    let mut ann = radio.subscribe();
    radio.send("one")?;
    let mut bob = radio.subscribe();
    radio.send("two")?;
    assert_eq!((ann.recv().await?, ann.recv().await?, bob.recv().await?), ("one", "two", "two"));
    assert!(ann.is_empty() && bob.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_lags_is_told() -> Result<(), Box<dyn Error>> {
    async fn shown() -> Result<(), Box<dyn Error>> {
        let radio = broadcast::Sender::new(2);
        let mut slow = radio.subscribe();
        for number in 1..=5 {
            radio.send(number)?;
        }
        println!("{:?}", slow.recv().await);
        println!("{:?}", slow.recv().await);
        Ok(())
    }
    shown().await?;

    let radio = broadcast::Sender::new(2);
    let mut slow = radio.subscribe();
    for number in 1..=5 {
        radio.send(number)?;
    }
    let printed = format!("{:?}\n{:?}\n", slow.recv().await, slow.recv().await);
    assert!(read("lessons/05-broadcast.md").contains(&format!("\n{printed}")), "{printed}");
    Ok(())
}

#[test]
fn a_clone_of_a_text_shares_its_bytes() {
    let text: Utf8Bytes = String::from("Server received: Hello").into();
    assert_eq!(text.clone().as_str().as_ptr(), text.as_str().as_ptr());
}
