//! Messages are not pongs: a client that sends text but no pong is dropped like a silent one.

use futures_util::future::try_join;

use super::PINGED;
use super::busy::if_understood;
use super::dead::expect_drop;
use crate::{Check, MINIMUM, check};
use harness::client::FrameSender;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::group;
use harness::verdict::CheckResult;
use harness::wire::frame::{Control, Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: &[
        "heartbeat::echo",
        "heartbeat::steady",
        "heartbeat::busy",
        "heartbeat::alive",
        "heartbeat::dead",
        "heartbeat::neighbours",
    ],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 8, messages: 8, pings: 8, ends: 4, ..MINIMUM },
    ..check("heartbeat::chatter", Heartbeat, include_str!("chatter.md"), |ctx| {
        Box::pin(chatter(ctx))
    })
};

async fn chatter(ctx: &mut TestContext) -> CheckResult {
    let token = ctx.token();
    let text = Frame::new(OpCode::Data(Data::Text), token.as_str());
    let talk = [
        vec![text.clone()],
        vec![Frame::new(OpCode::Data(Data::Binary), token)],
        vec![Frame { fin: false, ..text }, Frame::new(OpCode::Data(Data::Continue), "")],
        // A client's own pings are no pongs either.
        vec![Frame::new(OpCode::Control(Control::Ping), "are you there?")],
    ];
    group::all(talk.iter().map(|frames| expect_drop_despite(ctx, frames))).await.map(|_| ())
}

/// Fails unless a client that keeps sending these frames, and never answers a ping, is dropped.
async fn expect_drop_despite(ctx: &TestContext, frames: &[Frame]) -> CheckResult {
    let (mut witness, mut talker) = try_join(ctx.join(), ctx.client().no_pongs().join()).await?;
    let talk = keep_sending(ctx, talker.frame_sender(), frames);
    let judged = tokio::select! {
        judged = expect_drop(ctx, &mut witness, &mut talker) => judged.map(|_| ()),
        () = talk => unreachable!("the talk never ends"),
    };
    if_understood(ctx, frames, judged).await
}

async fn keep_sending(ctx: &TestContext, sender: FrameSender, frames: &[Frame]) {
    let mut pace = ctx.interval().every(0.2);
    loop {
        frames.iter().for_each(|frame| sender.send(frame.clone()));
        pace.tick().await;
    }
}
