//! A binary message is answered as text: its bytes decoded as UTF-8, with U+FFFD for invalid
//! sequences (as `data.toString()` does in the Node original).

use rand::RngExt;

use super::order::in_order;
use super::payloads::{expect_long_reply, in_pieces, long_text};
use super::{ECHOES, TALKS};
use crate::{Check, MINIMUM, check};
use harness::client::{Client, reply};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::verdict::{CheckResult, ResultExt, judged_elsewhere};
use harness::wire::frame::{Data, Frame};
use harness::wire::lossy;

pub(super) const CHECK: Check = Check {
    explained_by: TALKS,
    requires: ECHOES,
    minimum: MinimumEvidence { messages: 10, ..MINIMUM },
    ..check("echo::binary", Echo, include_str!("binary.md"), |ctx| Box::pin(binary(ctx)))
};

async fn binary(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    for bytes in samples(ctx) {
        let expected = reply(&lossy(&bytes)).named("the reply to a binary message");
        client.send(Frame::binary(bytes));
        client.expect(expected).await?;
    }
    client.exchange(&ctx.token()).await?;
    alternate(ctx, &mut client).await?;
    ctx.leave(client).await;
    exchange_long(ctx).await?;
    exchange_fragments(ctx).await
}

fn samples(ctx: &mut TestContext) -> Vec<Vec<u8>> {
    let token = ctx.token().into_bytes();
    let random: [u8; 64] = ctx.rng.random();
    let with = |tail: &[u8]| [&token, tail].concat();
    vec![
        token.clone(),
        Vec::new(),
        with("žluťoučký 🦀".as_bytes()),
        with(b"\xff\xfe"),
        // Some decoders take this for a byte order mark. Here it is a character of three bytes.
        [b"\xef\xbb\xbf", token.as_slice()].concat(),
        with(b"\xc3("),
        with(b"\xf0\x9f\xa6 cut \xe2\x82"),
        with(b"\xed\xa0\x80 surrogate \xc0\xaf overlong"),
        random.to_vec(),
    ]
}

/// Text and binary messages in turn are answered in order.
async fn alternate(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let texts = ctx.tokens(9);
    let kinds = [Frame::text, Frame::binary, Frame::text].into_iter().cycle();
    client.send_all(texts.iter().zip(kinds).map(|(text, frame)| frame(text.as_str())));
    in_order(client, &texts).await.context("with text and binary messages in turn")
}

/// Valid text in a binary message is complete to the last character, at any length.
async fn exchange_long(ctx: &mut TestContext) -> CheckResult {
    let length = ctx.rng.random_range(65_537..131_072);
    let mut bytes = long_text(ctx, length).into_bytes();
    let Some(mut client) = answers_text(ctx, vec![Frame::text(bytes.as_slice())]).await? else {
        return Ok(());
    };
    for _ in 0..2 {
        client.send(Frame::binary(bytes.as_slice()));
        expect_long_reply(&mut client, &bytes, format!("a binary message of {length} bytes"))
            .await?;
        // The same for the text around an invalid byte.
        bytes[ctx.rng.random_range(0..length)] = 0xFF;
    }
    ctx.leave(client).await;
    Ok(())
}

/// The cuts go through characters: invalid text in one fragment is valid in the message.
async fn exchange_fragments(ctx: &mut TestContext) -> CheckResult {
    let text = format!("🦀{}🦀{}🦀", ctx.token(), ctx.token());
    let cuts = [1, text.len() / 2, text.len() - 2];
    let text = text.into_bytes();
    let Some(mut client) = answers_text(ctx, in_pieces(Data::Text, &text, &cuts)).await? else {
        return Ok(());
    };
    for tail in [b"".as_slice(), b"\xe2\x82"] {
        let bytes = [&text, tail].concat();
        in_pieces(Data::Binary, &bytes, &cuts).into_iter().for_each(|frame| client.send(frame));
        let expected = reply(&lossy(&bytes)).named("the reply to a binary message in fragments");
        client.expect(expected).await?;
    }
    ctx.leave(client).await;
    Ok(())
}

/// Sends a text in these frames from a new client, and returns the client if the reply is right. A
/// server that gets the text wrong is judged by `echo::payloads`, and not by the binary message.
async fn answers_text(ctx: &mut TestContext, frames: Vec<Frame>) -> CheckResult<Option<Client>> {
    let mut client = ctx.join().await?;
    let bytes = frames.iter().flat_map(|frame| frame.payload.iter().copied()).collect::<Vec<u8>>();
    client.send_all(frames);
    Ok(judged_elsewhere(client.expect(reply(&lossy(&bytes))).await)?.map(|_| client))
}
