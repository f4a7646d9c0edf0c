//! `echo` without tokio: a thread for each connection, blocking reads and writes.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tokio_tungstenite::tungstenite::{self, Message};

use super::{reply, text_of};
use crate::base::WELCOME;
use crate::config::Config;
use crate::log::Log;

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
        if let Some(text) = text_of(&message) {
            sent = ws.send(Message::Text(reply(&text, log)));
        }
    }
    log.line("Client disconnected");
}
