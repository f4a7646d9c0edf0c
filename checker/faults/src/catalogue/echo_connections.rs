//! Faults of `echo`: concurrency, control frames, disconnects, violations.

use super::common::*;
use super::echo::echo;

/// A lock that is poisoned by a panic.
static POISONED: Mutex<()> = Mutex::new(());

/// Decodes a text. Invalid UTF-8 is replaced if it is `forgiven`.
fn decode_leniently(bytes: &[u8], forgiven: bool) -> Decoded {
    let text = String::from_utf8_lossy(bytes).into_owned();
    if forgiven || text.as_bytes() == bytes {
        return Ok(Some(text));
    }
    Err(End::Violation(1007))
}

/// Returns true if each first byte has the number of continuation bytes that it announces.
fn has_form_of_utf8(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((first, behind)) = rest.split_first() {
        let count = match first.leading_ones() {
            0 => 0,
            ones @ 2..=4 => ones as usize - 1,
            _ => return false,
        };
        let Some((those, further)) = behind.split_at_checked(count) else { return false };
        let is_surrogate = *first == 0xED && those[0] >= 0xA0;
        if is_surrogate || those.iter().any(|byte| byte.leading_ones() != 1) {
            return false;
        }
        rest = further;
    }
    true
}

pub(super) const FAULTS: &[Fault] = &[
    echo(
        "one-client-at-a-time",
        &[
            "echo::concurrent",
            "echo::welcome",
            "echo::reply",
            "echo::abrupt",
            "echo::violations",
            "echo::log",
        ],
        "Your server finishes with one client before it accepts the next, so a single silent \
         client blocks all others.",
        mutation! {
            fn dispatch(&self, server: Arc<Server>, stream: TcpStream) -> BoxFuture<'static, ()> {
                Box::pin(serve(server, stream))
            }
        },
    ),
    echo(
        "handshake-in-accept-loop",
        &["echo::concurrent"],
        "Your accept loop waits for each handshake, so one client that opens TCP and says nothing \
         keeps all others out.",
        mutation! {
            fn dispatch(
                &self,
                server: Arc<Server>,
                mut stream: TcpStream,
            ) -> BoxFuture<'static, ()> {
                Box::pin(async move {
                    if let Some(rest) = handshake::shake(&server, &mut stream).await {
                        tokio::spawn(attend(server, stream, rest));
                    }
                })
            }
        },
    ),
    echo(
        "pool-of-four",
        &["echo::concurrent"],
        "Your server has four workers, and a connection holds one for as long as it lasts; the \
         fifth client waits until another leaves.",
        mutation! { fn connection_slots(&self) -> usize { 4 } },
    ),
    echo(
        "sixty-four-workers",
        &["echo::concurrent"],
        "Your server has 64 workers, one for each connection, and the next client waits until \
         another leaves; a silent connection costs next to nothing, so there can be many.",
        mutation! { fn connection_slots(&self) -> usize { 64 } },
    ),
    echo(
        "four-handshakes-at-a-time",
        &["echo::concurrent"],
        "Your server reads four handshakes at a time, so four clients that never finish theirs \
         block all others.",
        mutation! { fn handshake_slots(&self) -> usize { 4 } },
    ),
    echo(
        "sixty-four-handshakes-at-a-time",
        &["echo::concurrent"],
        "Your server has 64 handshakes going at a time, so 64 connections that say nothing keep \
         all clients out; a handshake that waits costs next to nothing.",
        mutation! { fn handshake_slots(&self) -> usize { 64 } },
    ),
    echo(
        "one-writes-at-a-time",
        &["echo::concurrent"],
        "One lock guards all your sockets, and its holder waits for its write; a client that does \
         not read its replies keeps it for ever.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
                Box::pin(async move {
                    let _turn = TURN.lock().await;
                    reply.deliver();
                    reply.conn.out.at_most(64 * 1024).await;
                    Ok(())
                })
            }
        },
    ),
    echo(
        "ignores-pings",
        &["echo::ping"],
        "Your server does not answer pings, so a client that checks whether you are still there \
         concludes you are not.",
        mutation! { fn ping(&self, _: &Conn, _: &[u8]) {} },
    ),
    echo(
        "empty-pong",
        &["echo::ping"],
        "Your pong is empty; it has to carry the ping's payload, by which the client knows which \
         ping you answered.",
        PONG_IS_EMPTY,
    ),
    echo(
        "ignores-pings-between-fragments",
        &["echo::ping"],
        "Your server does not answer a ping that comes between two fragments of a message; a long \
         message is just when a client wants to know whether you are still there.",
        mutation! {
            fn control(&self, frame: Control<'_>) -> Result<(), End> {
                let ignored = frame.opcode == frame::PING && frame.is_in_message();
                if ignored { Ok(()) } else { frame.handle() }
            }
        },
    ),
    echo(
        "echoes-pongs",
        &["echo::ping"],
        "Your server echoes whatever comes out of the stream, pongs too; only text and binary are \
         messages, and an unasked pong is not answered at all.",
        ECHOES_PONGS,
    ),
    echo(
        "pong-as-text",
        &["echo::ping", "echo::payloads"],
        "Your server answers a ping with the text message `pong`; a pong is a control frame with \
         an opcode of its own.",
        mutation! {
            fn ping(&self, conn: &Conn, _: &[u8]) {
                conn.out.push(frame::text("pong"));
            }
        },
    ),
    echo(
        "close-code-always-1000",
        &["echo::close"],
        "Your server closes with 1000 whatever the client said; the answer to a close frame has \
         the same code.",
        CLOSE_IS1000,
    ),
    echo(
        "close-without-code",
        &["echo::close"],
        "Your close frame is empty, so the client sees code 1005, \"no status\"; the answer has \
         the code of the frame it answers.",
        mutation! {
            fn close<'a>(&self, conn: &'a Conn, _: Option<u16>, _: &'a str) -> BoxFuture<'a, ()> {
                conn.out.push_last(frame::close(None));
                done()
            }
        },
    ),
    echo(
        "close-code-little-endian",
        &["echo::close"],
        "Your close code has its two bytes swapped; numbers on the wire have their big end first.",
        mutation! {
            fn close<'a>(
                &self,
                conn: &'a Conn,
                code: Option<u16>,
                _: &'a str,
            ) -> BoxFuture<'a, ()> {
                conn.out.push_last(frame::close(code.map(u16::swap_bytes)));
                done()
            }
        },
    ),
    echo(
        "close-codes-of-the-rfc-only",
        &["echo::close"],
        "Your server knows the close codes of the RFC, and answers those of libraries, 3000 to \
         3999, with 1000; the answer has the code that came, whatever it means.",
        mutation! {
            fn close<'a>(
                &self,
                conn: &'a Conn,
                code: Option<u16>,
                _: &'a str,
            ) -> BoxFuture<'a, ()> {
                let known = |code| if (3000..4000).contains(&code) { 1000 } else { code };
                conn.out.push_last(frame::close(code.map(known)));
                done()
            }
        },
    ),
    echo(
        "close-code-1005",
        &["echo::close"],
        "Your server answers a close frame that has no code with 1005; that number is for \
         programs to say that there was none, and never on the wire.",
        mutation! {
            fn close<'a>(
                &self,
                conn: &'a Conn,
                code: Option<u16>,
                _: &'a str,
            ) -> BoxFuture<'a, ()> {
                conn.out.push_last(frame::close(code.or(Some(1005))));
                done()
            }
        },
    ),
    echo(
        "close-unanswered",
        &["echo::close"],
        "Your server hangs up when it sees a close frame, without one of its own; to the client \
         that looks like a crash, code 1006.",
        mutation! {
            fn close<'a>(&self, conn: &'a Conn, _: Option<u16>, _: &'a str) -> BoxFuture<'a, ()> {
                conn.out.end();
                done()
            }
        },
    ),
    echo(
        "close-ignored-amid-a-message",
        &["echo::close"],
        "Your server does not answer a close frame that comes between two fragments of a message; \
         the client may have changed its mind, and waits.",
        mutation! {
            fn control(&self, frame: Control<'_>) -> Result<(), End> {
                let ignored = frame.opcode == frame::CLOSE && frame.is_in_message();
                if ignored { Ok(()) } else { frame.handle() }
            }
        },
    ),
    echo(
        "close-says-more",
        &["echo::close"],
        "Your server puts words of its own before the reason it repeats, and a long reason makes \
         the close frame longer than the 125 bytes of a control frame.",
        mutation! {
            fn close<'a>(
                &self,
                conn: &'a Conn,
                code: Option<u16>,
                reason: &'a str,
            ) -> BoxFuture<'a, ()> {
                let code = code.unwrap_or(1000).to_be_bytes();
                let payload = [&code, format!("client closed: {reason}").as_bytes()].concat();
                conn.out.push_last(frame::encode(frame::CLOSE, &payload));
                done()
            }
        },
    ),
    echo(
        "close-needs-a-code",
        &["echo::close"],
        "Your server takes a close frame without a code for an error and answers with 1002; the \
         code may be left out.",
        mutation! {
            fn control(&self, frame: Control<'_>) -> Result<(), End> {
                if frame.opcode == frame::CLOSE && frame.payload.is_empty() {
                    return Err(End::Violation(1002));
                }
                frame.handle()
            }
        },
    ),
    echo(
        "tcp-left-open",
        &["echo::close"],
        "Your server answers the close frame and then keeps the TCP connection; ending it is the \
         server's part, and each one left open is a file handle lost.",
        mutation! {
            fn close<'a>(
                &self,
                conn: &'a Conn,
                code: Option<u16>,
                _: &'a str,
            ) -> BoxFuture<'a, ()> {
                conn.out.push(frame::close(code));
                Box::pin(pending())
            }
        },
    ),
    echo(
        "goodbye-after-the-close-frame",
        &["echo::close"],
        "Your server still says goodbye after its close frame, which is the last a side may send; \
         say it before, or not at all.",
        mutation! {
            fn close<'a>(
                &self,
                conn: &'a Conn,
                code: Option<u16>,
                _: &'a str,
            ) -> BoxFuture<'a, ()> {
                conn.out.push(frame::close(code));
                conn.out.push_last(frame::text("Goodbye!"));
                done()
            }
        },
    ),
    echo(
        "accept-loop-ends-after-error",
        &["echo::abrupt"],
        "One client that vanishes ends your accept loop, a `?` too far out: connected clients \
         stay, and no new client gets in.",
        mutation! {
            fn ended(&self, server: &Arc<Server>, _: &Conn, end: &End) {
                if end.is_abrupt() {
                    server.stop_accepting.notify_one();
                }
            }
        },
    ),
    echo(
        "panics-on-reset",
        &["echo::abrupt"],
        "A client's TCP reset panics your main task and takes every other client along; a lost \
         connection is daily business, not a bug.",
        PANICS_ON_RESET,
    ),
    echo(
        "hang-up-before-request-ends-process",
        &["echo::abrupt"],
        "Your whole server ends when a client hangs up before its handshake is over.",
        mutation! {
            fn handshake_failed(&self, failure: HandshakeFailure) {
                if failure == HandshakeFailure::Incomplete {
                    fail_unwrap("Protocol(HandshakeIncomplete)");
                }
            }
        },
    ),
    echo(
        "exits-on-half-a-frame",
        &["echo::abrupt"],
        "A client that vanishes in the middle of a frame ends your whole process; its error \
         concerns its connection alone.",
        EXITS_ON_HALF_A_FRAME,
    ),
    echo(
        "half-a-message-ends-process",
        &["echo::abrupt"],
        "A client that vanishes between two fragments of a message ends your whole process: the \
         next fragment was taken for granted.",
        mutation! {
            fn ended(&self, _: &Arc<Server>, _: &Conn, end: &End) {
                if matches!(end, End::Vanished { mid_message: true, .. }) {
                    eprintln!("called `Option::unwrap()` on a `None` value");
                    std::process::exit(101);
                }
            }
        },
    ),
    echo(
        "gone-amid-a-write-ends-process",
        &["echo::abrupt"],
        "A client that is gone while your server writes to it ends your whole process: that write \
         fails, and you unwrap it.",
        EXITS_AMID_A_WRITE,
    ),
    echo(
        "lock-poisoned-by-vanishing",
        &["echo::abrupt"],
        "When a client vanishes, its task panics while it holds the shared lock; the lock is \
         poisoned, and the next message of any other client fails.",
        mutation! {
            fn ended(&self, _: &Arc<Server>, _: &Conn, end: &End) {
                if end.is_abrupt() {
                    std::thread::spawn(|| {
                        let _held = POISONED.lock();
                        panic!("connection lost");
                    });
                }
            }
            fn receive(&self, said: String) -> BoxFuture<'static, Result<String, End>> {
                Box::pin(async { POISONED.lock().map(|_| said).map_err(|_| End::Dropped) })
            }
        },
    ),
    echo(
        "vanishing-ends-all",
        &["echo::abrupt"],
        "One client that vanishes ends all connections, as when the first task that fails ends \
         the whole set.",
        mutation! {
            fn ended(&self, server: &Arc<Server>, _: &Conn, end: &End) {
                if end.is_abrupt() {
                    server.hub.kill_all();
                }
            }
        },
    ),
    echo(
        "believes-the-length",
        &["echo::abrupt"],
        "Your server sets aside as much memory as a frame's head announces; a head can announce \
         exabytes, and then there is no server any more. Have a limit, and fill a buffer as bytes \
         arrive.",
        mutation! {
            fn check_length(&self, length: u64, _: u64) -> Result<(), End> {
                if length > MESSAGE_LIMIT {
                    eprintln!("memory allocation of {length} bytes failed");
                    std::process::exit(134);
                }
                Ok(())
            }
        },
    ),
    echo(
        "upgrades-plain-http",
        &["echo::violations"],
        "Your server answers a plain HTTP request with 101; a browser that only wanted a page \
         gets frames. Look for the upgrade headers first.",
        mutation! { fn upgrades(&self, _: &Request) -> bool { true } },
    ),
    echo(
        "accepts-unmasked-pings",
        &["echo::violations"],
        "Your server answers pings that are not masked; every frame of a client's has to be, \
         control frames too.",
        mutation! {
            fn is_valid_head(&self, first: u8, second: u8, _: u64) -> bool {
                first & 8 != 0 && second & 0x80 == 0 || frame::is_valid_head(first, second)
            }
        },
    ),
    echo(
        "upgrades-without-a-key",
        &["echo::violations"],
        "Your server upgrades a request without a `Sec-WebSocket-Key`, and sends an accept key \
         for no key.",
        mutation! {
            fn upgrades(&self, request: &Request) -> bool {
                request.lists("upgrade", "websocket") && request.lists("connection", "upgrade")
            }
        },
    ),
    echo(
        "upgrades-to-anything",
        &["echo::violations"],
        "Your server takes any `Connection: Upgrade` for a WebSocket's; `curl --http2` asks for \
         an upgrade as well, and means another.",
        mutation! {
            fn upgrades(&self, request: &Request) -> bool {
                request.lists("connection", "upgrade")
            }
        },
    ),
    echo(
        "plain-http-ends-process",
        &["echo::violations"],
        "Your whole server ends at a request that is no upgrade.",
        mutation! {
            fn handshake_failed(&self, failure: HandshakeFailure) {
                if failure == HandshakeFailure::NotAnUpgrade {
                    fail_unwrap("Protocol(MissingConnectionUpgradeHeader)");
                }
            }
        },
    ),
    echo(
        "garbage-ends-process",
        &["echo::violations"],
        "Your whole server ends when a client sends anything but HTTP, TLS for instance.",
        mutation! {
            fn handshake_failed(&self, failure: HandshakeFailure) {
                if failure == HandshakeFailure::NotHttp {
                    fail_unwrap("HttpFormat(Token)");
                }
            }
        },
    ),
    echo(
        "accepts-unmasked-frames",
        &["echo::violations"],
        "Your server accepts unmasked frames; a client has to mask, and a server has to hang up \
         on one that does not.",
        mutation! {
            fn is_valid_head(&self, first: u8, second: u8, _: u64) -> bool {
                second & 0x80 == 0 || frame::is_valid_head(first, second)
            }
        },
    ),
    echo(
        "mask-looked-for-once",
        &["echo::violations"],
        "Your server looks for the mask in a client's first frame only; each frame has one, or \
         the connection ends.",
        mutation! {
            fn is_valid_head(&self, first: u8, second: u8, nth: u64) -> bool {
                nth > 0 && second & 0x80 == 0 || frame::is_valid_head(first, second)
            }
        },
    ),
    echo(
        "skips-reserved-opcodes",
        &["echo::violations"],
        "Your server skips frames with a reserved opcode and goes on; such a client speaks \
         another protocol, so the connection has to end.",
        mutation! {
            fn is_valid_head(&self, first: u8, second: u8, _: u64) -> bool {
                matches!(first & 0x0f, 3..=7 | 11..=15) || frame::is_valid_head(first, second)
            }
            fn assemble(&self, fragments: &mut Fragments, frame: Frame) -> Assembled {
                let reserved = matches!(frame.head.opcode, 3..=7);
                if reserved { Ok(None) } else { fragments.add(frame) }
            }
        },
    ),
    echo(
        "echoes-invalid-utf-8",
        &["echo::violations"],
        "Your server mends a text message that is not UTF-8 and echoes it; text has to be UTF-8, \
         and the connection ends where it is not.",
        mutation! {
            fn decode_text(&self, message: Message) -> Decoded {
                decode_leniently(&message.bytes, true)
            }
        },
    ),
    echo(
        "fragments-not-validated",
        &["echo::violations"],
        "Your server checks that a text is UTF-8 where it comes in one frame, and mends it where \
         it comes in several; the rule is the message's.",
        mutation! {
            fn decode_text(&self, message: Message) -> Decoded {
                decode_leniently(&message.bytes, message.in_fragments)
            }
        },
    ),
    echo(
        "awaits-the-rest-of-a-character",
        &["echo::violations"],
        "At a text message's end your decoder still waits for the rest of a character, as one for \
         streams does; no rest comes after the last fragment, so the message is not UTF-8.",
        mutation! {
            fn decode_text(&self, mut message: Message) -> Decoded {
                if let Err(error) = std::str::from_utf8(&message.bytes)
                    && error.error_len().is_none()
                {
                    message.bytes.truncate(error.valid_up_to());
                }
                decode_leniently(&message.bytes, false)
            }
        },
    ),
    echo(
        "lax-utf-8",
        &["echo::violations"],
        "Your decoder looks at the form of UTF-8 only: it takes characters written longer than \
         need be, and some beyond the last one there is.",
        mutation! {
            fn decode_text(&self, message: Message) -> Decoded {
                decode_leniently(&message.bytes, has_form_of_utf8(&message.bytes))
            }
        },
    ),
    echo(
        "ignores-invalid-utf-8",
        &["echo::violations"],
        "Your server swallows a text message that is not UTF-8 and carries on; the client never \
         learns that its encoder is broken.",
        mutation! {
            fn decode_text(&self, message: Message) -> Decoded {
                Ok(String::from_utf8(message.bytes).ok())
            }
        },
    ),
    echo(
        "skips-garbage",
        &["echo::violations"],
        "Your server throws away bytes it cannot read and goes on; after a bad frame the start of \
         the next is unknown, so the connection has to end.",
        mutation! { fn skips_violations(&self) -> bool { true } },
    ),
    echo(
        "reserved-bits-pass",
        &["echo::violations"],
        "Your server does not look at the reserved bits; where no extension was agreed on, one \
         that is set ends the connection.",
        mutation! {
            fn is_valid_head(&self, first: u8, second: u8, _: u64) -> bool {
                frame::is_valid_head(first & !0x70, second)
            }
        },
    ),
    echo(
        "control-frames-in-fragments",
        &["echo::violations"],
        "Your server takes a ping without FIN for a ping; a control frame can't be a fragment, \
         and one that is ends the connection.",
        mutation! {
            fn is_valid_head(&self, first: u8, second: u8, _: u64) -> bool {
                frame::is_valid_head(if first & 8 == 0 { first } else { first | 0x80 }, second)
            }
        },
    ),
    echo(
        "control-frames-of-any-length",
        &["echo::violations"],
        "Your server answers pings of more than 125 bytes; a control frame that long ends the \
         connection.",
        mutation! {
            fn is_valid_head(&self, first: u8, second: u8, _: u64) -> bool {
                frame::is_valid_head(first, if first & 8 == 0 { second } else { second & 0x80 })
            }
        },
    ),
    echo(
        "violation-ends-process",
        &["echo::violations", "echo::abrupt"],
        "One client's bad frame ends your whole process; any client can switch off your service.",
        mutation! {
            fn ended(&self, _: &Arc<Server>, _: &Conn, end: &End) {
                if matches!(end, End::Violation(_)) {
                    eprintln!("Error: Protocol error");
                    std::process::exit(1);
                }
            }
        },
    ),
    echo(
        "violation-ends-all",
        &["echo::violations", "echo::abrupt"],
        "One client's bad frame ends all connections; a violation ends the connection it came on \
         and no other.",
        VIOLATION_ENDS_ALL,
    ),
    echo(
        "combination-pong-and-close",
        &["echo::ping", "echo::close"],
        "Two things at once: your pong is empty, and your close code is always 1000; in both, the \
         answer repeats what it answers.",
        mutation! {
            fn ping(&self, conn: &Conn, _: &[u8]) {
                answer::ping(conn, b"");
            }
            fn close<'a>(&self, conn: &'a Conn, _: Option<u16>, _: &'a str) -> BoxFuture<'a, ()> {
                conn.out.push_last(frame::close(Some(1000)));
                done()
            }
        },
    ),
    echo(
        "combination-empty-and-binary",
        &["echo::payloads", "echo::binary"],
        "Two things at once: your server ignores empty messages and binary ones; every message \
         gets its reply.",
        mutation! {
            fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
                if said.is_empty() { None } else { reply(said) }
            }
            fn decode_binary(&self, _: &Server, _: &Conn, _: &[u8]) -> Decoded {
                Ok(None)
            }
        },
    ),
    echo(
        "combination-reset-and-violation",
        &["echo::abrupt", "echo::violations"],
        "Two things at once: a reset ends your process, and a bad frame ends all connections; one \
         client's trouble must stay its own.",
        mutation! {
            fn ended(&self, server: &Arc<Server>, conn: &Conn, end: &End) {
                PANICS_ON_RESET.ended(server, conn, end);
                VIOLATION_ENDS_ALL.ended(server, conn, end);
            }
        },
    ),
];
