//! The opening handshake, read and answered by hand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Server, Twist};

/// Longer request heads are nobody's browser.
const HEAD_LIMIT: usize = 16 * 1024;

/// Reads the request and upgrades it; the bytes that came after it, or nothing if it was no valid upgrade request.
pub(crate) async fn shake(server: &Server, stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4 * 1024);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if !bytes.is_empty() && server.has(Twist::RequestInOneRead) {
            break bytes.len();
        }
        if bytes.len() > HEAD_LIMIT || stream.read_buf(&mut bytes).await.ok()? == 0 {
            if server.has(Twist::HangUpEndsProcess) {
                unwrapped("Protocol(HandshakeIncomplete)");
            }
            return None;
        }
    };
    let rest = bytes.split_off(end);
    if server.has(Twist::GarbageEndsProcess) && !bytes.starts_with(b"GET ") {
        unwrapped("HttpFormat(Token)");
    }
    let request = String::from_utf8_lossy(&bytes).into_owned();
    // Beside the headers, there are the request line and the empty one.
    if server.has(Twist::ShortHeads) && end > 1024
        || server.has(Twist::HeadsOf4KiB) && end > 4096
        || server.has(Twist::SixteenHeaders) && request.lines().count() > 16 + 2
        || server.has(Twist::RefusesOrigins) && line(&request, "Origin").is_some()
    {
        return None;
    }
    let key = match upgrade_key(server, &request) {
        Some(key) => key,
        None if server.has(Twist::UpgradesPlainHttp) => String::new(),
        None if server.has(Twist::ServesAPage) => {
            let page = "<!doctype html><title>Day 1</title><p>Come with a WebSocket.";
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n",
                page.len()
            );
            stream.write_all((head + page).as_bytes()).await.ok()?;
            // Kept alive, as HTTP/1.1 has it, until the client hangs up.
            while stream.read(&mut [0; 1024]).await.ok()? > 0 {}
            return None;
        }
        None => {
            if server.has(Twist::PlainHttpEndsProcess) {
                unwrapped("Protocol(MissingConnectionUpgradeHeader)");
            }
            let refusal = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: close\r\n\
                           Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n";
            drop(stream.write_all(refusal.as_bytes()).await);
            drop(stream.shutdown().await);
            return None;
        }
    };
    let mut answer = switching(server, &key);
    let copied = [
        (Twist::AllSubprotocols, "Sec-WebSocket-Protocol"),
        (Twist::CopiesExtensions, "Sec-WebSocket-Extensions"),
    ];
    for (_, name) in copied.into_iter().filter(|(twist, _)| server.has(*twist)) {
        if let Some(line) = line(&request, name) {
            answer.truncate(answer.len() - 2);
            answer += &format!("{line}\r\n\r\n");
        }
    }
    let size = if server.has(Twist::WritesInPieces) { 7 } else { answer.len() };
    for piece in answer.as_bytes().chunks(size) {
        stream.write_all(piece).await.ok()?;
        yield_now().await;
    }
    Some(rest)
}

/// For twists: the line of the header of this name.
fn line<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')))
}

/// For twists: a handshake's error ends the whole server.
fn unwrapped(error: &str) -> ! {
    eprintln!("called `Result::unwrap()` on an `Err` value: {error}");
    std::process::exit(101)
}

/// The key of a valid upgrade request.
fn upgrade_key(server: &Server, request: &str) -> Option<String> {
    let mut lines = request.split("\r\n");
    let mut start = lines.next()?.split(' ');
    let (method, _path, version) = (start.next()?, start.next()?, start.next()?);
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim()))
        .collect();
    let all = |name: &str| {
        headers.iter().filter(|(n, _)| n == name).map(|(_, v)| *v).collect::<Vec<_>>().join(",")
    };
    let lists =
        |name: &str, word: &str| all(name).split(',').any(|v| v.trim().eq_ignore_ascii_case(word));
    if server.has(Twist::HeaderNamesExactly) && !request.contains("\r\nSec-WebSocket-Key:")
        || server.has(Twist::ConnectionExactly)
            && !all("connection").eq_ignore_ascii_case("upgrade")
        || server.has(Twist::ConnectionNeedsSpace)
            && !all("connection").split(", ").any(|word| word.eq_ignore_ascii_case("upgrade"))
        || server.has(Twist::LastConnectionLine)
            && !headers.iter().rfind(|(name, _)| name == "connection").is_some_and(|(_, line)| {
                line.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
            })
    {
        return None;
    }
    if server.has(Twist::UpgradeExactly) && all("upgrade") != "websocket" {
        return None;
    }
    let key = all("sec-websocket-key");
    if server.has(Twist::AnyUpgrade) && lists("connection", "upgrade") {
        return Some(key);
    }
    if server.has(Twist::UpgradesWithoutKey)
        && lists("upgrade", "websocket")
        && lists("connection", "upgrade")
    {
        return Some(key);
    }
    let valid = method == "GET"
        && version == "HTTP/1.1"
        && lists("upgrade", "websocket")
        && lists("connection", "upgrade")
        && all("sec-websocket-version") == "13"
        && key.len() == 24
        && key.ends_with("==");
    valid.then_some(key)
}

/// The answer that turns HTTP into a WebSocket.
fn switching(server: &Server, key: &str) -> String {
    let accept = if server.has(Twist::SampleAcceptKey) {
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()
    } else if server.has(Twist::AcceptOfUntrimmedKey) {
        derive_accept_key(format!("{key}\r").as_bytes())
    } else {
        derive_accept_key(key.as_bytes())
    };
    let status = if server.has(Twist::Status200) { "200 OK" } else { "101 Switching Protocols" };
    let mut head = format!("HTTP/1.1 {status}\r\n");
    if server.has(Twist::OtherHeaders) {
        head += "server: museum/1.0\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nx-powered-by: raw frames\r\n\
                 set-cookie: visited=yes; Path=/\r\nupgrade: WebSocket\r\nconnection: upgrade\r\n";
        return head + "sec-websocket-accept:" + &accept + "\r\n\r\n";
    }
    if !server.has(Twist::NoUpgradeHeader) {
        head += "Upgrade: websocket\r\n";
    }
    head += "Connection: Upgrade\r\n";
    if server.has(Twist::UnaskedDeflate) {
        head += "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    }
    if server.has(Twist::UnaskedSubprotocol) {
        head += "Sec-WebSocket-Protocol: chat\r\n";
    }
    head + "Sec-WebSocket-Accept: " + &accept + "\r\n\r\n"
}
