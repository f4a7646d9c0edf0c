//! When pings come.

use std::time::{Duration, Instant};

use futures_util::future::{join, try_join, try_join_all};
use rand::RngExt;

use super::{LONGEST, LONGEST_MEAN, SHORTEST, SHORTEST_MEAN, metronome};
use crate::arena::Arena;
use crate::client::{Client, Heard, PATIENCE, reply_to, within};
use crate::verdict::{Checked, Fundamental, Kind, Trouble};
use crate::wire::frame::{Control, Data, Frame, OpCode};
use crate::wire::transcript::Mark;

/// Waits for a ping; its absence is judged by the clock of this machine, since there is no other yet.
pub(in crate::checks) async fn first_ping(
    arena: &Arena,
    client: &mut Client,
    opened: Instant,
) -> Checked {
    let limit = arena.beat.mul_f64(LONGEST);
    let patience = limit.max(PATIENCE / 2);
    let late = match within(patience, client.ping()).await {
        Some(ping) => {
            let late = ping? - opened;
            if late <= limit {
                return Ok(());
            }
            late
        }
        None => patience,
    };
    let got = if ping_came(client) {
        format!("it came after {} ms", late.as_millis())
    } else {
        format!("none in {} ms", late.as_millis())
    };
    let failure = client
        .failure(Kind::WrongTiming, "the first ping does not come within about one interval")
        .expected(format!("a ping within about {} ms of opening", arena.beat.as_millis()), got)
        .at(Mark::Last { connection: client.number() });
    Err(failure.into())
}

fn ping_came(client: &Client) -> bool {
    !client.pings.is_empty()
}

pub(in crate::checks) async fn pings(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(2).await?;
    // A connection is open once its handshake is over; what that took is not the heartbeat's doing.
    let opened = Instant::now();
    let first = try_join_all(clients.iter_mut().map(|client| first_ping(arena, client, opened)));
    first.await.fundamental()?;
    arena.sound();
    // Some who come in the middle of a beat of the others, and are more than a server may be prepared for.
    metronome(arena.beat / 3).tick().await;
    let count = arena.rng.random_range(11..16);
    let mut late = arena.join_many(count).await?;
    let opened = Instant::now();
    let arena = &*arena;
    try_join_all(late.iter_mut().map(|client| first_ping(arena, client, opened))).await.map(|_| ())
}

pub(super) async fn steady(arena: &mut Arena) -> Checked {
    let (busy_place, mut clients) = try_join(arena.alike(), arena.join_many(2)).await?;
    let quiet_place = &*arena;
    let quiet = try_join_all(clients.iter_mut().map(|client| async move {
        let first = client.ping().await?;
        steadily(quiet_place, client, first, 7).await
    }));
    // What goes wrong without company as well is not its doing.
    if let Some(busy_place) = &busy_place {
        let (quiet, in_company) = join(quiet, while_others_come_and_go(busy_place)).await;
        return quiet.map(|_| ()).and(in_company);
    }
    quiet.await?;
    arena.anew().await?;
    while_others_come_and_go(arena).await
}

/// No client's timer is another's: who comes does not set it back, and who leaves does not stop it.
async fn while_others_come_and_go(arena: &Arena) -> Checked {
    let mut client = arena.join().await?;
    let first = client.ping().await?;
    tokio::select! {
        steady = steadily(arena, &mut client, first, 4) => {
            steady.map_err(|trouble| trouble.amid("while others come and go, ").seen_by(&arena.tap))
        }
        () = visits(arena) => unreachable!("the visits never end"),
    }
}

/// Others come and go, more often than the heart beats. How they fare is other checks' business.
pub(in crate::checks) async fn visits(arena: &Arena) {
    let mut pace = metronome(arena.beat.mul_f64(0.4));
    loop {
        pace.tick().await;
        if let Ok(visitor) = arena.join().await {
            arena.leave(visitor).await;
        }
    }
}

/// The next pings, up to so many with the first, come one a beat.
async fn steadily(arena: &Arena, client: &mut Client, first: Instant, count: usize) -> Checked {
    let mut last = first;
    let mut sum = Duration::ZERO;
    for n in 2..=count {
        let ping = within(arena.beat.mul_f64(LONGEST).max(PATIENCE / 2), client.ping()).await;
        let now = match ping {
            Some(now) => now?,
            None => Instant::now(),
        };
        let gap = now - last;
        beat_long(
            arena,
            client,
            gap,
            &format!("ping {n} comes one interval after ping {}", n - 1),
        )?;
        last = now;
        sum += gap;
    }
    on_the_average(arena, client, sum, count - 1)
}

/// So many gaps took so long together. A stall lengthens one of them, and their mean by little.
pub(in crate::checks) fn on_the_average(
    arena: &Arena,
    client: &Client,
    sum: Duration,
    gaps: usize,
) -> Checked {
    let mean = sum / u32::try_from(gaps).unwrap_or(u32::MAX);
    let ratio = mean.as_secs_f64() / arena.beat.as_secs_f64();
    if (SHORTEST_MEAN..=LONGEST_MEAN).contains(&ratio) {
        return Ok(());
    }
    let what = if ratio < 1.0 { "pings come too often" } else { "pings come too seldom" };
    Err(out_of_time(
        arena,
        client,
        mean,
        what,
        "on the average of several, one interval from ping to ping",
    ))
}

/// A gap is as long as a beat, or nearly.
pub(in crate::checks) fn beat_long(
    arena: &Arena,
    client: &Client,
    gap: Duration,
    expected: &str,
) -> Checked {
    let ratio = gap.as_secs_f64() / arena.beat.as_secs_f64();
    if (SHORTEST..=LONGEST).contains(&ratio) {
        return Ok(());
    }
    let what = if ratio < 1.0 {
        "two pings come in less than an interval"
    } else {
        "a ping is missing, or much too late"
    };
    Err(out_of_time(arena, client, gap, what, expected))
}

fn out_of_time(
    arena: &Arena,
    client: &Client,
    gap: Duration,
    what: &str,
    expected: &str,
) -> Trouble {
    let ratio = gap.as_secs_f64() / arena.beat.as_secs_f64();
    let failure = client
        .failure(Kind::WrongTiming, what)
        .expected(
            format!("{expected}: {} ms", arena.beat.as_millis()),
            format!("{} ms ({ratio:.1} intervals)", gap.as_millis()),
        )
        .at(Mark::Last { connection: client.number() });
    failure.into()
}

pub(super) async fn interval(arena: &mut Arena) -> Checked {
    // A beat so long that none may be seen, against one that is seen to go on: five beats and more than a second.
    // In sixteen bits it would be a fifth of a second.
    let long = Duration::from_millis(65_536 + 200);
    let while_it_goes_on = arena.beat.mul_f64(4.5).max(Duration::from_millis(1_050));
    let mut clock = arena.join().await?;
    let Some(patient) = arena.another(long).await? else {
        // One after the other, and the second by the clock of this machine.
        beats_on(&mut clock, while_it_goes_on).await?;
        arena.anew_with(long).await?;
        let mut clients = arena.join_many(2).await?;
        metronome(arena.beat / 2).tick().await;
        let opening = at_opening(&mut clients);
        metronome(while_it_goes_on).tick().await;
        return no_early_pings(arena, &mut clients, &opening, long).await;
    };
    let mut clients = patient.join_many(2).await?;
    // A clock that itself begins right at opening is asked again: its first ping may overtake the one that is on its way
    // to the others.
    beats_on(&mut clock, arena.beat / 2).await?;
    // What has come until now came right at opening.
    let opening = at_opening(&mut clients);
    beats_on(&mut clock, while_it_goes_on).await?;
    let judged = no_early_pings(&patient, &mut clients, &opening, long).await;
    judged.map_err(|trouble| trouble.seen_by(&patient.tap))
}

fn at_opening(clients: &mut [Client]) -> Vec<usize> {
    clients.iter_mut().map(early_pings).collect()
}

async fn no_early_pings(
    patient: &Arena,
    clients: &mut [Client],
    opening: &[usize],
    long: Duration,
) -> Checked {
    for (client, &opening) in clients.iter_mut().zip(opening) {
        let early = early_pings(client);
        if opening > 1 || early > 0 {
            let failure = client
                .failure(Kind::WrongTiming, "pings come although the interval is long")
                .expected(
                    format!(
                        "with HEARTBEAT_INTERVAL_MS={}: no ping so soon (one right at opening is allowed)",
                        long.as_millis()
                    ),
                    format!("{} pings in {} ms", opening + early, patient.server.started.elapsed().as_millis()),
                )
                .about(Vec::new());
            return Err(failure.into());
        }
        client.exchange("still there?").await?;
    }
    Ok(())
}

/// Pings go on coming for so long.
async fn beats_on(clock: &mut Client, time: Duration) -> Checked {
    let began = Instant::now();
    while began.elapsed() < time {
        clock.ping().await.map_err(moot)?;
    }
    Ok(())
}

/// Without a beat to compare with nothing can be said; what ails it is another check's business.
fn moot(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Failed(failure) => {
            Trouble::Unknown(format!("there was no beat to compare with: {}", failure.summary))
        }
        other => other,
    }
}

fn early_pings(client: &mut Client) -> usize {
    client.overheard().iter().filter(|moment| matches!(moment.heard, Heard::Ping(_))).count()
}

pub(super) async fn busy(arena: &mut Arena) -> Checked {
    let (mut quiet, mut busy) = try_join(arena.join(), arena.join()).await?;
    let mut others = arena.join_many(OTHER_TRAFFIC.len()).await?;
    let mut in_a_message = arena.join().await?;
    let tokens = arena.tokens(400);
    let (first_word, last_word) = (arena.token(), arena.token());
    let message = [
        Frame::unfinished(OpCode::Data(Data::Text), first_word.as_str()),
        Frame::new(OpCode::Data(Data::Continue), last_word.as_str()),
    ];
    in_a_message.send(message[0].clone());
    let mut pace = metronome(arena.beat / 10);
    let beats = 5;
    let counting = async {
        for _ in 0..beats {
            quiet.ping().await?;
        }
        Ok::<_, Trouble>(())
    };
    let mouths: Vec<_> = others.iter().map(Client::mouth).collect();
    let talking = async {
        for (n, token) in tokens.iter().enumerate() {
            busy.exchange(token).await?;
            if n % 3 == 0 {
                for (mouth, (_, opcode, _)) in mouths.iter().zip(OTHER_TRAFFIC) {
                    mouth.say(Frame::new(*opcode, "unasked"));
                }
            }
            pace.tick().await;
        }
        std::future::pending::<Checked>().await
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
        let as_many = as_many.map_err(|trouble| trouble.advised(Kind::WrongTiming, hint));
        if_understood(arena, &[Frame::new(*opcode, last_word.as_str())], as_many).await?;
    }
    in_a_message.send(message[1].clone());
    let who = "a client in the middle of its message in fragments";
    let as_many = as_many_pings(&mut in_a_message, &(first_word + &last_word), beats, who).await;
    if_understood(arena, &message, as_many).await
}

/// What was found of a client that sends such frames, if a message of these is answered at all: what becomes of it is a
/// matter of `echo`, and not asked for here.
pub(super) async fn if_understood(arena: &Arena, frames: &[Frame], judged: Checked) -> Checked {
    let message = frames.iter().all(|frame| matches!(frame.opcode, OpCode::Data(_)));
    if !message || !matches!(judged, Err(Trouble::Failed(_))) {
        return judged;
    }
    let text: Vec<u8> = frames.iter().flat_map(|frame| frame.payload.iter().copied()).collect();
    let mut client = arena.join().await?;
    client.send_all(frames.iter().cloned());
    let understood = client.expect_reply(&String::from_utf8_lossy(&text)).await;
    if understood.is_ok() { judged } else { Ok(()) }
}

/// What else a client may send: who it is, what it sends, and advice where that changes its pings. A pong that nobody
/// asked for is legal, and no answer to anything (section 5.5.3).
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

/// Up to the reply to its last word, so many pings; one may be on its way to the one client as to the other.
async fn as_many_pings(client: &mut Client, last_word: &str, beats: usize, who: &str) -> Checked {
    while client.text("the reply to the last word").await? != reply_to(last_word) {}
    as_many(client, beats, who)
}

/// So many pings, give or take one.
pub(in crate::checks) fn as_many(client: &Client, beats: usize, who: &str) -> Checked {
    let heard = client.pings.len();
    let more = heard > beats + 1;
    if more || heard + 1 < beats {
        let what = if more { "gets more pings" } else { "gets fewer pings" };
        let failure = client
            .failure(Kind::WrongTiming, format!("{who} {what} than one that is quiet"))
            .expected(
                format!("{beats} pings, give or take one, as a quiet client got in the same time"),
                format!("{heard} pings"),
            );
        return Err(failure.into());
    }
    Ok(())
}
