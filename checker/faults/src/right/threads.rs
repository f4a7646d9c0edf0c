//! `echo` without tokio: a thread for each connection, blocking reads and writes.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tokio_tungstenite::tungstenite::{self, Message};

use super::{reply, said};
use crate::config::Config;
use crate::log::Log;
use crate::text::WELCOME;

pub(crate) fn run(config: Config) -> io::Result<()> {
    let listener = TcpListener::bind(&config.addr)?;
    let log = Log::start(false);
    log.line(format!("WebSocket server running on ws://{}", listener.local_addr()?));
    loop {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let log = log.clone();
        drop(thread::Builder::new().stack_size(256 * 1024).spawn(move || client(stream, &log)));
    }
}

fn client(stream: TcpStream, log: &Log) {
    drop(stream.set_nodelay(true));
    let Ok(mut ws) = tungstenite::accept(stream) else {
        return;
    };
    log.line("Client connected");
    let mut sent = ws.send(Message::text(WELCOME));
    while sent.is_ok() {
        let Ok(message) = ws.read() else { break };
        if let Some(said) = said(&message) {
            sent = ws.send(Message::Text(reply(&said, log)));
        }
    }
    log.line("Client disconnected");
}
