//! How connections end, and errors that end them.

use rand::RngExt;

use super::payloads::in_pieces;
use harness::client::{
    Client, ClientEvent, RESPONSE_TIMEOUT, Received, describe, timeout_on_busy_host,
};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, FailureKind};
use harness::wire::frame::{Control, Data, Frame, OpCode};
use harness::wire::transcript::Highlight;

pub(super) async fn close(ctx: &mut TestContext) -> CheckResult {
    close_after(ctx, 0).await
}

/// Checks the closing handshake after a few exchanges.
///
/// A server may send a ping right at opening. If the close frame arrives first, a library like
/// tungstenite refuses the ping, and a simple loop ends on that error before the close frame is
/// answered. The contract allows that race, which is over after some turns of the loop.
pub(crate) async fn close_after(ctx: &mut TestContext, exchanges: usize) -> CheckResult {
    // Codes of libraries and frameworks, and of applications (section 7.4.2).
    let (registered, private) =
        (ctx.rng.random_range(3_000..4_000), ctx.rng.random_range(4_000..5_000));
    for (code, reason) in
        [(1_000, ""), (1_001, "going away"), (registered, "as agreed"), (private, "as agreed")]
    {
        let mut client = join_and_talk(ctx, exchanges).await?;
        client.send_close(code, reason);
        let answered = closed(&mut client, Answer::Code(code)).await;
        answered.map_err(|error| match code {
            3_000.. => {
                error.context("a code that libraries and applications have for themselves: ")
            }
            _ => error,
        })?;
    }
    // A close frame needs no code (section 5.5.1).
    let mut client = join_and_talk(ctx, exchanges).await?;
    client.stop_answering_pings();
    client.send(Frame::new(OpCode::Control(Control::Close), Vec::new()));
    closed(&mut client, Answer::CodeOrNone).await?;
    close_amid_a_message(ctx, exchanges).await?;
    // In characters of one byte, and of four: the answer may shorten the reason, but not cut a
    // character.
    for reason in ["r".repeat(LONGEST_REASON), "🦀".repeat(LONGEST_REASON / 4) + "end"] {
        close_with_long_reason(ctx, exchanges, &reason).await?;
    }
    Ok(())
}

/// A control frame has at most 125 bytes, two of which are the code (sections 5.5 and 5.5.1).
const LONGEST_REASON: usize = 123;

async fn join_and_talk(ctx: &mut TestContext, exchanges: usize) -> CheckResult<Client> {
    let mut client = ctx.join().await?;
    for text in ctx.tokens(exchanges) {
        client.exchange(&text).await?;
    }
    Ok(client)
}

/// A control frame may come between two fragments (section 5.4), a close frame too. The message
/// stays unfinished, which a server may take for an error: any code is right.
async fn close_amid_a_message(ctx: &mut TestContext, exchanges: usize) -> CheckResult {
    let mut client = join_and_talk(ctx, exchanges).await?;
    client.send(Frame::unfinished(OpCode::Data(Data::Text), ctx.token()));
    client.send_close(1_000, "");
    let answered = close_answered(&mut client, Answer::Any).await;
    answered.map_err(|error| {
        error.headed("The server left a close frame in the middle of a message unanswered.")
    })?;
    over(&mut client).await
}

/// The answer is a legal control frame, however long the reason is.
async fn close_with_long_reason(
    ctx: &mut TestContext,
    exchanges: usize,
    reason: &str,
) -> CheckResult {
    let mut client = join_and_talk(ctx, exchanges).await?;
    client.send_close(1_000, reason);
    let answered = close_answered(&mut client, Answer::Code(1_000)).await;
    answered.map_err(|error| {
        let length = reason.len();
        let headline = if error.is(FailureKind::Protocol) {
            format!(
                "The answer to a close frame with a reason of {length} bytes is no legal frame."
            )
        } else {
            format!("The server answered a close frame with a reason of {length} bytes wrongly.")
        };
        error.headed(headline)
    })?;
    over(&mut client).await
}

/// Which close frames are right answers.
#[derive(Clone, Copy)]
enum Answer {
    /// One with this code.
    Code(u16),
    /// One without a code, or with 1000.
    CodeOrNone,
    Any,
}

impl Answer {
    fn is_right(self, code: Option<u16>) -> bool {
        match self {
            Answer::Code(wanted) => code == Some(wanted),
            Answer::CodeOrNone => matches!(code, None | Some(1_000)),
            Answer::Any => true,
        }
    }
}

async fn closed(client: &mut Client, answer: Answer) -> CheckResult {
    close_answered(client, answer).await?;
    over(client).await
}

/// Fails unless the next event, except for heartbeats, is a close frame that is a right answer.
async fn close_answered(client: &mut Client, answer: Answer) -> CheckResult {
    let wanted = match answer {
        Answer::Code(code) => format!("a close frame with code {code}"),
        Answer::CodeOrNone | Answer::Any => "a close frame".to_string(),
    };
    let mut received = client.next_except_heartbeats(&wanted).await?;
    // Another check judges an answer to the fragment.
    while matches!((&received.event, answer), (ClientEvent::Text(_), Answer::Any)) {
        received = client.next_except_heartbeats(&wanted).await?;
    }
    let (what, wanted, got) = match (&received.event, answer) {
        (ClientEvent::Close(code), _) if answer.is_right(*code) => return Ok(()),
        (ClientEvent::Close(code), Answer::CodeOrNone) => {
            let what = match code {
                Some(1005 | 1006 | 1015) => {
                    "the close frame has a code that stands for what never is on the wire (RFC 6455, section 7.4.1)"
                }
                _ => "The answer to a close frame without a code has a code other than 1000.",
            };
            let wanted = "a close frame without a code, as the client's was, or with 1000";
            let code = code.map_or("no code".to_string(), |code| format!("the code {code}"));
            (what, wanted.to_string(), code)
        }
        (ClientEvent::Close(_), _) => {
            let what = "the close frame's code is not the one the client sent";
            (what, wanted, describe(&received.event))
        }
        (ClientEvent::End(_), _) => {
            let what = "the close frame was not answered: the TCP connection just ended";
            (what, wanted, describe(&received.event))
        }
        _ => return Err(client.unexpected(&received, &wanted)),
    };
    let failure = client.failure(FailureKind::WrongClose, what).expected(wanted, got);
    Err(failure.at(client.mark(&received)).into())
}

/// Fails unless the TCP connection ends after the close frame, with no message before its end.
async fn over(client: &mut Client) -> CheckResult {
    client.end().await?;
    let is_message = |received: &Received| {
        matches!(received.event, ClientEvent::Text(_) | ClientEvent::Binary(_))
    };
    let Some(message) = client.drain().into_iter().find(is_message) else { return Ok(()) };
    let failure = client.failure(
        FailureKind::Unexpected,
        "a message came after the close frame, the last that may be sent",
    );
    Err(failure
        .expected("the end of the TCP connection", describe(&message.event))
        .at(client.mark(&message))
        .into())
}

pub(super) async fn abrupt(ctx: &mut TestContext) -> CheckResult {
    let mut neighbours = vec![ctx.join().await?];
    for round in 0..2 {
        let reset = ctx.join().await?;
        reset.connection.reset().await;
        still_served(ctx, &mut neighbours).await?;

        let whole = Frame::new(OpCode::Data(Data::Text), "half of this never arrives")
            .masked([7; 4])
            .encode();
        // In the first round within the payload, in the second within the header.
        let half_a_frame = whole[..if round == 0 { whole.len() / 2 } else { 1 }].to_vec();
        // And between the fragments of a message, of which some code expects the rest.
        let half_a_message =
            Frame::unfinished(OpCode::Data(Data::Text), "the rest is").masked([7; 4]).encode();
        for begun in [half_a_frame, half_a_message] {
            let mut cut_off = ctx.join().await?;
            cut_off.send_bytes(begun);
            let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, cut_off.wait_until_sent(0)).await;
            if round == 0 {
                // A reset discards what has not been read yet, so the other clients' exchanges give
                // the server time to read.
                still_served(ctx, &mut neighbours).await?;
                cut_off.connection.reset().await;
            } else {
                cut_off.hang_up();
            }
            still_served(ctx, &mut neighbours).await?;
        }

        // The frame announces an impossible length. The server may refuse it or wait for it
        // (section 10.4).
        let mut boasting = ctx.join().await?;
        boasting.send_bytes(boast(if round == 0 { u64::MAX >> 1 } else { 1 << 40 }));
        let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, boasting.wait_until_sent(0)).await;
        boasting.hang_up();
        still_served(ctx, &mut neighbours).await?;

        // Before the end of its request. Some servers take the upgrade for granted.
        for request in [&b""[..], b"GET / HTTP/1.1\r\nUpgrade: webso"] {
            let mut knocking = ctx.open().await?;
            knocking.send_bytes(request.to_vec());
            let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, knocking.wait_until_sent(0)).await;
            if round == 0 {
                knocking.connection.reset().await;
            } else {
                knocking.hang_up();
            }
        }
        still_served(ctx, &mut neighbours).await?;

        let mut in_reply = ctx.join().await?;
        in_reply.send_text(ctx.token());
        let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, in_reply.wait_until_sent(0)).await;
        in_reply.connection.reset().await;
        still_served(ctx, &mut neighbours).await?;
    }
    // While the server is in the middle of a write that blocks.
    let deaf = deafened(ctx).await?;
    still_served(ctx, &mut neighbours).await?;
    deaf.connection.reset().await;
    ctx.wait_for_disconnects(neighbours.len()).await;
    still_served(ctx, &mut neighbours).await
}

/// A client that has sent more than the server can answer, and reads no reply.
pub(super) async fn deafened(ctx: &mut TestContext) -> CheckResult<Client> {
    let mut deaf = ctx.join_narrow().await?;
    deaf.connection.stop_reading();
    let text = ctx.token() + &"x".repeat(16 * 1024);
    deaf.send_all((0..64).map(|_| Frame::new(OpCode::Data(Data::Text), text.as_str())));
    Ok(deaf)
}

/// The beginning of a masked text frame of this length (section 5.2).
fn boast(length: u64) -> Vec<u8> {
    let mut bytes = vec![0x81, 0x80 | 127];
    bytes.extend(length.to_be_bytes());
    bytes.extend(b"mask and the first of it");
    bytes
}

/// Fails unless the first neighbour is served as before, and so is a new client, which stays.
async fn still_served(ctx: &mut TestContext, neighbours: &mut Vec<Client>) -> CheckResult {
    let served = async {
        for _ in 0..2 {
            neighbours[0].exchange(&ctx.token()).await?;
        }
        let token = ctx.token();
        let mut newcomer = ctx.join().await?;
        newcomer.exchange(&token).await?;
        neighbours.push(newcomer);
        Ok(())
    };
    served.await.map_err(|error| harmed(ctx, error))
}

fn harmed(ctx: &TestContext, error: CheckError) -> CheckError {
    let what = if ctx.server.ended().is_some() {
        "the whole server ended"
    } else {
        "another client suffered"
    };
    error.context(&format!("one client broke off, and {what}: ")).show_all_clients()
}

pub(super) async fn violations(ctx: &mut TestContext) -> CheckResult {
    let mut neighbours = vec![ctx.join().await?];
    for (request, what) in NO_UPGRADES {
        plain_http(ctx, request).await.map_err(|error| error.context(what))?;
    }
    // The beginning of a TLS connection. A server may wait for the rest of a request, so this only
    // checks that other clients are served.
    let mut other_tongue = ctx.open().await?;
    let noise: [u8; 48] = ctx.rng.random();
    other_tongue.send_bytes([b"\x16\x03\x01", noise.as_slice(), b"\r\n\r\n"].concat());
    let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, other_tongue.wait_until_sent(0)).await;
    other_tongue.hang_up();
    still_served(ctx, &mut neighbours).await?;

    let token = ctx.token();
    let unmasked = Frame::new(OpCode::Data(Data::Text), token.as_str()).encode();
    let (data, control) = (ctx.rng.random_range(3..8), ctx.rng.random_range(11..16));
    let mut masked = |opcode, tail: &[u8]| {
        Frame::new(opcode, [token.as_bytes(), tail].concat()).masked(ctx.rng.random()).encode()
    };
    let reserved_data = masked(OpCode::Data(Data::Reserved(data)), b"");
    let reserved_control = masked(OpCode::Control(Control::Reserved(control)), b"");
    let not_utf8 = masked(OpCode::Data(Data::Text), b"\xc3\x28 \xff");
    let surrogate = masked(OpCode::Data(Data::Text), b"\xed\xa0\x80");
    let overlong = masked(OpCode::Data(Data::Text), b"\xc0\xaf");
    let beyond = masked(OpCode::Data(Data::Text), b"\xf4\x90\x80\x80");
    let half_a_character = masked(OpCode::Data(Data::Text), b"\xf0\x9f\xa6");
    let mut with_bit = |opcode, bit: u8| {
        let mut bytes = masked(opcode, b"");
        bytes[0] |= bit;
        bytes
    };
    let text = OpCode::Data(Data::Text);
    let reserved_bits = [with_bit(text, 0x40), with_bit(text, 0x20), with_bit(text, 0x10)];
    let reserved_bit_of_a_ping = with_bit(OpCode::Control(Control::Ping), 0x40);
    let filler = vec![b'.'; 126 - token.len()];
    let [long_ping, long_pong] =
        [Control::Ping, Control::Pong].map(|control| masked(OpCode::Control(control), &filler));
    let pieces = in_pieces(Data::Text, &[token.as_bytes(), b"\xff"].concat(), &[token.len() / 2]);
    let in_fragments =
        pieces.into_iter().flat_map(|frame| frame.masked(ctx.rng.random()).encode()).collect();
    let half_a_ping = Frame::unfinished(OpCode::Control(Control::Ping), token.as_str())
        .masked(ctx.rng.random())
        .encode();
    let [first_bit, second_bit, third_bit] = reserved_bits;
    let mut noise: Vec<u8> = (0..96).map(|_| ctx.rng.random()).collect();
    // Random bytes could form a legal frame, or one that is incomplete. This first byte makes it
    // illegal.
    noise[0] = 0xF3 | (noise[0] & 0x0C);
    noise[1] &= 0x1F;
    let broken = [
        ("an unmasked frame", unmasked),
        ("an unmasked ping", Frame::new(OpCode::Control(Control::Ping), "unmasked").encode()),
        ("a frame with a reserved opcode", reserved_data),
        ("a control frame with a reserved opcode", reserved_control),
        ("a text message that is not UTF-8", not_utf8),
        ("a text message with half of a surrogate pair, which is not UTF-8", surrogate),
        (
            "a text message with a character in more bytes than need be, which is not UTF-8",
            overlong,
        ),
        ("a text message with a character beyond U+10FFFF, which is not UTF-8", beyond),
        ("a text message that ends in the middle of a character", half_a_character),
        ("a text message in fragments that is not UTF-8", in_fragments),
        ("a text frame with RSV1 set", first_bit),
        ("a text frame with RSV2 set", second_bit),
        ("a text frame with RSV3 set", third_bit),
        ("a ping with RSV1 set", reserved_bit_of_a_ping),
        ("a ping without FIN, a fragment", half_a_ping),
        ("a ping of 126 bytes", long_ping),
        ("a pong of 126 bytes", long_pong),
        ("random bytes", noise),
    ];
    for (what, bytes) in broken {
        let mut offender = ctx.join().await?;
        offender.send_bytes(bytes);
        thrown_out(&mut offender, what).await?;
        neighbours[0].exchange(&ctx.token()).await.map_err(|error| harmed(ctx, error))?;
    }
    // Every frame of a client must be masked (section 5.1).
    let mut offender = ctx.join().await?;
    offender.exchange(&ctx.token()).await?;
    offender.send_bytes(Frame::new(OpCode::Data(Data::Text), ctx.token()).encode());
    thrown_out(&mut offender, "an unmasked frame after one that was masked").await?;
    let token = ctx.token();
    ctx.join().await?.exchange(&token).await
}

/// Invalid upgrade requests (section 4.2.1), and their descriptions.
const NO_UPGRADES: &[(&str, &str)] = &[
    ("GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n", ""),
    // As `curl --http2` writes it, which requests another upgrade.
    (
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: Upgrade, HTTP2-Settings\r\n\
         Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
        "a client asked for HTTP/2 (`Upgrade: h2c`): ",
    ),
    (
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
        "a client sent no `Sec-WebSocket-Key`: ",
    ),
    (
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        "a client sent no `Connection: Upgrade`: ",
    ),
];

async fn plain_http(ctx: &mut TestContext, request: &str) -> CheckResult {
    let mut browser = ctx.open().await?;
    browser.send_bytes(request.as_bytes().to_vec());
    // A refusal, an end, or nothing at all: anything but an upgrade is right.
    let heard = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, browser.next("an answer")).await;
    match heard {
        Some(Ok(received)) => match &received.event {
            ClientEvent::Head(head) if head.split_whitespace().nth(1) == Some("101") => {
                let failure =
                    browser.failure(FailureKind::Handshake, "a plain HTTP request was upgraded");
                let first = head.lines().next().unwrap_or_default();
                Err(failure
                    .expected("a refusal such as 400 or 426, or a closed connection", first)
                    .at(browser.mark(&received))
                    .into())
            }
            ClientEvent::Head(_) | ClientEvent::Body(_) | ClientEvent::End(_) => Ok(()),
            _ => Err(browser.unexpected(&received, "a refusal")),
        },
        _ => Ok(()),
    }
}

/// Fails unless the connection ends, and nothing that was sent comes back.
async fn thrown_out(offender: &mut Client, what: &str) -> CheckResult {
    loop {
        let received = offender.next("the end of the connection").await.map_err(|_| {
            let failure = offender
                .failure(FailureKind::StillOpen, format!("{what} did not end the connection"));
            let got = format!("still open after {} s", RESPONSE_TIMEOUT.as_secs());
            failure
                .expected("the server ends this connection", got)
                .at(Highlight::Last { connection: offender.number() })
        })?;
        match &received.event {
            ClientEvent::End(_) => return Ok(()),
            ClientEvent::Close(_) | ClientEvent::Ping(_) | ClientEvent::Pong(_) => {}
            heard => {
                let failure =
                    offender.failure(FailureKind::Unexpected, format!("{what} was answered"));
                return Err(failure
                    .expected("the end of the connection", describe(heard))
                    .at(offender.mark(&received))
                    .into());
            }
        }
    }
}
