//! A client that has also stopped reading, so that the server's writes to it block, is dropped
//! within about five intervals, whatever the blocked write was.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::{join, try_join};

use super::PINGED;
use crate::{Check, MINIMUM, check};
use harness::client::Client;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::failure::heartbeat::{BlockedWrite, HeartbeatCause};
use harness::verdict::{CheckResult, Failure, ResultExt};
use harness::wire::frame::{Control, Frame, OpCode};
use harness::wire::recorder::Connection;
use harness::wire::transcript::Highlight;

pub(super) const CHECK: Check = Check {
    // Checks of what counts as a pong are closer to the cause.
    explained_by: &[
        "heartbeat::echo",
        "heartbeat::steady",
        "heartbeat::busy",
        "heartbeat::alive",
        "heartbeat::dead",
        "heartbeat::chatter",
        "heartbeat::neighbours",
    ],
    requires: PINGED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 4, messages: 6, pings: 2, ..MINIMUM },
    ..check("heartbeat::stalled", Heartbeat, include_str!("stalled.md"), |ctx| {
        Box::pin(stalled(ctx))
    })
};

async fn stalled(ctx: &mut TestContext) -> CheckResult {
    let (mut witness, mut other) = try_join(ctx.join(), ctx.join()).await?;
    let join_narrow = || ctx.client().small_buffers().join();
    let (mut talker, mut pinger) = try_join(join_narrow(), join_narrow()).await?;
    let token = ctx.token();
    let (for_talker, for_pinger) = (stop_reading(&talker), stop_reading(&pinger));
    let talk = fill_with_replies(ctx, &mut talker, &token);
    let pings = fill_with_pongs(ctx, &mut pinger);
    let (replies, pings) = join(
        expect_lost(&mut witness, &for_talker, BlockedWrite::Reply, talk),
        expect_lost(&mut other, &for_pinger, BlockedWrite::Ping, pings),
    )
    .await;
    replies.and(pings)?;
    expect_served(&mut witness, &token).await?;
    expect_served(&mut other, &token).await
}

/// From now on the client reads nothing, and answers no ping.
fn stop_reading(client: &Client) -> Arc<Connection> {
    client.stop_answering_pings();
    client.connection.stop_reading();
    client.connection.clone()
}

/// Checks that a connection on which the server's write blocks is closed within about five
/// intervals, as the witness counts.
async fn expect_lost(
    witness: &mut Client,
    stalled: &Connection,
    write: BlockedWrite,
    traffic: impl Future<Output = Infallible>,
) -> CheckResult {
    let began = Instant::now();
    tokio::select! {
        _ = stalled.wait_until_lost() => return Ok(()),
        pinged = six_pings(witness) => pinged.context(BESIDE)?,
        never = traffic => match never {},
    }
    let last = Highlight::Last { connection: stalled.number() };
    let cause = HeartbeatCause::StalledNotDropped { write, waited: began.elapsed() };
    Err(Failure::caused(cause).about([stalled.number()]).at(last).into())
}

/// The first ping may come at once, and the sixth more than five intervals later.
async fn six_pings(witness: &mut Client) -> CheckResult {
    for _ in 0..6 {
        witness.ping().await?;
    }
    Ok(())
}

const BESIDE: &str = "while another client reads nothing";

/// A witness that was dropped as well would be a failure, too.
async fn expect_served(witness: &mut Client, token: &str) -> CheckResult {
    witness.ping().await.context(BESIDE)?;
    witness.exchange(token).await
}

/// Sends messages until the server's replies block, and then more, to notice the disconnect.
async fn fill_with_replies(ctx: &TestContext, client: &mut Client, token: &str) -> Infallible {
    // Systems buffer up to 4 MiB for a connection. Much more would only burden a server that can
    // buffer all of it.
    let long = format!("{token} {}", "x".repeat(64 * 1024));
    for _ in 0..96 {
        client.send_text(long.as_str());
        client.wait_until_sent(0).await;
    }
    let mut pace = ctx.interval().every(0.1);
    loop {
        client.send_text("x");
        pace.tick().await;
    }
}

/// Fills the buffers with pongs, which libraries send by themselves. No reply is being written when
/// the server's ping is due.
async fn fill_with_pongs(ctx: &TestContext, client: &mut Client) -> Infallible {
    let ping = Frame::new(OpCode::Control(Control::Ping), vec![b'x'; 125]).masked(rand::random());
    // Linux buffers up to 80 KB for such a small receive buffer: 630 pongs.
    client.send_bytes(ping.encode().repeat(2_000));
    // A pong follows. If any pong counts, the client is found dead only after a ping has met full
    // buffers.
    client.send(Frame::new(OpCode::Control(Control::Pong), ""));
    let mut pace = ctx.interval().every(0.1);
    loop {
        pace.tick().await;
        client.send_bytes(ping.encode());
    }
}
