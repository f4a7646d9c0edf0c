//! Traffic neither postpones, replaces nor adds pings.

use futures_util::future::try_join;

use super::PINGED;
use crate::{Check, MINIMUM, check};
use harness::client::{Client, reply_to};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::failure::heartbeat::HeartbeatCause;
use harness::verdict::{CheckError, CheckResult, judged_elsewhere};
use harness::wire::frame::{Control, Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: &["heartbeat::echo", "heartbeat::steady", "heartbeat::alive"],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 6, messages: 10, pings: 20, ..MINIMUM },
    ..check("heartbeat::busy", Heartbeat, include_str!("busy.md"), |ctx| Box::pin(busy(ctx)))
};

/// The pings of the quiet client until the others have sent enough.
const PINGS: usize = 5;

/// A kind of frame that a client keeps sending.
struct Traffic {
    client: &'static str,
    opcode: OpCode,
}

/// Traffic beside text messages. An unsolicited pong is legal, and answers nothing (section 5.5.3).
const OTHER_TRAFFIC: [Traffic; 3] = [
    Traffic { client: "a client that sends pongs unasked", opcode: OpCode::Control(Control::Pong) },
    Traffic { client: "a client that sends pings", opcode: OpCode::Control(Control::Ping) },
    Traffic { client: "a client that sends binary messages", opcode: OpCode::Data(Data::Binary) },
];

async fn busy(ctx: &mut TestContext) -> CheckResult {
    let (mut quiet, mut talker) = try_join(ctx.join(), ctx.join()).await?;
    let mut others = ctx.join_many(OTHER_TRAFFIC.len()).await?;
    let mut fragmenter = ctx.join().await?;
    let (texts, last, [begin, end]) = (ctx.tokens(400), ctx.token(), two_fragments(ctx));
    fragmenter.send(begin.clone());
    tokio::select! {
        pinged = wait_for_pings(&mut quiet) => pinged?,
        talked = talk(ctx, &mut talker, &others, &texts) => talked?,
    }
    talker.send_text(last.as_str());
    expect_as_many_until(&mut talker, &last, "a client that talks").await?;
    expect_as_many_despite(ctx, &mut others, &last).await?;
    fragmenter.send(end.clone());
    expect_as_many_amid(ctx, &mut fragmenter, &[begin, end]).await
}

fn two_fragments(ctx: &mut TestContext) -> [Frame; 2] {
    [
        Frame::unfinished(OpCode::Data(Data::Text), ctx.token()),
        Frame::new(OpCode::Data(Data::Continue), ctx.token()),
    ]
}

async fn wait_for_pings(quiet: &mut Client) -> CheckResult {
    for _ in 0..PINGS {
        quiet.ping().await?;
    }
    Ok(())
}

/// One client exchanges messages, and the others send their kinds of frames.
async fn talk(
    ctx: &TestContext,
    talker: &mut Client,
    others: &[Client],
    texts: &[String],
) -> CheckResult {
    let mut pace = ctx.interval().every(0.1);
    let senders: Vec<_> = others.iter().map(Client::frame_sender).collect();
    for (n, text) in texts.iter().enumerate() {
        talker.exchange(text).await?;
        if n % 3 == 0 {
            for (sender, traffic) in senders.iter().zip(&OTHER_TRAFFIC) {
                sender.send(Frame::new(traffic.opcode, "unasked"));
            }
        }
        pace.tick().await;
    }
    std::future::pending().await
}

async fn expect_as_many_despite(
    ctx: &TestContext,
    clients: &mut [Client],
    last: &str,
) -> CheckResult {
    for (client, traffic) in clients.iter_mut().zip(&OTHER_TRAFFIC) {
        client.send_text(last);
        let judged = expect_as_many_until(client, last, traffic.client).await;
        if_understood(ctx, &[Frame::new(traffic.opcode, last)], judged).await?;
    }
    Ok(())
}

async fn expect_as_many_amid(
    ctx: &TestContext,
    client: &mut Client,
    fragments: &[Frame],
) -> CheckResult {
    let noun = "a client that sends fragments";
    let judged = expect_as_many_until(client, &text_of(fragments), noun).await;
    if_understood(ctx, fragments, judged).await
}

/// Compares the pings up to the reply to the last message with those of the quiet client.
async fn expect_as_many_until(client: &mut Client, last: &str, noun: &'static str) -> CheckResult {
    while client.text("the reply to the last message").await? != reply_to(last) {}
    as_many(client, PINGS, noun)
}

/// Checks the number of pings. One ping more or less may still be on its way.
pub(crate) fn as_many(client: &Client, expected: usize, noun: &'static str) -> CheckResult {
    let got = client.pings.len();
    if got.abs_diff(expected) <= 1 {
        return Ok(());
    }
    Err(client.fails_after_last(HeartbeatCause::WrongPingCount { client: noun, expected, got }))
}

/// Drops a failure of a client that sends such frames, unless the server answers a message in them:
/// the `echo` checks judge that.
pub(super) async fn if_understood(
    ctx: &TestContext,
    frames: &[Frame],
    judged: CheckResult,
) -> CheckResult {
    let message = frames.iter().all(|frame| matches!(frame.opcode, OpCode::Data(_)));
    if !message || !matches!(judged, Err(CheckError::Failed(_))) {
        return judged;
    }
    let mut client = ctx.join().await?;
    client.send_all(frames.iter().cloned());
    let answered = client.expect_reply(&text_of(frames)).await;
    if judged_elsewhere(answered)?.is_some() { judged } else { Ok(()) }
}

fn text_of(frames: &[Frame]) -> String {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.iter().copied()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
