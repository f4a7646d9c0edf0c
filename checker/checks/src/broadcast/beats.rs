//! Heartbeats with several clients.

use std::time::Instant;

use futures_util::future::{join, join3, try_join3};

use crate::heartbeat;
use harness::client::{Client, ClientEvent, FrameSender, reply_to};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};
use harness::wire::frame::{Data, Frame, OpCode};
use harness::wire::transcript::{Highlight, quoted};

pub(super) async fn beats(ctx: &mut TestContext) -> CheckResult {
    // A server with only two clients, so that a client's buffers fill with its own messages only.
    let quiet_room = ctx.second_server().await?;
    let (beats, stalled) = join(beats_in_company(ctx), stalled(&quiet_room)).await;
    beats.and(stalled.map_err(|error| error.recorded_by(&quiet_room.recorder)))
}

/// Fails unless a client that answers no ping and reads nothing is disconnected, although no other
/// client sends anything. The blocked write carries one of its own messages back to it.
async fn stalled(ctx: &TestContext) -> CheckResult {
    let mut witness = ctx.join().await?;
    let mut stalled = ctx.join_narrow().await?;
    stalled.stop_answering_pings();
    stalled.connection.stop_reading();
    let (connection, number) = (stalled.connection.clone(), stalled.number());
    let mut pace = heartbeat::metronome(ctx.beat / 10);
    let fill = async {
        // A system may buffer 4 MiB for one connection.
        for _ in 0..96 {
            stalled.send_text("x".repeat(64 * 1024));
            stalled.wait_until_sent(0).await;
        }
        // A write shows that the server has reset the connection.
        loop {
            stalled.send_text("x");
            pace.tick().await;
        }
    };
    let began = Instant::now();
    let five_intervals = async {
        for _ in 0..5 {
            witness.ping().await?;
        }
        Ok::<_, CheckError>(())
    };
    tokio::select! {
        _ = connection.wait_until_lost() => Ok(()),
        pings = five_intervals => {
            let when = "beside a client that stopped reading, ";
            pings.map_err(|error| no_ping(error, when, |other| other))?;
            let summary = "a client that stopped reading stays connected in a quiet room";
            let failure = Failure::new(FailureKind::StillOpen, summary).expected(
                "the end of the TCP connection, although the write to the client hangs",
                format!("still open after five intervals ({} ms)", began.elapsed().as_millis()),
            );
            Err(failure.about([number]).at(Highlight::Last { connection: number }).into())
        }
        () = fill => unreachable!("the writes never end"),
    }
}

async fn beats_in_company(ctx: &mut TestContext) -> CheckResult {
    // More clients than some servers have room for.
    let _crowd = ctx.join_many(10).await?;
    let leaver = ctx.join().await?;
    let mut witness = ctx.join().await?;
    // The silent client joins between two observed ones, so that a client disconnected along with
    // it is one of those.
    let mut silent = ctx.join_mute().await?;
    let mut quiet = ctx.join().await?;
    let opened = Instant::now();
    let (mut another, mut fading, mut late) =
        try_join3(ctx.join(), ctx.join(), ctx.join_mute()).await?;
    let hello = ctx.token();
    witness.exchange(&hello).await?;
    quiet.expect_reply(&hello).await?;
    // A dead client still gets messages. Neither they nor its own messages are signs of life, and
    // they do not change the interval of other clients.
    let mouths = [witness.frame_sender(), fading.frame_sender()];
    let judged = async {
        heartbeat::beats::first_ping(ctx, &mut quiet, opened).await?;
        let silent_one = async {
            let unanswered = heartbeat::drops::asked(&mut silent).await?;
            heartbeat::drops::dropped_on_time(ctx, &mut witness, &mut silent, unanswered).await
        };
        let fading_one = async {
            let after =
                heartbeat::signs::fades_away(ctx, &mut another, &mut fading, |client, error| {
                    no_ping(error, "", |other| heartbeat::drops::dropped_alive(client, other))
                })
                .await;
            after.map_err(|error| error.context("one that had answered before, and talks on: "))
        };
        let late_one = heartbeat::drops::answering_late(ctx, &mut late);
        let (silent_one, fading_one, late_one) = join3(silent_one, fading_one, late_one).await;
        let soonest = silent_one.map_err(in_a_busy_room)?.min(fading_one.map_err(in_a_busy_room)?);
        late_one?;
        heartbeat::drops::promptly(ctx, &witness, &silent, soonest)?;
        once_some_are_gone(ctx, leaver, &mut quiet).await
    };
    tokio::select! {
        judged = judged => judged?,
        () = talk(ctx, &mouths) => unreachable!("the talk never ends"),
    }
    // One ping for each interval and no more, however many other clients there are.
    if let [first, .., last] = quiet.pings[..] {
        heartbeat::beats::on_the_average(ctx, &quiet, last - first, quiet.pings.len() - 1)?;
    }
    // The message follows the client's pong, which is no message.
    let bye = ctx.token();
    quiet.send_text(bye.as_str());
    for client in [&mut witness, &mut quiet] {
        nothing_but_talk(client, &bye).await?;
    }
    heartbeat::beats::as_many(&witness, quiet.pings.len(), "a client that talks")?;
    // A client can join after a disconnect.
    let welcomed = async { ctx.join().await?.exchange("somebody new").await };
    welcomed.await.map_err(|error| error.context("after clients were dropped, "))
}

/// Until the last message arrives, a client receives what others send, and nothing else.
async fn nothing_but_talk(client: &mut Client, last: &str) -> CheckResult {
    loop {
        let received = client.next_except_heartbeats("the last word").await?;
        let ClientEvent::Text(text) = &received.event else {
            return Err(client.unexpected(&received, "the last word"));
        };
        if *text == reply_to(last) {
            return Ok(());
        }
        if *text != reply_to(SMALL_TALK) {
            let failure = client
                .failure(FailureKind::Unexpected, "a message came that nobody sent")
                .at(client.mark(&received));
            return Err(failure
                .expected("what somebody says, and nothing else", quoted(text))
                .into());
        }
    }
}

const SMALL_TALK: &str = "small talk";

/// Several clients send messages several times in each interval.
async fn talk(ctx: &TestContext, mouths: &[FrameSender]) {
    let mut pace = heartbeat::metronome(ctx.beat / 4);
    loop {
        mouths
            .iter()
            .for_each(|mouth| mouth.send(Frame::new(OpCode::Data(Data::Text), SMALL_TALK)));
        pace.tick().await;
    }
}

/// Heartbeats continue for the other clients while clients join, leave and are disconnected.
async fn once_some_are_gone(ctx: &TestContext, leaver: Client, quiet: &mut Client) -> CheckResult {
    ctx.leave(leaver).await;
    while quiet.pings.len() < 5 {
        quiet.ping().await.map_err(|error| missing(quiet, error))?;
    }
    let among_visitors = async {
        for _ in 0..2 {
            let ping = quiet.ping().await;
            ping.map_err(|error| {
                no_ping(error, "while others come and go, ", |other| {
                    heartbeat::drops::dropped_alive(quiet, other)
                })
            })?;
        }
        Ok(())
    };
    tokio::select! {
        judged = among_visitors => judged,
        () = heartbeat::beats::visits(ctx) => unreachable!("the visits never end"),
    }
}

fn in_a_busy_room(error: CheckError) -> CheckError {
    no_ping(error, "in a room where somebody talks, ", |other| other)
}

/// No other check judges whether pings go on here.
fn missing(client: &Client, error: CheckError) -> CheckError {
    let dropped = |other| heartbeat::drops::dropped_alive(client, other);
    no_ping(error, "once a client was dropped and another had left, ", dropped)
}

/// Adds the circumstances if no ping came; `otherwise` describes other failures.
fn no_ping(
    error: CheckError,
    when: &str,
    otherwise: impl FnOnce(CheckError) -> CheckError,
) -> CheckError {
    if error.is(FailureKind::Silence) {
        error.context(when).show_all_clients()
    } else {
        otherwise(error)
    }
}
