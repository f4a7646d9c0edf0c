//! A client's ping is answered with a pong that has the same payload.

use rand::RngExt;

use super::WELCOMED;
use super::payloads::in_pieces;
use super::welcome::resembles;
use crate::{Check, MINIMUM, check};
use harness::client::{ClientEvent, pong, reply};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::echo::EchoCause;
use harness::failure::{Cause, Instead};
use harness::verdict::{CheckResult, ResultExt, judged_elsewhere};
use harness::wire::frame::{Data, Frame};

pub(super) const CHECK: Check = Check {
    explained_by: &["echo::welcome"],
    requires: WELCOMED,
    minimum: MinimumEvidence { pongs: 4, ..MINIMUM },
    ..check("echo::ping", Echo, include_str!("ping.md"), |ctx| Box::pin(ping(ctx)))
};

async fn ping(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    // An unsolicited pong is legal. It is not a message, and needs no answer (section 5.5.3).
    let unsolicited = ctx.token();
    client.send(Frame::pong(unsolicited.as_str()));
    let random: [u8; 32] = ctx.rng.random();
    for payload in [ctx.token().as_bytes(), b"", &random, &[0xA5; 125]] {
        client.send(Frame::ping(payload));
        let answered = client.expect(pong(payload)).await;
        answered.explain(|cause| explain_text(cause, &unsolicited))?;
    }
    ctx.leave(client).await;
    ping_within_a_message(ctx).await
}

/// Explains a text that came in place of a pong: it may answer the unsolicited one.
fn explain_text(cause: Cause, unsolicited: &str) -> Cause {
    match cause {
        Cause::Missing { instead: Instead::Sent(ClientEvent::Text(text)), .. }
            if resembles(&text, unsolicited) =>
        {
            EchoCause::PongAnswered { text }.into()
        }
        other => other,
    }
}

/// A ping between two fragments is an ordinary ping. Its pong may come before the reply to the
/// message or after it. If the reply is missing, the pong cannot be judged.
async fn ping_within_a_message(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let (text, payload) = (ctx.token(), ctx.token().into_bytes());
    let mut frames = in_pieces(Data::Text, text.as_bytes(), &[text.len() / 2]);
    frames.insert(1, Frame::ping(payload.as_slice()));
    client.send_all(frames);
    if judged_elsewhere(client.expect(reply(&text)).await)?.is_none() {
        return Ok(());
    }
    let awaited = ClientEvent::Pong(payload.clone());
    if client.pongs.iter().any(|pong| pong.event == awaited) {
        return Ok(());
    }
    let pong = client.expect(pong(payload)).await;
    pong.map(|_| ()).context("between two fragments of a message")
}
