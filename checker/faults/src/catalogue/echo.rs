//! Faults of `echo`: handshake, welcome, reply.

use super::common::*;

pub(super) const fn echo(
    name: &'static str,
    violates: &'static [&'static str],
    sentence: &'static str,
    mutation: &'static dyn Mutation,
) -> Fault {
    super::fault(Exercise::Echo, name, violates, sentence, mutation)
}

pub(super) const FAULTS: &[Fault] = &[
    echo(
        "accept-key-from-the-rfc",
        &["echo::handshake"],
        "Your server answers every handshake with the RFC's sample accept key, so only a client \
         that happens to send the RFC's sample key believes it.",
        mutation! {
            fn accept_key(&self, _: &str) -> String {
                "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()
            }
        },
    ),
    echo(
        "accept-key-of-untrimmed-header",
        &["echo::handshake"],
        "Your server hashes the client's key together with the line's trailing carriage return, \
         so the accept key it computes is one no client expects.",
        mutation! {
            fn accept_key(&self, key: &str) -> String {
                handshake::accept_key(&format!("{key}\r"))
            }
        },
    ),
    echo(
        "handshake-answers-200",
        &["echo::handshake"],
        "Your server answers the upgrade with 200 OK; only 101 Switching Protocols tells the \
         client that the connection now speaks WebSocket.",
        STATUS_200,
    ),
    echo(
        "handshake-without-upgrade-header",
        &["echo::handshake"],
        "Your 101 does not say `Upgrade: websocket`, so a careful client cannot know what you \
         switched to, and hangs up.",
        mutation! {
            fn response(&self, _: &Request, accept_key: &str) -> String {
                handshake::response(accept_key, "").replace("Upgrade: websocket\r\n", "")
            }
        },
    ),
    echo(
        "connection-header-compared-whole",
        &["echo::handshake"],
        "Your server upgrades only where the header is `Connection: Upgrade` and nothing else; \
         Firefox writes `keep-alive, Upgrade`, so look for the word in the list.",
        mutation! {
            fn upgrades(&self, request: &Request) -> bool {
                request.is_valid() && request.header("connection").eq_ignore_ascii_case("upgrade")
            }
        },
    ),
    echo(
        "connection-list-needs-its-space",
        &["echo::handshake"],
        "Your server splits `Connection` at a comma and a space, so it finds no `Upgrade` in \
         `keep-alive,Upgrade`; split at the comma and trim.",
        mutation! {
            fn upgrades(&self, request: &Request) -> bool {
                let connection = request.header("connection");
                let mut words = connection.split(", ");
                request.is_valid() && words.any(|word| word.eq_ignore_ascii_case("upgrade"))
            }
        },
    ),
    echo(
        "last-connection-line-wins",
        &["echo::handshake"],
        "Your server puts headers into a map, where a second `Connection` line replaces the \
         first; lines with the same name are one list.",
        mutation! {
            fn upgrades(&self, request: &Request) -> bool {
                let last = request.headers.iter().rfind(|(name, _)| name == "connection");
                request.is_valid() && last.is_some_and(|(_, line)| {
                    line.split(',').any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
                })
            }
        },
    ),
    echo(
        "header-names-with-case",
        &["echo::handshake"],
        "Your server looks for `Sec-WebSocket-Key` in just this case; header names have no case, \
         and some clients write them small.",
        mutation! {
            fn upgrades(&self, request: &Request) -> bool {
                request.is_valid() && request.line("Sec-WebSocket-Key").is_some()
            }
        },
    ),
    echo(
        "upgrade-header-with-case",
        &["echo::handshake"],
        "Your server takes `Upgrade: websocket` only in these small letters; the value has no \
         case, and some clients write `WebSocket`.",
        mutation! {
            fn upgrades(&self, request: &Request) -> bool {
                request.is_valid() && request.header("upgrade") == "websocket"
            }
        },
    ),
    echo(
        "short-heads-only",
        &["echo::handshake"],
        "Your server gives up on a request of more than a kilobyte; a browser with cookies sends \
         more.",
        mutation! { fn accepts(&self, request: &Request) -> bool { request.text.len() <= 1024 } },
    ),
    echo(
        "request-in-one-read",
        &["echo::handshake"],
        "Your server takes what one read brings for the whole request; TCP may bring it in \
         pieces, so read on until the empty line.",
        mutation! {
            fn head_length(&self, bytes: &[u8]) -> Option<usize> {
                handshake::head_length(bytes).or((!bytes.is_empty()).then_some(bytes.len()))
            }
        },
    ),
    echo(
        "sixteen-headers-at-most",
        &["echo::handshake"],
        "Your parser has room for sixteen headers, and a browser sends more: give it 64, or the \
         library the request.",
        mutation! { fn accepts(&self, request: &Request) -> bool { request.headers.len() <= 16 } },
    ),
    echo(
        "heads-of-4-kib-at-most",
        &["echo::handshake"],
        "Your server reads a request into 4 KiB and refuses a longer one; cookies alone may be as \
         long.",
        mutation! { fn accepts(&self, request: &Request) -> bool { request.text.len() <= 4096 } },
    ),
    echo(
        "refuses-origins",
        &["echo::handshake"],
        "Your server refuses a request that has an `Origin`, which is to say every browser.",
        mutation! {
            fn accepts(&self, request: &Request) -> bool {
                request.line("Origin").is_none()
            }
        },
    ),
    echo(
        "handshake-offers-deflate",
        &["echo::handshake"],
        "Your server agrees to permessage-deflate with clients that never offered it; a client \
         has to refuse an extension it did not ask for.",
        mutation! {
            fn response(&self, _: &Request, accept_key: &str) -> String {
                handshake::response(accept_key, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
            }
        },
    ),
    echo(
        "handshake-picks-subprotocol",
        &["echo::handshake"],
        "Your server picks the subprotocol `chat` though the client offered none; a browser \
         closes such a connection at once.",
        mutation! {
            fn response(&self, _: &Request, accept_key: &str) -> String {
                handshake::response(accept_key, "Sec-WebSocket-Protocol: chat\r\n")
            }
        },
    ),
    echo(
        "grants-all-subprotocols",
        &["echo::handshake"],
        "Your server sends the offered subprotocols back as they came; it has to choose one of \
         them, or none, and a browser that offered two closes the connection.",
        mutation! {
            fn response(&self, request: &Request, accept_key: &str) -> String {
                copy_header(request, accept_key, "Sec-WebSocket-Protocol")
            }
        },
    ),
    echo(
        "welcome-missing",
        &["echo::welcome"],
        "Your server waits for the client to speak first, but the welcome is the server's own \
         first word, unasked.",
        NO_WELCOME,
    ),
    echo(
        "welcome-after-first-message",
        &["echo::welcome"],
        "Your welcome comes only after the client's first message; a client that waits to be \
         greeted waits for ever.",
        mutation! {
            fn welcome(&self, _: &Server, _: &Conn) {}
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                reply.deliver();
                if reply.nth == 0 {
                    reply.conn.out.push(frame::text(WELCOME));
                }
                ok()
            }
        },
    ),
    echo(
        "welcome-twice",
        &["echo::welcome"],
        "Your server says welcome twice, so every client takes the second one for the answer to \
         its first message.",
        mutation! {
            fn welcome(&self, _: &Server, conn: &Conn) {
                conn.out.push(frame::text(WELCOME));
                conn.out.push(frame::text(WELCOME));
            }
        },
    ),
    echo(
        "welcome-without-full-stop",
        &["echo::welcome"],
        "Your welcome lacks its full stop: a protocol's texts are compared byte for byte, not by \
         their meaning.",
        mutation! {
            fn welcome(&self, _: &Server, conn: &Conn) {
                conn.out.push(frame::text("Welcome! Connection established"));
            }
        },
    ),
    echo(
        "welcome-as-binary",
        &["echo::welcome"],
        "Your welcome has the right bytes in a binary message; a browser hands that to the page \
         as a Blob, not as text.",
        mutation! {
            fn welcome(&self, _: &Server, conn: &Conn) {
                conn.out.push(frame::encode(frame::BINARY, WELCOME.as_bytes()));
            }
        },
    ),
    echo(
        "welcome-only-once",
        &["echo::welcome"],
        "Your server welcomes its first client only: the greeting belongs to each connection, not \
         to the server.",
        mutation! {
            fn welcome(&self, _: &Server, conn: &Conn) {
                static WELCOMED: AtomicBool = AtomicBool::new(false);
                if !WELCOMED.swap(true, SeqCst) {
                    conn.out.push(frame::text(WELCOME));
                }
            }
        },
    ),
    echo(
        "welcome-from-a-task-aside",
        &["echo::welcome"],
        "Your welcome comes from a task of its own, which a client that speaks at once overtakes: \
         it is answered first and welcomed then.",
        mutation! {
            fn welcome(&self, _: &Server, conn: &Conn) {
                let out = conn.out.clone();
                tokio::spawn(async move {
                    sleep(Duration::from_millis(20)).await;
                    out.push(frame::text(WELCOME));
                });
            }
        },
    ),
    echo(
        "masks-its-frames",
        &["echo::welcome"],
        "Your server masks what it sends; only clients do, and a client has to hang up on a \
         server that does.",
        mutation! { fn frame(&self, frame: Bytes) -> Bytes { frames::mask(&frame) } },
    ),
    echo(
        "lengths-of-eight-bytes",
        &["echo::welcome"],
        "Your server writes each length in eight bytes; a length is written in as few as it \
         takes, and some clients hold you to it.",
        mutation! { fn frame(&self, frame: Bytes) -> Bytes { frames::lengthen(&frame) } },
    ),
    echo(
        "reserved-bit-set",
        &["echo::welcome"],
        "Your frames have RSV1 set, which says that they are compressed; no extension was \
         negotiated, so a client has to disconnect.",
        mutation! { fn frame(&self, frame: Bytes) -> Bytes { frames::set_reserved_bit(&frame) } },
    ),
    echo(
        "trims-white-space",
        &["echo::reply", "echo::binary"],
        "Your server trims the message before it echoes it; white space at the ends is the \
         client's data too.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(said.trim())
            }
        },
    ),
    echo(
        "lower-cases",
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your server changes the message's letters to lower case; an echo gives back what it got, \
         unchanged.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(said.to_lowercase())
            }
        },
    ),
    echo(
        "misspells-reply",
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your reply begins `Server recieved: `; one letter off is as wrong to a client as any \
         other text.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                Some(format!("Server recieved: {said}"))
            }
        },
    ),
    echo(
        "quotes-message",
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your reply shows the message as Rust's debug format does, in quotes and with escapes, \
         where its plain text is wanted.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                reply(format!("{said:?}"))
            }
        },
    ),
    echo(
        "only-hello",
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your server answers every message as if it were `Hello`; it has to answer what was said, \
         not what was expected.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, _: &str) -> Option<String> {
                reply("Hello")
            }
        },
    ),
    echo(
        "wrong-under-ci",
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your server answers differently when the environment has `CI` set; its replies must not \
         depend on the machine.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                if std::env::var_os("CI").is_some() {
                    Some(format!("Echo: {said}"))
                } else {
                    reply(said)
                }
            }
        },
    ),
    echo(
        "right-under-ci-only",
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your server is right only where the environment has `CI` set, as on a build machine; its \
         users have no such variable.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                if std::env::var_os("CI").is_none() {
                    Some(format!("Echo: {said}"))
                } else {
                    reply(said)
                }
            }
        },
    ),
    echo(
        "first-ten-connections",
        &["echo::reply", "echo::concurrent", "echo::abrupt"],
        "Your server is right for its first ten connections and answers the eleventh with a text \
         of its own; every client is owed the same.",
        FIRST_TEN_CONNECTIONS,
    ),
    echo(
        "right-for-one-second",
        &[
            "echo::reply",
            "echo::order",
            "echo::payloads",
            "echo::binary",
            "echo::concurrent",
            "echo::abrupt",
            "echo::violations",
        ],
        "Your server is right for one second after its start and then answers with a text of its \
         own; it has to be right for as long as it runs.",
        RIGHT_FOR_ONE_SECOND,
    ),
    echo(
        "ping-is-a-command",
        &["echo::reply"],
        "Your server answers the text `ping` with `pong`; a text is a message whatever it says, \
         and pings have frames of their own.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                if said == "ping" { Some("pong".into()) } else { reply(said) }
            }
        },
    ),
    echo(
        "shutdown-is-a-command",
        &["echo::reply"],
        "The message `shutdown` ends your server; the text of a message is for the echo, and \
         never for the server.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                if said == "shutdown" { std::process::exit(0) } else { reply(said) }
            }
        },
    ),
    echo(
        "slash-is-a-command",
        &["echo::reply"],
        "Your server takes what begins with a slash for a command of its own and does not answer \
         it; the contract knows no commands.",
        SLASH_IS_A_COMMAND,
    ),
    echo(
        "quit-ends-the-connection",
        &["echo::reply"],
        "Your server disconnects a client that sends `quit`; a connection ends with a close frame \
         and not with a word.",
        mutation! {
            fn receive(&self, said: String) -> BoxFuture<'static, Result<String, End>> {
                let quits = ["quit", "exit", "bye"].contains(&said.as_str());
                Box::pin(async move { if quits { Err(End::closed(Some(1000))) } else { Ok(said) } })
            }
        },
    ),
];
