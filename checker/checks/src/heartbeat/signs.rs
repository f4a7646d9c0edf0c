//! Which frames count as a sign of life, and for how long.

use std::time::Duration;

use futures_util::future::{join_all, try_join};

use super::beats::if_understood;
use super::drops::{dropped_alive, dropped_on_time, judged};
use super::metronome;
use harness::client::Client;
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult};
use harness::wire::frame::{Control, Data, Frame, OpCode};

pub(super) async fn relapse(ctx: &mut TestContext) -> CheckResult {
    let (mut witness, mut fading) = try_join(ctx.join(), ctx.join()).await?;
    fades_away(ctx, &mut witness, &mut fading, dropped_alive).await.map(|_| ())
}

/// A client answers for a while, more often than it is pinged, and then stops. Returns the time
/// from its first unanswered ping to its disconnect. `unasked` adds to an earlier failure.
pub(crate) async fn fades_away(
    ctx: &TestContext,
    witness: &mut Client,
    fading: &mut Client,
    unasked: impl Fn(&Client, CheckError) -> CheckError,
) -> CheckResult<Duration> {
    let asked = async {
        let (_, payload) = fading.ping_and_payload().await?;
        // Pongs cannot be saved up. No extra pongs follow the next ping, because delayed ones could
        // answer the ping after it.
        for _ in 0..3 {
            fading.send(Frame::new(OpCode::Control(Control::Pong), payload.as_slice()));
        }
        fading.ping().await?;
        fading.stop_answering_pings();
        fading.unanswered_ping().await
    };
    let unanswered = asked.await.map_err(|error| unasked(fading, error))?;
    dropped_on_time(ctx, witness, fading, unanswered).await
}

pub(super) async fn chatter(ctx: &mut TestContext) -> CheckResult {
    let talk = ctx.token();
    let text = Frame::new(OpCode::Data(Data::Text), talk.as_str());
    let kinds = [
        vec![text.clone()],
        // Binary messages, fragments and the client's own pings are no signs of life either.
        vec![Frame::new(OpCode::Data(Data::Binary), talk)],
        vec![Frame { fin: false, ..text }, Frame::new(OpCode::Data(Data::Continue), "")],
        vec![Frame::new(OpCode::Control(Control::Ping), "are you there?")],
    ];
    let ctx = &*ctx;
    let talkers = kinds.iter().map(|frames| async move {
        let (mut witness, mut talker) = try_join(ctx.join(), ctx.join_mute()).await?;
        let judged = talking_in_vain(ctx, &mut witness, &mut talker, frames).await;
        if_understood(ctx, frames, judged).await
    });
    // All clients are awaited, so that the reported failure does not depend on timing.
    join_all(talkers).await.into_iter().collect()
}

/// Fails unless a client that keeps sending this frame, and never answers a ping, is disconnected.
async fn talking_in_vain(
    ctx: &TestContext,
    witness: &mut Client,
    client: &mut Client,
    what: &[Frame],
) -> CheckResult {
    let mut pace = metronome(ctx.beat / 5);
    let mouth = client.frame_sender();
    let talk = async {
        loop {
            what.iter().for_each(|frame| mouth.send(frame.clone()));
            pace.tick().await;
        }
    };
    tokio::select! {
        judged = judged(ctx, witness, client) => judged.map(|_| ()),
        () = talk => unreachable!("the talk never ends"),
    }
}
