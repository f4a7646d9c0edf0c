//! Which clients are disconnected, and when.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all, join3, try_join, try_join_all};

use super::beats::{beat_long, first_ping};
use super::{LONGEST, PROMPT, SHORTEST_GRACE, metronome};
use harness::client::{Client, ClientEvent};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};
use harness::wire::frame::{Control, Data, Frame, OpCode};
use harness::wire::recorder::Connection;
use harness::wire::transcript::Highlight;

pub(super) async fn alive(ctx: &mut TestContext) -> CheckResult {
    let short = ctx.beat / 2;
    let (mut clients, hasty) = try_join(ctx.join_many(2), ctx.second_server_with(short)).await?;
    let tokens = ctx.tokens(2);
    let lives = clients.iter_mut().zip(&tokens).map(|(client, token)| async move {
        for _ in 0..7 {
            client.ping().await.map_err(|error| dropped_alive(client, error))?;
        }
        client.send_text(token.as_str());
        // This distinguishes a disconnect from a wrong reply, which other checks judge.
        client.text("a reply").await.map(|_| ()).map_err(|error| dropped_alive(client, error))
    });
    let mut in_a_message = ctx.join().await?;
    let for_long = async {
        match &hasty {
            Some(hasty) => {
                alive_for_long(hasty).await.map_err(|error| error.recorded_by(&hasty.recorder))
            }
            None => Ok(()),
        }
    };
    // All clients are awaited, so that the reported failure does not depend on timing.
    let (lives, in_a_message, for_long) =
        join3(try_join_all(lives), alive_in_a_message(&mut in_a_message), for_long).await;
    lives.map(|_| ()).and(in_a_message).and(for_long)?;
    if hasty.is_none() {
        // The server can run only once at a time.
        ctx.restart_server_with(short).await?;
        alive_for_long(ctx).await?;
    }
    Ok(())
}

/// Some servers disconnect a client after a number of intervals. A short interval fits more of them
/// into the check's time.
async fn alive_for_long(hasty: &TestContext) -> CheckResult {
    match answers_for_long(hasty).await {
        // A pong that was late once, on a busy machine, ends one connection and not two.
        Err(CheckError::Failed(_)) => answers_for_long(hasty).await,
        other => other,
    }
}

async fn answers_for_long(hasty: &TestContext) -> CheckResult {
    let mut client = hasty.join().await?;
    for _ in 0..13 {
        client.ping().await.map_err(|error| dropped_alive(&client, error))?;
    }
    Ok(())
}

/// A pong may come between two fragments of a message, as any control frame (section 5.4), and
/// counts.
async fn alive_in_a_message(client: &mut Client) -> CheckResult {
    client.send(Frame::unfinished(
        OpCode::Data(Data::Text),
        "a message whose rest is long in coming",
    ));
    for _ in 0..4 {
        match client.ping().await {
            // Another check, which requires this one, judges whether pings go on here.
            Err(error) if error.is(FailureKind::Silence) => break,
            asked => asked.map_err(|error| {
                dropped_alive(client, error).context("in the middle of its message in fragments, ")
            })?,
        };
    }
    Ok(())
}

pub(crate) fn dropped_alive(client: &Client, error: CheckError) -> CheckError {
    let CheckError::Failed(mut failure) = error else { return error };
    if failure.kind == FailureKind::Silence {
        // There was no ping to answer. Another check judges whether pings go on.
        return CheckError::Inconclusive(
            "pings stopped coming, so nothing could be seen of clients that answer them"
                .to_string(),
        );
    }
    if failure.kind == FailureKind::EndedEarly {
        failure.summary = "a client that answered every ping was dropped".to_string();
        failure.expected = "the connection stays open as long as pings are answered".to_string();
        failure.got = format!("it ended after {} answered pings", client.pings.len());
    }
    CheckError::Failed(failure)
}

pub(super) async fn dead(ctx: &mut TestContext) -> CheckResult {
    let (mut witness, mut another) = (ctx.join().await?, ctx.join().await?);
    let pair = ctx.join_many_mute(2).await?;
    let mut slow = ctx.join_mute().await?;
    let ctx = &*ctx;
    let both = async {
        let (mut pair, unanswered) = asked_at_once(ctx, pair).await?;
        let judging = [&mut witness, &mut another].into_iter().zip(&mut pair).zip(unanswered);
        // All clients are awaited, so that the reported failure does not depend on timing.
        let ended =
            judging.map(|((witness, silent), asked)| dropped_on_time(ctx, witness, silent, asked));
        let ended: Vec<Duration> = join_all(ended).await.into_iter().collect::<CheckResult<_>>()?;
        let soonest = ended.into_iter().min().expect("a pair");
        at_the_beat(ctx, &mut witness, pair.remove(0), soonest).await
    };
    let amid_a_beat = try_join(coming_amid_a_beat(ctx, 0.3), coming_amid_a_beat(ctx, 0.7));
    let (both, slow, amid_a_beat) = join3(both, answering_late(ctx, &mut slow), amid_a_beat).await;
    both.and(slow).and(amid_a_beat.map(|_| ()))
}

/// If one timer serves all clients, some join in the middle of its interval, and must have a full
/// interval as well. The phase of the timer is unknown. If two clients join not quite half an
/// interval apart, one of them joins then.
async fn coming_amid_a_beat(ctx: &TestContext, received: f64) -> CheckResult {
    metronome(ctx.beat.mul_f64(received)).tick().await;
    let (mut witness, mut silent) = try_join(ctx.join(), ctx.join_mute()).await?;
    judged(ctx, &mut witness, &mut silent).await.map(|_| ())
}

/// Fails if this client and others were disconnected too long after their ping. A single late
/// disconnect may be a stall.
async fn at_the_beat(
    ctx: &TestContext,
    witness: &mut Client,
    mut silent: Client,
    mut after: Duration,
) -> CheckResult {
    for _ in 0..2 {
        if promptly(ctx, witness, &silent, after).is_ok() {
            break;
        }
        silent = ctx.join_mute().await?;
        after = judged(ctx, witness, &mut silent).await?;
    }
    promptly(ctx, witness, &silent, after)
}

/// Fails if even the fastest disconnect came later than `PROMPT` intervals after the unanswered
/// ping.
pub(crate) fn promptly(
    ctx: &TestContext,
    witness: &Client,
    silent: &Client,
    soonest: Duration,
) -> CheckResult {
    if soonest <= ctx.beat.mul_f64(PROMPT) {
        return Ok(());
    }
    let what = "clients that answer no ping are dropped between two beats, too late";
    Err(not_at_the_beat(ctx, witness, silent, soonest, what))
}

/// Two clients that die at the same ping, since a sweep may find only one of them, and the time of
/// that ping.
async fn asked_at_once(
    ctx: &TestContext,
    mut pair: Vec<Client>,
) -> CheckResult<(Vec<Client>, Vec<Instant>)> {
    // A server may ping each client at its own time, so the number of attempts is limited.
    let mut tries = 4;
    loop {
        let unanswered: Vec<_> =
            join_all(pair.iter_mut().map(asked)).await.into_iter().collect::<CheckResult<_>>()?;
        let apart = unanswered[0].max(unanswered[1]) - unanswered[0].min(unanswered[1]);
        tries -= 1;
        if apart < ctx.beat / 2 || tries == 0 {
            return Ok((pair, unanswered));
        }
        // A sweep came between their joins.
        pair = ctx.join_many_mute(2).await?;
    }
}

/// A client with a slow connection: its pongs leave more than half an interval after the pings
/// came, and count.
pub(crate) async fn answering_late(ctx: &TestContext, client: &mut Client) -> CheckResult {
    let (_, mut payload) =
        client.ping_and_payload().await.map_err(|error| never_asked(client, error))?;
    for _ in 0..2 {
        metronome(ctx.beat.mul_f64(0.6)).tick().await;
        client.send(Frame::new(OpCode::Control(Control::Pong), payload));
        (_, payload) = client
            .ping_and_payload()
            .await
            .map_err(|error| dropped_for_late_pongs(client, error))?;
    }
    Ok(())
}

fn dropped_for_late_pongs(client: &Client, error: CheckError) -> CheckError {
    let CheckError::Failed(mut failure) = error else { return error };
    if failure.kind == FailureKind::EndedEarly {
        failure.summary =
            "a client was dropped although it answered, late in the interval".to_string();
        failure.expected =
            "a pong counts whenever it comes between one beat and the next".to_string();
        failure.got = "the end of the TCP connection".to_string();
        failure.mark = Some(Highlight::Last { connection: client.number() });
    }
    failure.into()
}

/// Waits until a client that never answers is pinged, and checks that it is disconnected one
/// interval later.
pub(super) async fn judged(
    ctx: &TestContext,
    witness: &mut Client,
    silent: &mut Client,
) -> CheckResult<Duration> {
    let unanswered = asked(silent).await?;
    dropped_on_time(ctx, witness, silent, unanswered).await
}

/// Returns the time of the first ping to the client that will not answer.
pub(crate) async fn asked(silent: &mut Client) -> CheckResult<Instant> {
    silent.ping().await.map_err(|error| never_asked(silent, error))
}

fn never_asked(client: &Client, error: CheckError) -> CheckError {
    let CheckError::Failed(mut failure) = error else { return error };
    if failure.kind == FailureKind::EndedEarly {
        failure.summary = "a client was dropped before it was ever asked".to_string();
        failure.expected = "a ping, then a full interval to answer it".to_string();
        failure.mark = Some(Highlight::Last { connection: client.number() });
    }
    CheckError::Failed(failure)
}

/// Checks that a client that left the ping at `unanswered` unanswered is disconnected one interval
/// later, as the witness counts. Returns the time from that ping to the disconnect.
pub(crate) async fn dropped_on_time(
    ctx: &TestContext,
    witness: &mut Client,
    silent: &mut Client,
    unanswered: Instant,
) -> CheckResult<Duration> {
    let mut ended = None;
    let mut beats = Vec::new();
    let numbers = [witness.number(), silent.number()];
    {
        let clock = async {
            // The witness's earlier pings do not count. Three pings from now is too late in any
            // case.
            while beats.len() < 3 {
                let ping = witness.ping().await?;
                if ping > unanswered {
                    beats.push(ping);
                }
            }
            Ok::<_, CheckError>(())
        };
        let end = async { ended = silent.end().await.ok() };
        tokio::pin!(end);
        tokio::select! {
            clock = clock => clock?,
            () = &mut end => {}
        }
    }
    let Some(ended) = ended else {
        let failure = silent
            .failure(FailureKind::StillOpen, "a client that answers no ping is not dropped")
            .expected(
                "the TCP connection ends at the beat after an unanswered ping",
                "it is still open three beats later",
            )
            .about(numbers)
            .at(Highlight::Last { connection: silent.number() });
        return Err(failure.into());
    };
    let after = ended - unanswered;
    let ratio = after.as_secs_f64() / ctx.beat.as_secs_f64();
    if (SHORTEST_GRACE..=LONGEST).contains(&ratio) {
        return Ok(after);
    }
    let what = if ratio < 1.0 {
        "a client is dropped before it had a full interval to answer"
    } else {
        "a client that answers no ping is dropped too late"
    };
    Err(not_at_the_beat(ctx, witness, silent, after, what))
}

fn not_at_the_beat(
    ctx: &TestContext,
    witness: &Client,
    silent: &Client,
    after: Duration,
    what: &str,
) -> CheckError {
    let ratio = after.as_secs_f64() / ctx.beat.as_secs_f64();
    let failure = silent
        .failure(FailureKind::WrongTiming, what)
        .expected(
            format!(
                "the end of the TCP connection one interval ({} ms) after the unanswered ping",
                ctx.beat.as_millis()
            ),
            format!("its end after {} ms ({ratio:.1} intervals)", after.as_millis()),
        )
        .about([witness.number(), silent.number()])
        .at(Highlight::Last { connection: silent.number() });
    failure.into()
}

pub(super) async fn neighbours(ctx: &mut TestContext) -> CheckResult {
    let mut before = vec![ctx.join().await?, ctx.join().await?];
    let mut silent = ctx.join_mute().await?;
    before.extend(ctx.join_many(2).await?);
    let mut neighbours = before;
    let tokens = ctx.tokens(3);
    let ctx = &*ctx;
    silent.ping().await?;
    let replaced = async {
        // Another check judges whether the disconnect is on time.
        for _ in 0..10 {
            match silent.next("the end").await {
                Ok(received) if matches!(received.event, ClientEvent::End(_)) => break,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        in_its_place(ctx).await
    };
    let tokens = &tokens;
    let living = join_all(neighbours.iter_mut().map(|client| async move {
        // Four pings: before, at and after the one at which the silent client is disconnected.
        client.ping().await?;
        let since = client.pings.len() - 1;
        for token in tokens {
            client.expect_only_ping().await.map_err(disturbed)?;
            client.exchange(token).await.map_err(disturbed)?;
        }
        for gap in client.pings[since..].windows(2) {
            beat_long(
                ctx,
                client,
                gap[1] - gap[0],
                "the neighbours' pings go on, one an interval",
            )?;
        }
        Ok::<_, CheckError>(())
    }));
    let (replaced, mut living) = join(replaced, living).await;
    let all = living.iter().all(Result::is_err);
    if living.iter().all(Result::is_ok) {
        living.push(replaced);
    }
    living.into_iter().collect::<CheckResult>().map_err(|error| match error {
        // Disconnecting one client too many is another mistake than disconnecting all.
        CheckError::Failed(failure) if all => {
            let summary = failure.summary.replace(SUFFERED, "and all others suffered");
            Failure { summary, ..*failure }.into()
        }
        other => other,
    })
}

/// A client that joins right after a disconnect must be served and pinged as any other.
async fn in_its_place(ctx: &TestContext) -> CheckResult {
    let mut newcomer = ctx.join().await.map_err(disturbed)?;
    let opened = Instant::now();
    newcomer.exchange("somebody new").await.map_err(disturbed)?;
    first_ping(ctx, &mut newcomer, opened).await.map_err(|error| match error {
        CheckError::Failed(failure) if failure.kind == FailureKind::EndedEarly => {
            let summary = "a client that took a dropped one's place was dropped without a ping";
            let expected = "a ping, then a full interval to answer it".to_string();
            Failure { summary: summary.to_string(), expected, ..*failure }.into()
        }
        other => other.context("right after another client was dropped, "),
    })
}

/// The headline of a failure of a living client.
const SUFFERED: &str = "and this one suffered";

fn disturbed(error: CheckError) -> CheckError {
    error.context(&format!("another client was dropped as dead, {SUFFERED}: ")).show_all_clients()
}

pub(super) async fn stalled(ctx: &mut TestContext) -> CheckResult {
    let mut witnesses = ctx.join_many(2).await?;
    let (mut talker, mut pinger) =
        try_join(ctx.join_narrow(), ctx.join_with_receive_buffer(2 * 1024)).await?;
    let token = ctx.token();
    let ctx = &*ctx;
    let [for_talker, for_pinger] = &mut witnesses[..] else { unreachable!("two have joined") };
    let replies = async {
        let connection = stop_reading(&talker);
        let dropped = dropped_though_stalled(for_talker, &connection, "a reply");
        tokio::select! {
            dropped = dropped => dropped,
            () = talk_on(ctx, &mut talker, &token) => unreachable!("the talk never ends"),
        }
    };
    let pings = async {
        let connection = stop_reading(&pinger);
        let dropped = dropped_though_stalled(for_pinger, &connection, "a ping");
        tokio::select! {
            dropped = dropped => dropped,
            () = ping_on(ctx, &mut pinger) => unreachable!("the pings never end"),
        }
    };
    // Both are awaited, so that the reported failure does not depend on timing.
    let (replies, pings) = join(replies, pings).await;
    replies.and(pings)?;
    // A disconnected witness would be a failure, too.
    for witness in &mut witnesses {
        witness.ping().await.map_err(disturbed)?;
        witness.exchange(&token).await?;
    }
    Ok(())
}

/// From now on the client reads nothing, and answers no ping.
fn stop_reading(client: &Client) -> Arc<Connection> {
    client.stop_answering_pings();
    client.connection.stop_reading();
    client.connection.clone()
}

/// Checks that a connection on which the server's write blocks is closed within about five
/// intervals, as the witness counts.
async fn dropped_though_stalled(
    witness: &mut Client,
    stalled: &Connection,
    write: &str,
) -> CheckResult {
    let began = Instant::now();
    let clock = async {
        // The first ping may come at once, and the sixth more than five intervals later.
        for _ in 0..6 {
            witness.ping().await.map_err(disturbed)?;
        }
        Ok::<_, CheckError>(())
    };
    tokio::select! {
        _ = stalled.wait_until_lost() => Ok(()),
        clock = clock => {
            clock?;
            let summary = format!("a client that stopped reading is not dropped while {write} to it hangs");
            let failure = Failure::new(FailureKind::StillOpen, summary)
                .expected(
                    "the TCP connection is given up although the server's write hangs",
                    format!("it is still open after five intervals ({} ms)", began.elapsed().as_millis()),
                )
                .about([stalled.number()])
                .at(Highlight::Last { connection: stalled.number() });
            Err(failure.into())
        }
    }
}

/// Sends messages until the server's replies block, and then more, to notice the disconnect.
async fn talk_on(ctx: &TestContext, client: &mut Client, token: &str) {
    // Systems buffer up to 4 MiB for a connection. Much more would only burden a server that can
    // buffer all of it.
    let long = format!("{token} {}", "x".repeat(64 * 1024));
    for _ in 0..96 {
        client.send_text(long.as_str());
        client.wait_until_sent(0).await;
    }
    let mut pace = metronome(ctx.beat / 10);
    loop {
        client.send_text("x");
        pace.tick().await;
    }
}

/// Fills the buffers with pongs, which libraries send by themselves. No reply is being written when
/// the server's ping is due.
async fn ping_on(ctx: &TestContext, client: &mut Client) {
    let ping = Frame::new(OpCode::Control(Control::Ping), vec![b'x'; 125]).masked(rand::random());
    // Linux buffers up to 80 KB for such a small receive buffer: 630 pongs.
    client.send_bytes(ping.encode().repeat(2_000));
    // A pong follows. If any pong counts, the client is found dead only after a ping has met full
    // buffers.
    client.send(Frame::new(OpCode::Control(Control::Pong), ""));
    let mut pace = metronome(ctx.beat / 10);
    loop {
        pace.tick().await;
        client.send_bytes(ping.encode());
    }
}
