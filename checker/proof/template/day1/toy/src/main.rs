//! The template's exercise: a server that answers in capitals.

use std::env;

use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() {
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = TcpListener::bind(&addr).await.expect("ADDR is free");
    println!("WebSocket server running on ws://{}", listener.local_addr().expect("it is bound"));
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream));
    }
}

async fn serve(_stream: TcpStream) {
    // TODO 1: Answer each text with the same text in capitals. [toy::capitals]
    // See lessons/06-summary.md
    todo!("TODO 1: answer in capitals");
}
