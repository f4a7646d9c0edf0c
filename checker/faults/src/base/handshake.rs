//! The opening handshake, read and answered by hand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Server;

/// No browser sends a longer request head.
const HEAD_LIMIT: usize = 16 * 1024;

/// Why a handshake failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandshakeFailure {
    /// The client disconnected before its request was complete.
    Incomplete,
    /// The bytes are not an HTTP request.
    NotHttp,
    /// The request asks for no WebSocket.
    NotAnUpgrade,
}

/// The head of an HTTP request.
pub(crate) struct Request {
    pub(crate) text: String,
    /// Names in lower case, and values.
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    fn new(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let headers = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let headers =
            headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        Self { text, headers }
    }

    /// Returns the values of all headers with this name, as one list.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(other, _)| other == name);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Returns true if the header lists this word.
    pub(crate) fn lists(&self, name: &str, word: &str) -> bool {
        self.header(name).split(',').any(|value| value.trim().eq_ignore_ascii_case(word))
    }

    /// Returns the line of the header that is written exactly so.
    pub(crate) fn line(&self, name: &str) -> Option<&str> {
        let mut lines = self.text.lines();
        lines.find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
    }

    /// Returns true if RFC 6455 lets a server upgrade the connection.
    pub(crate) fn is_valid(&self) -> bool {
        let mut start = self.text.lines().next().unwrap_or_default().split(' ');
        let key = self.header("sec-websocket-key");
        start.next() == Some("GET")
            && start.nth(1) == Some("HTTP/1.1")
            && self.lists("upgrade", "websocket")
            && self.lists("connection", "upgrade")
            && self.header("sec-websocket-version") == "13"
            && key.len() == 24
            && key.ends_with("==")
    }
}

/// Reads the request and upgrades it. Returns the bytes behind it, or `None` if it was refused.
pub(crate) async fn shake(server: &Server, stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mutation = server.mutation;
    let mut bytes = Vec::with_capacity(4 * 1024);
    let length = loop {
        if let Some(length) = mutation.head_length(&bytes) {
            break length;
        }
        if bytes.len() > HEAD_LIMIT || stream.read_buf(&mut bytes).await.ok()? == 0 {
            mutation.handshake_failed(HandshakeFailure::Incomplete);
            return None;
        }
    };
    let rest = bytes.split_off(length);
    if !bytes.starts_with(b"GET ") {
        mutation.handshake_failed(HandshakeFailure::NotHttp);
    }
    let request = Request::new(&bytes);
    if !mutation.accepts(&request) {
        return None;
    }
    if !mutation.upgrades(&request) {
        mutation.handshake_failed(HandshakeFailure::NotAnUpgrade);
        mutation.refuse(stream).await;
        return None;
    }
    let accept_key = mutation.accept_key(&request.header("sec-websocket-key"));
    let response = mutation.response(&request, &accept_key);
    for piece in response.as_bytes().chunks(mutation.write_size().unwrap_or(response.len())) {
        stream.write_all(piece).await.ok()?;
        yield_now().await;
    }
    Some(rest)
}

/// Returns the length of the request head if the empty line has come.
pub(crate) fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

/// Responds that a WebSocket is required.
pub(crate) async fn refuse(stream: &mut TcpStream) {
    let refusal = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: close\r\n\
                   Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
    drop(stream.write_all(refusal.as_bytes()).await);
    drop(stream.shutdown().await);
}

pub(crate) fn accept_key(key: &str) -> String {
    derive_accept_key(key.as_bytes())
}

/// Returns a 101 response. Each line of `more` ends with `\r\n`.
pub(crate) fn response(accept_key: &str, more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         {more}Sec-WebSocket-Accept: {accept_key}\r\n\r\n"
    )
}
