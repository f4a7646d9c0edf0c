//! When pings come.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all, try_join, try_join_all};
use rand::RngExt;

use super::{
    GAPS, IRREGULAR, LATEST_FIRST, LONGEST, LONGEST_MEAN, MOST_GAPS, SHORTEST, SHORTEST_MEAN,
    SUSPICIOUS, TYPICAL, metronome,
};
use harness::client::{Client, ClientEvent, RESPONSE_TIMEOUT, reply_to, timeout_on_busy_host};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind, Fundamental};
use harness::wire::frame::{Control, Data, Frame, OpCode};
use harness::wire::transcript::Highlight;

/// Waits for the first ping of a client that opened then, and fails if it comes more than a quarter
/// of an interval late.
///
/// There are no other pings to compare with, so this machine's clock decides, if the machine is
/// quiet.
pub(crate) async fn first_ping(
    ctx: &TestContext,
    client: &mut Client,
    opened: Instant,
) -> CheckResult {
    let patience = ctx.beat.mul_f64(LONGEST).max(RESPONSE_TIMEOUT / 2);
    let after = match timeout_on_busy_host(patience, client.ping()).await {
        Some(ping) => ping? - opened,
        None => patience,
    };
    if after <= ctx.beat.mul_f64(LATEST_FIRST) {
        return Ok(());
    }
    let late = after.saturating_sub(ctx.beat);
    if ctx.delays_since(opened) >= late {
        return Err(CheckError::HostBusy(format!(
            "this machine is too busy to say whether a first ping is {} ms late",
            late.as_millis()
        )));
    }
    let got = if ping_came(client) {
        let ratio = after.as_secs_f64() / ctx.beat.as_secs_f64();
        format!("it came after {} ms ({ratio:.1} intervals)", after.as_millis())
    } else {
        format!("none in {} ms", after.as_millis())
    };
    let failure = client
        .failure(FailureKind::WrongTiming, "the first ping does not come within about one interval")
        .expected(format!("a ping within about {} ms of opening", ctx.beat.as_millis()), got)
        .at(Highlight::Last { connection: client.number() });
    // Several intervals without any ping are not a delay.
    let certain = !ping_came(client) && patience > ctx.beat * 4;
    Err(Failure { certain, ..failure }.into())
}

fn ping_came(client: &Client) -> bool {
    !client.pings.is_empty()
}

pub(crate) async fn pings(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(2).await?;
    // A connection is open after its handshake. The duration of the handshake does not count.
    let opened = Instant::now();
    let first = try_join_all(clients.iter_mut().map(|client| first_ping(ctx, client, opened)));
    first.await.fundamental()?;
    ctx.gate_passed();
    // More clients than some servers have room for.
    let count = ctx.rng.random_range(13..17);
    let ctx = &*ctx;
    clients.extend(joined_through_an_interval(ctx, count).await?);
    once_all_have_left(ctx, clients).await
}

/// A client that joined and got its first ping in time.
struct Arrival {
    client: Client,
    /// The server opened the connection between these two times.
    asked: Instant,
    opened: Instant,
}

/// Clients join one after the other during one interval, and each must get its first ping in time.
///
/// If one timer serves all clients, some of them join just before its next tick.
async fn joined_through_an_interval(ctx: &TestContext, count: u32) -> CheckResult<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..3 {
        let arrivals = (1..=count).map(|n| async move {
            metronome(ctx.beat * n / (count - 1)).tick().await;
            let asked = Instant::now();
            let mut client = ctx.join().await?;
            let opened = Instant::now();
            first_ping(ctx, &mut client, opened).await?;
            Ok(Arrival { client, asked, opened })
        });
        // All clients are awaited, so that the reported failure does not depend on timing.
        let arrivals: CheckResult<Vec<Arrival>> = join_all(arrivals).await.into_iter().collect();
        let arrivals =
            arrivals.map_err(|error| error.context("with others connected already, "))?;
        let conclusive = came_at_all_moments(ctx, &arrivals);
        clients.extend(arrivals.into_iter().map(|arrival| arrival.client));
        if conclusive {
            return Ok(clients);
        }
    }
    Err(CheckError::HostBusy(
        "this machine is too busy to let clients join all through an interval".to_string(),
    ))
}

/// Returns true if a client joined in every quarter of an interval, and got its ping in time
/// counted from its request.
///
/// A busy machine lets all clients join at once, and makes a late ping look like one in time.
fn came_at_all_moments(ctx: &TestContext, arrivals: &[Arrival]) -> bool {
    let in_time = arrivals.iter().all(|Arrival { client, asked, .. }| {
        let latest = *asked + ctx.beat.mul_f64(LATEST_FIRST);
        client.pings.first().is_some_and(|ping| *ping <= latest)
    });
    let close = arrivals.windows(2).all(|pair| pair[1].opened - pair[0].asked <= ctx.beat / 4);
    in_time && close
}

/// Fails if a timer that stopped with the last client does not start again with the next.
async fn once_all_have_left(ctx: &TestContext, clients: Vec<Client>) -> CheckResult {
    join_all(clients.into_iter().map(|client| ctx.leave(client))).await;
    ctx.wait_for_disconnects(0).await;
    without_clients(ctx).await?;
    let mut newcomer = ctx.join().await?;
    let opened = Instant::now();
    let first = first_ping(ctx, &mut newcomer, opened).await;
    first.map_err(|error| error.context("once all others had left, "))
}

/// Lets more than an interval pass without any client. Some timers notice that only at their next
/// tick.
async fn without_clients(ctx: &TestContext) -> CheckResult {
    for _ in 0..3 {
        let (began, starved) = (Instant::now(), ctx.run_queue_delay());
        metronome(ctx.beat.mul_f64(1.3)).tick().await;
        // With a shorter delay, the server's tick was not late enough to meet the next client.
        if ctx.delays_since(began).saturating_sub(starved) <= ctx.beat / 4 {
            return Ok(());
        }
    }
    Err(CheckError::HostBusy(
        "this machine is too busy to say whether a server without clients got to its tick"
            .to_string(),
    ))
}

pub(super) async fn steady(ctx: &mut TestContext) -> CheckResult {
    let (busy_place, mut clients) = try_join(ctx.second_server(), ctx.join_many(2)).await?;
    let quiet_place = &*ctx;
    let quiet = try_join_all(clients.iter_mut().map(|client| async move {
        let first = client.ping().await?;
        steadily(quiet_place, client, first).await
    }));
    // An error that occurs without other clients as well is not caused by them.
    if let Some(busy_place) = &busy_place {
        let (quiet, in_company) = join(quiet, while_others_come_and_go(busy_place)).await;
        return quiet.map(|_| ()).and(in_company);
    }
    quiet.await?;
    ctx.restart_server().await?;
    while_others_come_and_go(ctx).await
}

/// Fails if a client that joins resets another client's timer, or a client that leaves stops it.
async fn while_others_come_and_go(ctx: &TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let first = client.ping().await?;
    tokio::select! {
        steady = steadily(ctx, &mut client, first) => {
            steady.map_err(|error| error.context("while others come and go, ").recorded_by(&ctx.recorder))
        }
        () = visits(ctx) => unreachable!("the visits never end"),
    }
}

/// Clients join and leave, more often than pings come. Other checks judge their own messages.
pub(crate) async fn visits(ctx: &TestContext) {
    let mut pace = metronome(ctx.beat.mul_f64(0.4));
    loop {
        pace.tick().await;
        if let Ok(visitor) = ctx.join().await {
            ctx.leave(visitor).await;
        }
    }
}

/// Fails unless the pings after the first come at regular intervals.
async fn steadily(ctx: &TestContext, client: &mut Client, first: Instant) -> CheckResult {
    let mut gaps = gaps(ctx, client, first, 0..GAPS).await?;
    // A few gaps may be irregular because the machine is busy, or regular by chance. More gaps
    // decide.
    while typical_deviation(&gaps) > ctx.beat.mul_f64(SUSPICIOUS) {
        if gaps.len() >= MOST_GAPS {
            regularly(ctx, client, first, &gaps)?;
            break;
        }
        let last = first + gaps.iter().sum::<Duration>();
        gaps.extend(self::gaps(ctx, client, last, gaps.len()..gaps.len() + 2).await?);
    }
    on_the_average(ctx, client, gaps.iter().sum(), gaps.len())
}

/// Returns the gaps between the next pings, numbered from `first`, each of about one interval.
async fn gaps(
    ctx: &TestContext,
    client: &mut Client,
    mut last: Instant,
    numbers: Range<usize>,
) -> CheckResult<Vec<Duration>> {
    let mut gaps = Vec::new();
    for n in numbers {
        let ping = timeout_on_busy_host(
            ctx.beat.mul_f64(LONGEST).max(RESPONSE_TIMEOUT / 2),
            client.ping(),
        )
        .await;
        let now = match ping {
            Some(now) => now?,
            None => Instant::now(),
        };
        let expected = format!("ping {} comes one interval after ping {}", n + 2, n + 1);
        beat_long(ctx, client, now - last, &expected)?;
        gaps.push(now - last);
        last = now;
    }
    Ok(gaps)
}

/// Returns the median distance from the median gap. A stall changes two gaps, and the median
/// hardly.
fn typical_deviation(gaps: &[Duration]) -> Duration {
    let median = |mut durations: Vec<Duration>| {
        durations.sort_unstable();
        durations[durations.len() / 2]
    };
    let middle = median(gaps.to_vec());
    median(gaps.iter().map(|gap| gap.abs_diff(middle)).collect())
}

/// Fails if the gaps, the first of which began at `first`, differ by too large a standard
/// deviation.
fn regularly(ctx: &TestContext, client: &Client, first: Instant, gaps: &[Duration]) -> CheckResult {
    let beats: Vec<f64> =
        gaps.iter().map(|gap| gap.as_secs_f64() / ctx.beat.as_secs_f64()).collect();
    let count = beats.len() as f64;
    let mean = beats.iter().sum::<f64>() / count;
    let variance = beats.iter().map(|beat| (beat - mean).powi(2)).sum::<f64>() / count;
    if variance.sqrt() <= IRREGULAR {
        return Ok(());
    }
    // A few stalls make a large deviation, but no large typical one. A delayed ping makes two gaps
    // irregular.
    let typical = typical_deviation(gaps);
    let explained = ctx.typical_delay_since(first, gaps.len()) * 2;
    if typical <= explained.max(ctx.beat.mul_f64(TYPICAL)) {
        return Err(CheckError::HostBusy(
            "this machine is too busy to say whether pings come at regular intervals".to_string(),
        ));
    }
    let millis = |gap: Option<&Duration>| gap.map_or(0, Duration::as_millis);
    let failure = client
        .failure(FailureKind::WrongTiming, "pings come at irregular intervals")
        .expected(
            format!("one interval ({} ms) from each ping to the next", ctx.beat.as_millis()),
            format!(
                "{} gaps of {} to {} ms",
                gaps.len(),
                millis(gaps.iter().min()),
                millis(gaps.iter().max())
            ),
        )
        .at(Highlight::Last { connection: client.number() });
    Err(Failure { certain: true, ..failure }.into())
}

/// Checks the mean of several gaps. A stall lengthens one gap, and their mean only a little.
pub(crate) fn on_the_average(
    ctx: &TestContext,
    client: &Client,
    sum: Duration,
    gaps: usize,
) -> CheckResult {
    let mean = sum / u32::try_from(gaps).unwrap_or(u32::MAX);
    let ratio = mean.as_secs_f64() / ctx.beat.as_secs_f64();
    if (SHORTEST_MEAN..=LONGEST_MEAN).contains(&ratio) {
        return Ok(());
    }
    let what = if ratio < 1.0 { "pings come too often" } else { "pings come too seldom" };
    Err(out_of_time(
        ctx,
        client,
        mean,
        what,
        "on the average of several, one interval from ping to ping",
    ))
}

/// Checks that a gap is about one interval long.
pub(crate) fn beat_long(
    ctx: &TestContext,
    client: &Client,
    gap: Duration,
    expected: &str,
) -> CheckResult {
    let ratio = gap.as_secs_f64() / ctx.beat.as_secs_f64();
    if (SHORTEST..=LONGEST).contains(&ratio) {
        return Ok(());
    }
    let what = if ratio < 1.0 {
        "two pings come in less than an interval"
    } else {
        "a ping is missing, or much too late"
    };
    Err(out_of_time(ctx, client, gap, what, expected))
}

fn out_of_time(
    ctx: &TestContext,
    client: &Client,
    gap: Duration,
    what: &str,
    expected: &str,
) -> CheckError {
    let ratio = gap.as_secs_f64() / ctx.beat.as_secs_f64();
    let failure = client
        .failure(FailureKind::WrongTiming, what)
        .expected(
            format!("{expected}: {} ms", ctx.beat.as_millis()),
            format!("{} ms ({ratio:.1} intervals)", gap.as_millis()),
        )
        .at(Highlight::Last { connection: client.number() });
    failure.into()
}

pub(super) async fn interval(ctx: &mut TestContext) -> CheckResult {
    // Too long for a second ping. In sixteen bits it would overflow to a fifth of a second.
    let long = Duration::from_millis(65_536 + 200);
    let mut clock = ctx.join().await?;
    let Some(patient) = ctx.second_server_with(long).await? else {
        // One after the other, because the server can run only once at a time.
        beats_on(&mut clock).await?;
        ctx.restart_server_with(long).await?;
        return no_early_pings(ctx, long).await;
    };
    // A second server sends pings in the meantime. Without it, the absence of pings would show
    // nothing.
    let (clock, judged) = join(beats_on(&mut clock), no_early_pings(&patient, long)).await;
    judged.map_err(|error| error.recorded_by(&patient.recorder)).and(clock)
}

/// Fails if clients of a server with this long interval get a ping, except for one at opening.
async fn no_early_pings(patient: &TestContext, long: Duration) -> CheckResult {
    let mut clients = patient.join_many(2).await?;
    let mut talker = patient.join().await?;
    passes(&mut talker, patient.beat).await?;
    let opening: Vec<usize> = clients.iter_mut().map(new_pings).collect();
    passes(&mut talker, patient.beat.mul_f64(4.5).max(Duration::from_millis(1_050))).await?;
    for (client, opening) in clients.iter_mut().zip(opening) {
        let early = new_pings(client);
        if opening > 1 || early > 0 {
            let failure = client
                .failure(FailureKind::WrongTiming, "pings come although the interval is long")
                .expected(
                    format!(
                        "with HEARTBEAT_INTERVAL_MS={}: no ping so soon (one right at opening is allowed)",
                        long.as_millis()
                    ),
                    format!("{} pings in {} ms", opening + early, patient.server.started.elapsed().as_millis()),
                )
                .about(Vec::new());
            // One ping at opening may have been due and late. A delay does not make two.
            let certain = opening + early > 1;
            return Err(Failure { certain, ..failure }.into());
        }
        client.exchange("still there?").await?;
    }
    Ok(())
}

/// Waits until this time has passed for the server, too: in small steps, after each of which it
/// answers a client.
///
/// A stall of the whole machine shortens one step. By a clock alone, the server might have had no
/// turn at all.
async fn passes(talker: &mut Client, time: Duration) -> CheckResult {
    const STEP: Duration = Duration::from_millis(50);
    for _ in 0..time.as_millis().div_ceil(STEP.as_millis()) {
        metronome(STEP).tick().await;
        talker.exchange("still there?").await?;
    }
    Ok(())
}

/// Returns the number of pings since the last call.
fn new_pings(client: &mut Client) -> usize {
    client.drain().iter().filter(|received| matches!(received.event, ClientEvent::Ping(_))).count()
}

/// Checks that a server with the usual interval pings a client.
async fn beats_on(clock: &mut Client) -> CheckResult {
    for _ in 0..5 {
        clock.ping().await.map_err(moot)?;
    }
    Ok(())
}

/// Without pings to compare with there is no verdict. Another check judges why they are missing.
fn moot(error: CheckError) -> CheckError {
    match error {
        CheckError::Failed(failure) => CheckError::Inconclusive(format!(
            "there was no beat to compare with: {}",
            failure.summary
        )),
        other => other,
    }
}

pub(super) async fn busy(ctx: &mut TestContext) -> CheckResult {
    let (mut quiet, mut busy) = try_join(ctx.join(), ctx.join()).await?;
    let mut others = ctx.join_many(OTHER_TRAFFIC.len()).await?;
    let mut in_a_message = ctx.join().await?;
    let tokens = ctx.tokens(400);
    let (first_word, last_word) = (ctx.token(), ctx.token());
    let message = [
        Frame::unfinished(OpCode::Data(Data::Text), first_word.as_str()),
        Frame::new(OpCode::Data(Data::Continue), last_word.as_str()),
    ];
    in_a_message.send(message[0].clone());
    let mut pace = metronome(ctx.beat / 10);
    let beats = 5;
    let counting = async {
        for _ in 0..beats {
            quiet.ping().await?;
        }
        Ok::<_, CheckError>(())
    };
    let mouths: Vec<_> = others.iter().map(Client::frame_sender).collect();
    let talking = async {
        for (n, token) in tokens.iter().enumerate() {
            busy.exchange(token).await?;
            if n % 3 == 0 {
                for (mouth, (_, opcode, _)) in mouths.iter().zip(OTHER_TRAFFIC) {
                    mouth.send(Frame::new(*opcode, "unasked"));
                }
            }
            pace.tick().await;
        }
        std::future::pending::<CheckResult>().await
    };
    tokio::select! {
        counted = counting => counted?,
        talked = talking => talked?,
    }
    busy.send_text(last_word.as_str());
    as_many_pings(&mut busy, &last_word, beats, "a client that talks").await?;
    for (client, (who, opcode, hint)) in others.iter_mut().zip(OTHER_TRAFFIC) {
        client.send_text(last_word.as_str());
        let as_many = as_many_pings(client, &last_word, beats, who).await;
        let as_many = as_many.map_err(|error| error.hint_for(FailureKind::WrongTiming, hint));
        if_understood(ctx, &[Frame::new(*opcode, last_word.as_str())], as_many).await?;
    }
    in_a_message.send(message[1].clone());
    let who = "a client in the middle of its message in fragments";
    let as_many = as_many_pings(&mut in_a_message, &(first_word + &last_word), beats, who).await;
    if_understood(ctx, &message, as_many).await
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
    let text: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.iter().copied()).collect();
    let mut client = ctx.join().await?;
    client.send_all(frames.iter().cloned());
    let understood = client.expect_reply(&String::from_utf8_lossy(&text)).await;
    if understood.is_ok() { judged } else { Ok(()) }
}

/// Clients that send other frames: the client, the frame, and advice if it changes the client's
/// pings. An unsolicited pong is legal, and answers nothing (section 5.5.3).
const OTHER_TRAFFIC: &[(&str, OpCode, &str)] = &[
    (
        "a client that sends pongs unasked",
        OpCode::Control(Control::Pong),
        "A pong sets the flag and nothing else: the interval goes by its own clock.",
    ),
    (
        "a client that sends pings",
        OpCode::Control(Control::Ping),
        "Leave the client's pings to the library, which answers them: your interval goes by its own clock.",
    ),
    (
        "a client that sends binary messages",
        OpCode::Data(Data::Binary),
        "A binary message sets nothing back: the interval goes by its own clock.",
    ),
];

/// Counts the pings up to the reply to the last message. One ping more or less may still be on its
/// way.
async fn as_many_pings(
    client: &mut Client,
    last_word: &str,
    beats: usize,
    who: &str,
) -> CheckResult {
    while client.text("the reply to the last word").await? != reply_to(last_word) {}
    as_many(client, beats, who)
}

/// Checks the number of pings, give or take one.
pub(crate) fn as_many(client: &Client, beats: usize, who: &str) -> CheckResult {
    let heard = client.pings.len();
    let more = heard > beats + 1;
    if more || heard + 1 < beats {
        let what = if more { "gets more pings" } else { "gets fewer pings" };
        let failure = client
            .failure(FailureKind::WrongTiming, format!("{who} {what} than one that is quiet"))
            .expected(
                format!("{beats} pings, give or take one, as a quiet client got in the same time"),
                format!("{heard} pings"),
            );
        return Err(failure.into());
    }
    Ok(())
}
