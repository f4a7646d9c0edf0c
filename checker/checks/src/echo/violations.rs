//! A plain HTTP request is not upgraded. An unmasked frame, a reserved opcode, invalid UTF-8 in
//! a text message, or random bytes end that connection and no other, and are never echoed. So
//! do a reserved bit that no extension has claimed, and a control frame that is fragmented or
//! longer than 125 bytes.

use rand::RngExt;
use rand::rngs::StdRng;

use super::abrupt::still_served;
use super::payloads::in_pieces;
use super::{ECHOES, TOGETHER};
use crate::{Check, MINIMUM, check};
use harness::client::{Client, ClientEvent, RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::Cause;
use harness::failure::echo::{Disturbance, EchoCause};
use harness::verdict::{CheckResult, ResultExt};
use harness::wire::frame::{Control, Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: TOGETHER,
    requires: ECHOES,
    minimum: MinimumEvidence { connections: 26, messages: 40, ends: 19, ..MINIMUM },
    ..check("echo::violations", Echo, include_str!("violations.md"), |ctx| {
        Box::pin(violations(ctx))
    })
};

async fn violations(ctx: &mut TestContext) -> CheckResult {
    let mut neighbours = vec![ctx.join().await?];
    for (name, request) in INVALID_REQUESTS {
        expect_no_upgrade(ctx, name, request).await?;
    }
    begin_tls(ctx, &mut neighbours).await?;
    for (violation, write) in VIOLATIONS {
        let (mut offender, token) = (ctx.join().await?, ctx.token());
        offender.send_bytes(write(&token, &mut ctx.rng));
        expect_end(&mut offender, violation).await?;
        let served = neighbours[0].exchange(&ctx.token()).await;
        served.explain(disturbed).show_all_clients()?;
    }
    violate_after_a_message(ctx).await
}

fn disturbed(noticed: Cause) -> EchoCause {
    EchoCause::disturbed(Disturbance::Violation, noticed)
}

/// Requests that are no valid upgrade requests (section 4.2.1).
const INVALID_REQUESTS: &[(&str, &str)] = &[
    ("a plain HTTP request", "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n"),
    // As `curl --http2` writes it.
    (
        "a request for HTTP/2 (`Upgrade h2c`)",
        "GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\
         Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
    ),
    (
        "a request without a `Sec-WebSocket-Key`",
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n",
    ),
    (
        "a request without `Upgrade` in its `Connection` header",
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ),
];

/// A refusal, an end, or nothing at all: anything but an upgrade is right.
async fn expect_no_upgrade(
    ctx: &mut TestContext,
    request: &'static str,
    bytes: &str,
) -> CheckResult {
    let mut client = ctx.open().await?;
    client.send_bytes(bytes.as_bytes().to_vec());
    let response = client.next("a refusal");
    let Some(Ok(received)) = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, response).await else {
        return Ok(());
    };
    match &received.event {
        ClientEvent::Head(head) if head.split_whitespace().nth(1) == Some("101") => {
            let status_line = head.lines().next().unwrap_or_default().to_string();
            let cause = EchoCause::InvalidRequestUpgraded { request, status_line };
            Err(client.fails(cause, &received))
        }
        ClientEvent::Head(_) | ClientEvent::Body(_) | ClientEvent::End(_) => Ok(()),
        _ => Err(client.unexpected(&received, "a refusal")),
    }
}

/// Begins a TLS connection. A server may wait for the rest of a request, so its answer is not
/// judged.
async fn begin_tls(ctx: &mut TestContext, neighbours: &mut Vec<Client>) -> CheckResult {
    let mut client = ctx.open().await?;
    let random: [u8; 48] = ctx.rng.random();
    client.send_bytes([b"\x16\x03\x01", random.as_slice(), b"\r\n\r\n"].concat());
    client.flush().await;
    client.hang_up();
    still_served(ctx, neighbours, Disturbance::Violation)
        .await
        .context("after another client spoke TLS")
}

/// Writes a violation of RFC 6455 that contains this token, if it contains text.
type Write = fn(&str, &mut StdRng) -> Vec<u8>;

const VIOLATIONS: &[(&str, Write)] = &[
    ("an unmasked frame", |token, _| Frame::text(token).encode()),
    ("an unmasked ping", |_, _| Frame::ping("unmasked").encode()),
    ("a frame with a reserved opcode", |token, rng| {
        let opcode = OpCode::Data(Data::Reserved(rng.random_range(3..8)));
        mask(Frame::new(opcode, token), rng)
    }),
    ("a control frame with a reserved opcode", |token, rng| {
        let opcode = OpCode::Control(Control::Reserved(rng.random_range(11..16)));
        mask(Frame::new(opcode, token), rng)
    }),
    ("a text message that is not UTF-8", |token, rng| text(token, b"\xc3\x28 \xff", rng)),
    ("half of a surrogate pair in a text message", |token, rng| text(token, b"\xed\xa0\x80", rng)),
    ("an overlong UTF-8 sequence in a text message", |token, rng| text(token, b"\xc0\xaf", rng)),
    ("a code point beyond U+10FFFF in a text message", |token, rng| {
        text(token, b"\xf4\x90\x80\x80", rng)
    }),
    ("a text message that ends within a character", |token, rng| text(token, b"\xf0\x9f\xa6", rng)),
    ("a fragmented text message that is not UTF-8", |token, rng| {
        let bytes = [token.as_bytes(), b"\xff"].concat();
        let fragments = in_pieces(Data::Text, &bytes, &[token.len() / 2]);
        fragments.into_iter().flat_map(|frame| mask(frame, rng)).collect()
    }),
    ("a text frame with RSV1 set", |token, rng| with_bit(Frame::text(token), 0x40, rng)),
    ("a text frame with RSV2 set", |token, rng| with_bit(Frame::text(token), 0x20, rng)),
    ("a text frame with RSV3 set", |token, rng| with_bit(Frame::text(token), 0x10, rng)),
    ("a ping with RSV1 set", |token, rng| with_bit(Frame::ping(token), 0x40, rng)),
    ("a ping without FIN", |token, rng| {
        mask(Frame::unfinished(OpCode::Control(Control::Ping), token), rng)
    }),
    ("a ping of 126 bytes", |token, rng| mask(Frame::ping(format!("{token:.<126}")), rng)),
    ("a pong of 126 bytes", |token, rng| mask(Frame::pong(format!("{token:.<126}")), rng)),
    ("random bytes", |_, rng| {
        let mut bytes: [u8; 96] = rng.random();
        // Random bytes could form a legal frame, or one that is incomplete. This first byte makes
        // it illegal.
        bytes[0] = 0xF3 | (bytes[0] & 0x0C);
        bytes[1] &= 0x1F;
        bytes.to_vec()
    }),
];

fn mask(frame: Frame, rng: &mut StdRng) -> Vec<u8> {
    frame.masked(rng.random()).encode()
}

fn text(token: &str, tail: &[u8], rng: &mut StdRng) -> Vec<u8> {
    mask(Frame::text([token.as_bytes(), tail].concat()), rng)
}

fn with_bit(frame: Frame, bit: u8, rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = mask(frame, rng);
    bytes[0] |= bit;
    bytes
}

/// Every frame of a client must be masked (section 5.1), not only the first.
async fn violate_after_a_message(ctx: &mut TestContext) -> CheckResult {
    let mut offender = ctx.join().await?;
    offender.exchange(&ctx.token()).await?;
    offender.send_bytes(Frame::text(ctx.token()).encode());
    expect_end(&mut offender, "an unmasked frame after a masked one").await?;
    let token = ctx.token();
    ctx.join().await?.exchange(&token).await
}

/// Fails unless the connection ends, and nothing that was sent comes back.
async fn expect_end(offender: &mut Client, violation: &'static str) -> CheckResult {
    loop {
        let Ok(received) = offender.next("the end of the connection").await else {
            let cause = EchoCause::ViolationTolerated { violation, waited: RESPONSE_TIMEOUT };
            return Err(offender.fails_after_last(cause));
        };
        match &received.event {
            ClientEvent::End(_) => return Ok(()),
            ClientEvent::Close(_) | ClientEvent::Ping(_) | ClientEvent::Pong(_) => {}
            answer => {
                let cause = EchoCause::ViolationAnswered { violation, answer: answer.clone() };
                return Err(offender.fails(cause, &received));
            }
        }
    }
}
