//! Payloads: any text, any bytes, any length, any number of frames.

use rand::RngExt;

use super::talk::in_order;
use super::{handshake, texts};
use harness::client::{
    Client, ClientEvent, RESPONSE_TIMEOUT, reply_to, request, timeout_on_busy_host,
};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, FailureKind};
use harness::wire::frame::{Control, Data, Frame, OpCode};
use harness::wire::lossy;

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

pub(super) async fn payloads(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let token = ctx.token();
    for text in texts::of_all_kinds(&token) {
        client.exchange(&text).await?;
    }
    for name in texts::PROPERTY_NAMES {
        let heard = client.exchange(name).await;
        heard.map_err(|error| {
            let what =
                format!("The text `{name}`, a property name in some languages, was not echoed.");
            error
                .headed(what)
                .hint_for(FailureKind::Silence, NO_LOOKUP)
                .hint_for(FailureKind::WrongMessage, NO_LOOKUP)
        })?;
    }
    for length in LENGTHS {
        let text = long_text(ctx, length);
        exchange(&mut client, Data::Text, text.as_bytes()).await?;
    }
    more_in_all(ctx, &mut client, LENGTHS.iter().sum()).await?;
    long_before_short(ctx, &mut client).await?;
    for count in [2, 3, 7] {
        fragments(ctx, &mut client, count).await?;
    }
    byte_by_byte(ctx, &mut client).await?;
    long_in_fragments(ctx, &mut client).await?;
    interleaved(ctx, &mut client).await?;
    // A sender that streams may end a message with an empty fragment.
    let hollow = in_pieces(Data::Text, token.as_bytes(), &[0, 3, 3, token.len()]);
    hollow.into_iter().for_each(|frame| client.send(frame));
    client.expect_text(&reply_to(&token), "the reply to a message with empty fragments").await?;
    client.exchange(&token).await?;
    ctx.leave(client).await;
    compressed(ctx).await
}

/// The advice if the server interprets a text.
const NO_LOOKUP: &str = "Look nothing up by the text of a message: in an object of JavaScript or \
     Python, some names are there that you never put in.";

/// Returns a text of this many bytes. Most characters have three or four bytes, so that any buffer
/// is likely to end inside one.
fn long_text(ctx: &mut TestContext, length: usize) -> String {
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

/// Sends these bytes and waits for the reply, which is too long to show.
async fn exchange(client: &mut Client, data: Data, bytes: &[u8]) -> CheckResult {
    client.send(Frame::new(OpCode::Data(data), bytes));
    let kind = if data == Data::Text { "a message" } else { "a binary message" };
    long_reply(client, bytes, &format!("{kind} of {} bytes", bytes.len())).await
}

/// Waits for the reply to a message of these bytes, which is too long to show.
async fn long_reply(client: &mut Client, bytes: &[u8], message: &str) -> CheckResult {
    let wanted = format!("the reply to {message}");
    let received = client.next_except_heartbeats(&wanted).await?;
    let ClientEvent::Text(heard) = &received.event else {
        return Err(client.unexpected(&received, &wanted));
    };
    let expected = reply_to(&lossy(bytes));
    if *heard == expected {
        return Ok(());
    }
    let differs = heard
        .bytes()
        .zip(expected.bytes())
        .position(|(a, b)| a != b)
        .unwrap_or(heard.len().min(expected.len()));
    let failure = client
        .failure(FailureKind::WrongMessage, format!("{wanted} is not the message"))
        .at(client.mark(&received));
    let got = format!("{} bytes, the first difference at byte {differs}", heard.len());
    Err(failure.expected(format!("{} bytes", expected.len()), got).into())
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

async fn fragments(ctx: &mut TestContext, client: &mut Client, count: usize) -> CheckResult {
    let text = format!("{} in pieces: 🦀🦀🦀🦀", ctx.token());
    let bytes = text.as_bytes();
    // The last cut goes through the middle of a character, which is legal.
    let mut cuts: Vec<usize> = (1..count - 1).map(|i| i * (bytes.len() - 4) / count).collect();
    cuts.push(bytes.len() - 2);
    let mut frames = in_pieces(Data::Text, bytes, &cuts);
    frames.insert(1, Frame::new(OpCode::Control(Control::Ping), "in between"));
    frames.into_iter().for_each(|frame| client.send(frame));
    client.expect_text(&reply_to(&text), "the reply to a message in fragments").await
}

/// A message may have any number of fragments, and unsolicited pongs between them (section 5.5.3).
async fn byte_by_byte(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let text = long_text(ctx, 300);
    let mut frames = in_pieces(Data::Text, text.as_bytes(), &Vec::from_iter(1..text.len()));
    frames.insert(text.len() / 2, Frame::new(OpCode::Control(Control::Pong), "unasked"));
    client.send_all(frames);
    let wanted = format!("the reply to a message of {0} bytes in {0} fragments", text.len());
    client.expect_text(&reply_to(&text), &wanted).await
}

/// A short message waits for the reply to a long one.
async fn long_before_short(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let (long, short) = (long_text(ctx, 200_000), ctx.token());
    let both = [long.as_str(), &short].map(|text| Frame::new(OpCode::Data(Data::Text), text));
    client.send_all(both);
    let amid =
        |error: CheckError| error.context("a long message, and a short one right behind it: ");
    long_reply(client, long.as_bytes(), "the long one").await.map_err(amid)?;
    client.expect_reply(&short).await.map_err(amid)
}

/// A limit on the length applies to each message. A limit on all bytes of a connection lets 1 MiB
/// through, the longest message, and is mostly a small multiple of it. Each MiB takes about 25 ms
/// of the processor.
async fn more_in_all(ctx: &mut TestContext, client: &mut Client, before: usize) -> CheckResult {
    let text = long_text(ctx, LONGEST_MESSAGE);
    for n in 1..=3 {
        let heard = exchange(client, Data::Text, text.as_bytes()).await;
        heard.map_err(|error| {
            if !error.is(FailureKind::EndedEarly) && !error.is(FailureKind::Silence) {
                return error;
            }
            let in_all = (before + n * text.len()) as f64 / f64::from(1 << 20);
            let what = "The server stops serving a client after";
            error.headed(format!("{what} {in_all:.1} MiB in messages of at most 1 MiB."))
        })?;
    }
    Ok(())
}

/// A fragmented message longer than a page of memory, from a sender that streams, with the next
/// message directly after it.
async fn long_in_fragments(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let (text, next) = (long_text(ctx, 30_000), ctx.token());
    let step = ctx.rng.random_range(900..1_500);
    let cuts: Vec<usize> = (step..text.len()).step_by(step).collect();
    let mut frames = in_pieces(Data::Text, text.as_bytes(), &cuts);
    frames.insert(frames.len() / 2, Frame::new(OpCode::Control(Control::Ping), "half of it"));
    let message = format!("a message of {} bytes in {} fragments", text.len(), cuts.len() + 1);
    client
        .send_all(frames.into_iter().chain([Frame::new(OpCode::Data(Data::Text), next.as_str())]));
    long_reply(client, text.as_bytes(), &message).await?;
    client
        .expect_reply(&next)
        .await
        .map_err(|error| error.context("right behind a message in fragments, "))
}

/// Fragments of several clients must not be mixed up.
async fn interleaved(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let mut other = ctx.join().await?;
    let texts = ctx.tokens(2);
    let mut frames = in_pieces(Data::Text, texts[0].as_bytes(), &[3]);
    let rest = frames.split_off(1);
    client.send_all(frames);
    let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.wait_until_sent(0)).await;
    let theirs = async {
        other.exchange(&ctx.token()).await?;
        other.send_all(in_pieces(Data::Text, texts[1].as_bytes(), &[5]));
        other.expect_text(&reply_to(&texts[1]), "the reply to a message in fragments").await?;
        client.send_all(rest);
        client.expect_text(&reply_to(&texts[0]), "the reply to a message in fragments").await
    };
    theirs.await.map_err(|error| {
        error.context("two clients send fragments at the same time: ").show_all_clients()
    })?;
    in_several_reads(ctx, &mut other).await?;
    ctx.leave(other).await;
    Ok(())
}

/// TCP has no frames: a frame may come a few bytes at a time, its header too.
async fn in_several_reads(ctx: &mut TestContext, other: &mut Client) -> CheckResult {
    // This client answers no pings, because a pong would come in the middle of its frame.
    let mut client = ctx.join_mute().await?;
    let text = ctx.token();
    let mut rest =
        Frame::new(OpCode::Data(Data::Text), text.as_str()).masked(ctx.rng.random()).encode();
    for length in [1, 2, 6] {
        client.send_bytes(rest.drain(..length).collect());
        let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.wait_until_sent(0)).await;
        // A server that has answered other clients twice has had its turn, and read what came
        // before.
        for _ in 0..2 {
            other.exchange(&ctx.token()).await?;
        }
    }
    client.send_bytes(rest);
    let heard = client.expect_reply(&text).await;
    heard.map_err(|error| error.context("a frame that comes a few bytes at a time: "))?;
    ctx.leave(client).await;
    Ok(())
}

/// A server that accepts compression gets compressed messages, from every browser. Its reply may be
/// compressed too, and is not read.
async fn compressed(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.open().await?;
    let key = handshake::chance_key(ctx);
    client.send_bytes(request(&key, &[handshake::DEFLATE]).into_bytes());
    // `echo::handshake` judges the response.
    let Ok(head) = client.response().await else { return Ok(()) };
    let accepts = head.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
        name.eq_ignore_ascii_case("Sec-WebSocket-Extensions")
            && value.contains("permessage-deflate")
    });
    if accepts {
        let token = ctx.token();
        client.send(stored(&token));
        for wanted in ["the welcome", "the reply to a compressed message"] {
            let heard = client.next_except_heartbeats(wanted).await;
            let heard = heard.and_then(|received| match received.event {
                ClientEvent::Close(_) | ClientEvent::End(_) => {
                    Err(client.unexpected(&received, wanted))
                }
                _ => Ok(()),
            });
            heard.map_err(|error| {
                let what =
                    "The server accepted compression and sent no reply to a compressed message.";
                let error = error.headed(what);
                error
                    .hint_for(FailureKind::EndedEarly, NOT_SPOKEN)
                    .hint_for(FailureKind::Silence, NOT_SPOKEN)
            })?;
        }
    }
    ctx.leave(client).await;
    Ok(())
}

/// The advice if the server accepted an extension that it does not support.
const NOT_SPOKEN: &str = "Accept no extension that you don't speak: leave \
     `Sec-WebSocket-Extensions` out of the answer, whatever the client offers.";

/// Returns a compressed text message: one stored block, without the four bytes that end a message
/// (RFC 7692, section 7.2.3.3).
fn stored(text: &str) -> Frame {
    let length = u16::try_from(text.len()).expect("a short one");
    let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    let block = [&[0], lengths.as_slice(), text.as_bytes(), &[0]].concat();
    Frame { reserved_bits: true, ..Frame::new(OpCode::Data(Data::Text), block) }
}

pub(super) async fn binary(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let token = ctx.token().into_bytes();
    let with = |tail: &[u8]| [&token, tail].concat();
    let noise: Vec<u8> = (0..64).map(|_| ctx.rng.random()).collect();
    let samples = [
        token.clone(),
        Vec::new(),
        with("žluťoučký 🦀".as_bytes()),
        with(b"\xff\xfe"),
        // Some decoders take this for a byte order mark. Here it is a character of three bytes.
        [b"\xef\xbb\xbf", token.as_slice()].concat(),
        with(b"\xc3("),
        with(b"\xf0\x9f\xa6 cut \xe2\x82"),
        with(b"\xed\xa0\x80 surrogate \xc0\xaf overlong"),
        noise,
    ];
    for bytes in samples {
        let expected = reply_to(&String::from_utf8_lossy(&bytes));
        client.send(Frame::new(OpCode::Data(Data::Binary), bytes));
        client.expect_text(&expected, "the reply to a binary message").await?;
    }
    client.exchange(&ctx.token()).await?;
    // Between texts, in order.
    let texts = ctx.tokens(9);
    let kinds = [Data::Text, Data::Binary, Data::Text].into_iter().cycle();
    client.send_all(
        texts.iter().zip(kinds).map(|(text, kind)| Frame::new(OpCode::Data(kind), text.as_str())),
    );
    let heard = in_order(&mut client, &texts).await;
    heard.map_err(|error| error.context("text and binary messages in turn: "))?;
    ctx.leave(client).await;
    long_binary(ctx).await?;
    binary_in_fragments(ctx).await
}

/// Valid text in a binary message is complete to the last character, at any length.
async fn long_binary(ctx: &mut TestContext) -> CheckResult {
    let length = ctx.rng.random_range(65_537..131_072);
    let mut bytes = long_text(ctx, length).into_bytes();
    let Some(mut client) =
        answered(ctx, vec![Frame::new(OpCode::Data(Data::Text), bytes.as_slice())]).await?
    else {
        return Ok(());
    };
    exchange(&mut client, Data::Binary, &bytes).await?;
    // The same for the text around an invalid byte.
    let odd = ctx.rng.random_range(0..length);
    bytes[odd] = 0xFF;
    exchange(&mut client, Data::Binary, &bytes).await?;
    ctx.leave(client).await;
    Ok(())
}

/// The cuts go through characters: invalid text in one fragment is valid in the message.
async fn binary_in_fragments(ctx: &mut TestContext) -> CheckResult {
    let text = format!("🦀{}🦀{}🦀", ctx.token(), ctx.token());
    let cuts = [1, text.len() / 2, text.len() - 2];
    let text = text.into_bytes();
    let Some(mut client) = answered(ctx, in_pieces(Data::Text, &text, &cuts)).await? else {
        return Ok(());
    };
    for tail in [b"".as_slice(), b"\xe2\x82"] {
        let bytes = [&text, tail].concat();
        in_pieces(Data::Binary, &bytes, &cuts).into_iter().for_each(|frame| client.send(frame));
        let expected = reply_to(&String::from_utf8_lossy(&bytes));
        client.expect_text(&expected, "the reply to a binary message in fragments").await?;
    }
    ctx.leave(client).await;
    Ok(())
}

/// Sends a text in these frames from a new client, and returns the client if the reply was right. A
/// server that gets the text wrong fails another check, and is not judged by the binary message.
async fn answered(ctx: &mut TestContext, frames: Vec<Frame>) -> CheckResult<Option<Client>> {
    let mut client = ctx.join().await?;
    let bytes = frames.iter().flat_map(|frame| frame.payload.iter().copied()).collect();
    let text = String::from_utf8(bytes).expect("the frames of a text message");
    client.send_all(frames);
    match client.expect_text(&reply_to(&text), "the reply to a text message").await {
        Ok(()) => Ok(Some(client)),
        Err(CheckError::Failed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
