//! The same holds for an empty message, multi-byte text, text that looks like markup or JSON,
//! 64 KiB and 1 MiB, and a message in several fragments with a ping between them.

use rand::RngExt;

use super::{ECHOES, handshake, texts};
use crate::{Check, MINIMUM, check};
use harness::client::{Client, ClientEvent, Expectation, reply, request};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::Cause;
use harness::failure::echo::EchoCause;
use harness::verdict::{CheckResult, FailureKind, ResultExt, judged_elsewhere};
use harness::wire::frame::{Data, Frame, OpCode};
use harness::wire::lossy;

pub(super) const CHECK: Check = Check {
    explained_by: &[
        "echo::handshake",
        "echo::welcome",
        "echo::reply",
        "echo::order",
        "echo::concurrent",
        "echo::ping",
    ],
    requires: ECHOES,
    heavy: true,
    minimum: MinimumEvidence { connections: 4, messages: 80, ..MINIMUM },
    ..check("echo::payloads", Echo, include_str!("payloads.md"), |ctx| Box::pin(payloads(ctx)))
};

async fn payloads(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    for text in texts::of_all_kinds(&ctx.token()) {
        client.exchange(&text).await?;
    }
    exchange_property_names(&mut client).await?;
    exchange_all_lengths(ctx, &mut client).await?;
    exchange_long_and_short(ctx, &mut client).await?;
    exchange_fragments(ctx, &mut client).await?;
    interleave_fragments(ctx, &mut client).await?;
    receive_in_parts(ctx, &mut client).await?;
    ctx.leave(client).await;
    exchange_compressed(ctx).await
}

async fn exchange_property_names(client: &mut Client) -> CheckResult {
    for name in texts::PROPERTY_NAMES {
        client.exchange(name).await.explain(|noticed| {
            let noticed = Box::new(noticed);
            EchoCause::PropertyName { name, noticed }
        })?;
    }
    Ok(())
}

/// The longest message that the contract requires, in bytes.
const LONGEST_MESSAGE: usize = 1 << 20;
/// The boundaries of the encodings of a frame's length, and the sizes of common buffers.
const LENGTHS: [usize; 15] = [
    108,
    109,
    125,
    126,
    127,
    4_096,
    8_192,
    65_518,
    65_519,
    65_520,
    65_535,
    65_536,
    65_537,
    131_072,
    LONGEST_MESSAGE,
];

/// Exchanges messages of these lengths, and a few more of the longest.
///
/// A limit on the length applies to each message. A limit on all bytes of a connection lets 1 MiB
/// through, the longest message, and is mostly a small multiple of it. Each MiB takes about 25 ms
/// of the processor.
async fn exchange_all_lengths(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    for length in LENGTHS {
        let text = long_text(ctx, length);
        exchange_long(client, &text).await?;
    }
    let (text, mut sent) = (long_text(ctx, LONGEST_MESSAGE), LENGTHS.iter().sum());
    for _ in 0..3 {
        sent += text.len();
        exchange_long(client, &text).await.explain(|noticed| match noticed.kind() {
            FailureKind::EndedEarly | FailureKind::Silence => {
                EchoCause::ByteLimit { sent, noticed: Box::new(noticed) }.into()
            }
            _ => noticed,
        })?;
    }
    Ok(())
}

/// Returns a text of this many bytes. Most characters have three or four bytes, so that any buffer
/// is likely to end inside one.
pub(super) fn long_text(ctx: &mut TestContext, length: usize) -> String {
    // A random number for each character of the longest text would take a debug build longer than
    // the server.
    const THROWN: usize = 16 * 1024;
    let mut text = ctx.token();
    while text.len() + 4 <= length.min(THROWN) {
        // Characters one terminal column wide: mathematical letters of four bytes, and braille
        // patterns of three.
        let dice: u32 = ctx.rng.random();
        let (first, count) = if dice.is_multiple_of(2) { (0x1D400, 84) } else { (0x2801, 255) };
        text.push(char::from_u32(first + dice / 2 % count).expect("a character"));
    }
    if length > THROWN {
        // An odd length, so that repetitions meet the boundaries of a buffer at different places.
        text.push_str(if text.len().is_multiple_of(2) { "x" } else { "" });
        text = text.repeat(length / text.len() + 1);
        text.truncate(
            (0..=length).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default(),
        );
    }
    text.push_str(&"xyz"[..length.saturating_sub(text.len()).min(3)]);
    text
}

/// Exchanges a long text. The reply is too long to show.
async fn exchange_long(client: &mut Client, text: &str) -> CheckResult {
    client.send_text(text);
    expect_long_reply(client, text.as_bytes(), format!("a message of {} bytes", text.len())).await
}

/// Waits for the reply to these bytes, which is too long to show. `message` names the message.
pub(super) async fn expect_long_reply(
    client: &mut Client,
    bytes: &[u8],
    message: String,
) -> CheckResult {
    let expected = reply(&lossy(bytes)).named(format!("the reply to {message}"));
    client.expect(expected).await.map(|_| ()).explain(|cause| match cause {
        Cause::WrongText { awaited, expected, got } => EchoCause::WrongLongReply {
            awaited,
            expected: expected.len(),
            got: got.len(),
            first_difference: first_difference(&expected, &got),
        }
        .into(),
        other => other,
    })
}

/// Returns the first byte that differs.
fn first_difference(a: &str, b: &str) -> usize {
    let mut pairs = a.bytes().zip(b.bytes());
    pairs.position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()))
}

/// Returns the frames of a message that is cut at these places.
pub(crate) fn in_pieces(data: Data, bytes: &[u8], cuts: &[usize]) -> Vec<Frame> {
    let ends = cuts.iter().copied().chain([bytes.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    let opcodes = [data].into_iter().chain(std::iter::repeat(Data::Continue));
    let pieces = starts.zip(ends).zip(opcodes);
    let frame = |((start, end), data)| Frame::unfinished(OpCode::Data(data), &bytes[start..end]);
    let mut frames: Vec<Frame> = pieces.map(frame).collect();
    frames.last_mut().expect("a message has a frame").fin = true;
    frames
}

/// A short message waits for the reply to a long one.
async fn exchange_long_and_short(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let (long, short) = (long_text(ctx, 200_000), ctx.token());
    client.send_all([Frame::text(long.as_str()), Frame::text(short.as_str())]);
    let long = expect_long_reply(client, long.as_bytes(), "a message of 200000 bytes".into()).await;
    let both = match long {
        Ok(()) => client.expect_reply(&short).await,
        Err(error) => Err(error),
    };
    both.context("with a short message right after a long one")
}

async fn exchange_fragments(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    for count in [2, 3, 7] {
        cut_within_characters(ctx, client, count).await?;
    }
    cut_into_bytes(ctx, client).await?;
    cut_long_text(ctx, client).await?;
    // A sender that streams may end a message with an empty fragment.
    let text = ctx.token();
    let frames = in_pieces(Data::Text, text.as_bytes(), &[0, 3, 3, text.len()]);
    frames.into_iter().for_each(|frame| client.send(frame));
    client.expect(reply(&text).named("the reply to a message with empty fragments")).await?;
    client.exchange(&text).await
}

async fn cut_within_characters(
    ctx: &mut TestContext,
    client: &mut Client,
    count: usize,
) -> CheckResult {
    let text = format!("{} in pieces: 🦀🦀🦀🦀", ctx.token());
    let bytes = text.as_bytes();
    // The last cut goes through the middle of a character, which is legal.
    let mut cuts: Vec<usize> = (1..count - 1).map(|i| i * (bytes.len() - 4) / count).collect();
    cuts.push(bytes.len() - 2);
    let mut frames = in_pieces(Data::Text, bytes, &cuts);
    frames.insert(1, Frame::ping("in between"));
    frames.into_iter().for_each(|frame| client.send(frame));
    client.expect(in_fragments(&text)).await.map(|_| ())
}

/// A message may have any number of fragments, and unsolicited pongs between them (section 5.5.3).
async fn cut_into_bytes(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let text = long_text(ctx, 300);
    let mut frames = in_pieces(Data::Text, text.as_bytes(), &Vec::from_iter(1..text.len()));
    frames.insert(text.len() / 2, Frame::pong("unasked"));
    client.send_all(frames);
    let name = format!("the reply to {0} bytes in {0} fragments", text.len());
    client.expect(reply(&text).named(name)).await.map(|_| ())
}

/// A fragmented message longer than a page of memory, from a sender that streams, with the next
/// message directly after it.
async fn cut_long_text(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let (text, next) = (long_text(ctx, 30_000), ctx.token());
    let step = ctx.rng.random_range(900..1_500);
    let cuts: Vec<usize> = (step..text.len()).step_by(step).collect();
    let mut frames = in_pieces(Data::Text, text.as_bytes(), &cuts);
    frames.insert(frames.len() / 2, Frame::ping("half of it"));
    frames.push(Frame::text(next.as_str()));
    client.send_all(frames);
    let name = format!("{} bytes in {} fragments", text.len(), cuts.len() + 1);
    expect_long_reply(client, text.as_bytes(), name).await?;
    client.expect_reply(&next).await.context("right after a message in fragments")
}

/// Fragments of several clients must not be mixed up.
async fn interleave_fragments(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let mut other = ctx.join().await?;
    let texts = ctx.tokens(2);
    let mut frames = in_pieces(Data::Text, texts[0].as_bytes(), &[3]);
    let rest = frames.split_off(1);
    client.send_all(frames);
    client.flush().await;
    let both = async {
        other.exchange(&ctx.token()).await?;
        other.send_all(in_pieces(Data::Text, texts[1].as_bytes(), &[5]));
        other.expect(in_fragments(&texts[1])).await?;
        client.send_all(rest);
        client.expect(in_fragments(&texts[0])).await
    };
    both.await.context("while two clients send fragments at the same time").show_all_clients()?;
    ctx.leave(other).await;
    Ok(())
}

fn in_fragments(text: &str) -> Expectation {
    reply(text).named("the reply to a message in fragments")
}

/// TCP has no frames: a frame may come a few bytes at a time, its header too.
async fn receive_in_parts(ctx: &mut TestContext, other: &mut Client) -> CheckResult {
    // This client answers no pings, because a pong would come in the middle of its frame.
    let mut client = ctx.client().no_pongs().join().await?;
    let text = ctx.token();
    let mut rest = Frame::text(text.as_str()).masked(ctx.rng.random()).encode();
    for length in [1, 2, 6] {
        client.send_bytes(rest.drain(..length).collect());
        client.flush().await;
        // A server that has answered other clients twice has had its turn, and read what came
        // before.
        for _ in 0..2 {
            other.exchange(&ctx.token()).await?;
        }
    }
    client.send_bytes(rest);
    client.expect_reply(&text).await.context("with a frame that comes a few bytes at a time")?;
    ctx.leave(client).await;
    Ok(())
}

/// A server that accepts compression gets compressed messages, from every browser. Its reply may be
/// compressed too, and is not read.
async fn exchange_compressed(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.open().await?;
    let key = handshake::random_key(ctx);
    client.send_bytes(request(&key, &[handshake::DEFLATE]).into_bytes());
    let Some(head) = judged_elsewhere(client.response().await)? else { return Ok(()) };
    if accepts_compression(&head) {
        client.send(compress(&ctx.token()));
        let replied = async {
            expect_any(&mut client, "the welcome").await?;
            expect_any(&mut client, "the reply to a compressed message").await
        };
        let noticed = |noticed| EchoCause::UnsupportedCompression { noticed: Box::new(noticed) };
        replied.await.explain(noticed)?;
    }
    ctx.leave(client).await;
    Ok(())
}

fn accepts_compression(head: &str) -> bool {
    head.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("Sec-WebSocket-Extensions")
            && value.contains("permessage-deflate")
    })
}

/// Waits for any event that does not end the connection.
async fn expect_any(client: &mut Client, wanted: &str) -> CheckResult {
    let received = client.next_except_heartbeats(wanted).await?;
    match received.event {
        ClientEvent::Close(_) | ClientEvent::End(_) => Err(client.unexpected(&received, wanted)),
        _ => Ok(()),
    }
}

/// Returns a compressed text message: one stored block, without the four bytes that end a message
/// (RFC 7692, section 7.2.3.3).
fn compress(text: &str) -> Frame {
    let length = u16::try_from(text.len()).expect("a short text");
    let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    let block = [&[0], lengths.as_slice(), text.as_bytes(), &[0]].concat();
    Frame { reserved_bits: true, ..Frame::text(block) }
}
