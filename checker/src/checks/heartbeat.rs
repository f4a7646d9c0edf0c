//! The checks of `heartbeat`.
//!
//! Their clock is the server's own: a healthy witness counts its pings, and "by the witness's second ping
//! from now" is a deadline on any machine. What is judged by time is judged against the length of that beat.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all, try_join, try_join_all};

use super::{Check, LEAST, check, echo};
use crate::arena::Arena;
use crate::client::{Client, Heard, PATIENCE, reply_to, within};
use crate::evidence::Least;
use crate::exercise::Exercise::Heartbeat;
use crate::verdict::{Checked, Failure, Fundamental, Kind, Trouble};
use crate::wire::frame::{Control, Data, Frame, OpCode};
use crate::wire::transcript::Mark;

/// What a beat may be shorter or longer than it should, as a share of itself.
const SHORTEST: f64 = 0.55;
const LONGEST: f64 = 1.6;
/// A client has a full interval to answer; half of one is a mistake that must not pass for a late ping.
const SHORTEST_GRACE: f64 = 0.7;

const LIVES: &[&str] = &["heartbeat::echo", "heartbeat::pings"];
/// What makes a beat no measure.
const BEATS: &[&str] = &["heartbeat::echo", "heartbeat::steady", "heartbeat::alive"];
/// What makes it moot how a client is dropped.
const DROPS: &[&str] = &["heartbeat::echo", "heartbeat::steady", "heartbeat::alive", "heartbeat::dead"];
const LESSON: &str = "lessons/04-heartbeats.md";

pub(super) const CHECKS: &[Check] = &[
    Check {
        hint: "Bring your echo server over as it was green, and let select! choose between the next message and the next beat.",
        lesson: LESSON,
        least: Least { connections: 25, messages: 200, closes: 4, ends: 4, ..LEAST },
        ..check(
            "heartbeat::echo",
            Heartbeat,
            "The contract of `echo` still holds: handshake, welcome, reply, order, concurrent, close.",
            |arena| Box::pin(still_echo(arena)),
        )
    },
    Check {
        explained_by: &["heartbeat::echo"],
        needs: &["heartbeat::echo"],
        beats: true,
        hint: "Give each connection a tokio::time::interval of HEARTBEAT_INTERVAL_MS milliseconds and send Message::Ping at each tick.",
        lesson: LESSON,
        least: Least { connections: 3, pings: 3, ..LEAST },
        ..check(
            "heartbeat::pings",
            Heartbeat,
            "Every connection gets its first ping, unasked, within about one interval of opening.",
            |arena| Box::pin(pings(arena)),
        )
    },
    Check {
        explained_by: &["heartbeat::echo", "heartbeat::pings", "heartbeat::alive", "heartbeat::interval"],
        needs: LIVES,
        beats: true,
        hint: "Create the interval once, before the loop: made anew in each turn of select! it starts from zero each time.",
        lesson: LESSON,
        least: Least { pings: 10, ..LEAST },
        ..check(
            "heartbeat::steady",
            Heartbeat,
            "After the first ping comes one each interval: none skipped, no bursts.",
            |arena| Box::pin(steady(arena)),
        )
    },
    Check {
        moot_after: &["heartbeat::steady", "heartbeat::busy"],
        explained_by: &["heartbeat::echo", "heartbeat::alive"],
        needs: LIVES,
        beats: true,
        hint: "HEARTBEAT_INTERVAL_MS is in milliseconds: Duration::from_millis, used as it is, neither capped nor replaced.",
        lesson: LESSON,
        least: Least { connections: 3, pings: 5, ..LEAST },
        ..check(
            "heartbeat::interval",
            Heartbeat,
            "The interval is the one configured: with a long one no ping comes early (one right at opening is allowed).",
            |arena| Box::pin(interval(arena)),
        )
    },
    Check {
        explained_by: BEATS,
        needs: LIVES,
        beats: true,
        hint: "Messages and beats are two branches of one select!; a message must neither reset the interval nor count as a beat.",
        lesson: LESSON,
        least: Least { connections: 2, messages: 10, pings: 8, ..LEAST },
        ..check("heartbeat::busy", Heartbeat, "Traffic neither postpones, replaces nor adds pings.", |arena| {
            Box::pin(busy(arena))
        })
    },
    Check {
        moot_after: &["heartbeat::pings", "heartbeat::steady", "heartbeat::interval"],
        explained_by: &["heartbeat::echo"],
        needs: LIVES,
        beats: true,
        hint: "Set the alive flag at every Message::Pong, and clear it only when you send the next ping.",
        lesson: LESSON,
        least: Least { connections: 2, messages: 4, pings: 10, ..LEAST },
        ..check(
            "heartbeat::alive",
            Heartbeat,
            "A client that answers pings is never dropped, though it never sends a message.",
            |arena| Box::pin(alive(arena)),
        )
    },
    Check {
        explained_by: BEATS,
        needs: LIVES,
        beats: true,
        hint: "At each beat: is the flag still cleared since the last ping? Then leave the loop and drop the socket, without a close handshake. Otherwise clear it and ping.",
        lesson: LESSON,
        least: Least { connections: 2, pings: 2, ends: 1, ..LEAST },
        ..check(
            "heartbeat::dead",
            Heartbeat,
            "A client from which no pong came between one beat and the next is dropped at that next beat: the TCP connection ends, and not before it had a full interval to answer.",
            |arena| Box::pin(dead(arena)),
        )
    },
    Check {
        explained_by: DROPS,
        needs: LIVES,
        beats: true,
        hint: "A pong counts for one beat: clear the flag each time you ping, not only the first time.",
        lesson: LESSON,
        least: Least { connections: 2, pings: 5, ends: 1, ..LEAST },
        ..check(
            "heartbeat::relapse",
            Heartbeat,
            "So is one that answered for a while and then fell silent: a pong counts for one beat, not for ever.",
            |arena| Box::pin(relapse(arena)),
        )
    },
    Check {
        explained_by: &[
            "heartbeat::echo",
            "heartbeat::steady",
            "heartbeat::busy",
            "heartbeat::alive",
            "heartbeat::dead",
        ],
        needs: LIVES,
        beats: true,
        hint: "Only Message::Pong proves that the client answers; set the flag there and nowhere else.",
        lesson: LESSON,
        least: Least { connections: 3, messages: 4, pings: 3, ends: 2, ..LEAST },
        ..check(
            "heartbeat::chatter",
            Heartbeat,
            "Messages are not pongs: a client that sends text but never a pong is dropped like a silent one.",
            |arena| Box::pin(chatter(arena)),
        )
    },
    Check {
        moot_after: &["heartbeat::dead"],
        explained_by: &[
            "heartbeat::echo",
            "heartbeat::steady",
            "heartbeat::interval",
            "heartbeat::busy",
            "heartbeat::alive",
        ],
        needs: LIVES,
        beats: true,
        hint: "Each connection has a flag and an end of its own: what one client leaves unanswered must touch no other.",
        lesson: LESSON,
        least: Least { connections: 5, messages: 12, pings: 10, ends: 1, ..LEAST },
        ..check("heartbeat::neighbours", Heartbeat, "Dropping one client disturbs no other.", |arena| {
            Box::pin(neighbours(arena))
        })
    },
    Check {
        explained_by: &[
            "heartbeat::echo",
            "heartbeat::steady",
            "heartbeat::busy",
            "heartbeat::alive",
            "heartbeat::dead",
        ],
        needs: LIVES,
        beats: true,
        hint: "While you await a send that hangs, no beat is looked at: give every write a limit (timeout, or select! against the beat), and drop the connection when it is over.",
        lesson: LESSON,
        least: Least { connections: 2, pings: 1, ..LEAST },
        ..check(
            "heartbeat::stalled",
            Heartbeat,
            "A client that also stops reading, so that the server's writes to it no longer go through, is dropped all the same.",
            |arena| Box::pin(stalled(arena)),
        )
    },
];

/// Sets the pace of what a client does; its first tick comes after one period.
fn metronome(period: Duration) -> tokio::time::Interval {
    tokio::time::interval_at(tokio::time::Instant::now() + period, period)
}

async fn still_echo(arena: &mut Arena) -> Checked {
    arena.hold_back(true);
    echo::handshake(arena).await.fundamental()?;
    echo::welcome(arena).await?;
    arena.hold_back(false);
    // More than a simple message is asked of echo itself.
    let mut client = arena.join().await?;
    client.exchange(&arena.token()).await.fundamental()?;
    arena.sound();
    for text in [format!(" {} ", arena.token()), String::new(), arena.token()] {
        client.exchange(&text).await?;
    }
    echo::order(arena).await?;
    echo::concurrent(arena).await?;
    echo::close_after(arena, 8).await
}

/// Waits for a ping; its absence is judged by the clock of this machine, since there is no other yet.
async fn first_ping(arena: &Arena, client: &mut Client, opened: Instant) -> Checked {
    let limit = arena.beat.mul_f64(LONGEST);
    let ping = within(limit.max(PATIENCE / 2), client.ping()).await;
    let late = match ping {
        Some(ping) => ping? - opened,
        None => limit.max(PATIENCE / 2),
    };
    if late <= limit {
        return Ok(());
    }
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

pub(super) async fn pings(arena: &mut Arena) -> Checked {
    let opened = Instant::now();
    let mut clients = arena.join_many(2).await?;
    let first = try_join_all(clients.iter_mut().map(|client| first_ping(arena, client, opened)));
    first.await.fundamental()?;
    arena.sound();
    // One who comes in the middle of a beat of the others.
    metronome(arena.beat / 3).tick().await;
    let opened = Instant::now();
    let mut late = arena.join().await?;
    first_ping(arena, &mut late, opened).await
}

async fn steady(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(2).await?;
    let arena = &*arena;
    try_join_all(clients.iter_mut().map(|client| steadily(arena, client, 5))).await.map(|_| ())
}

/// The next pings come one a beat.
async fn steadily(arena: &Arena, client: &mut Client, count: usize) -> Checked {
    let mut last = client.ping().await?;
    for n in 2..=count {
        let ping = within(arena.beat.mul_f64(LONGEST).max(PATIENCE / 2), client.ping()).await;
        let now = match ping {
            Some(now) => now?,
            None => Instant::now(),
        };
        let gap = now - last;
        beat_long(arena, client, gap, &format!("ping {n} comes one interval after ping {}", n - 1))?;
        last = now;
    }
    Ok(())
}

/// A gap is as long as a beat, or nearly.
pub(super) fn beat_long(arena: &Arena, client: &Client, gap: Duration, expected: &str) -> Checked {
    let ratio = gap.as_secs_f64() / arena.beat.as_secs_f64();
    if (SHORTEST..=LONGEST).contains(&ratio) {
        return Ok(());
    }
    let what =
        if ratio < 1.0 { "two pings come in less than an interval" } else { "a ping is missing, or much too late" };
    let failure = client
        .failure(Kind::WrongTiming, what)
        .expected(
            format!("{expected}: {} ms", arena.beat.as_millis()),
            format!("{} ms ({ratio:.1} intervals)", gap.as_millis()),
        )
        .at(Mark::Last { connection: client.number() });
    Err(failure.into())
}

async fn interval(arena: &mut Arena) -> Checked {
    // A beat so long that none may be seen, against one that is seen to go on: five beats and more than a second.
    let long = Duration::from_secs(60);
    let patient = arena.another(long).await?;
    let mut clients = patient.join_many(2).await?;
    let mut clock = arena.join().await?;
    clock.ping().await.map_err(moot)?;
    // What comes until now came right at opening.
    let opening: Vec<usize> = clients.iter_mut().map(early_pings).collect();
    let began = Instant::now();
    while began.elapsed() < arena.beat.mul_f64(4.5).max(Duration::from_millis(1_050)) {
        clock.ping().await.map_err(moot)?;
    }
    for (client, opening) in clients.iter_mut().zip(opening) {
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
            return Err(Trouble::from(failure).seen_by(&patient.tap));
        }
        client.exchange("still there?").await.map_err(|trouble| trouble.seen_by(&patient.tap))?;
    }
    Ok(())
}

/// Without a beat to compare with nothing can be said; what ails it is another check's business.
fn moot(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Failed(failure) => Trouble::Unknown(format!("there was no beat to compare with: {}", failure.summary)),
        other => other,
    }
}

fn early_pings(client: &mut Client) -> usize {
    client.overheard().iter().filter(|moment| matches!(moment.heard, Heard::Ping(_))).count()
}

async fn busy(arena: &mut Arena) -> Checked {
    let (mut quiet, mut busy) = try_join(arena.join(), arena.join()).await?;
    let tokens = arena.tokens(400);
    let mut pace = metronome(arena.beat / 10);
    let beats = 5;
    let counting = async {
        for _ in 0..beats {
            quiet.ping().await?;
        }
        Ok::<_, Trouble>(())
    };
    let talking = async {
        for token in &tokens {
            busy.exchange(token).await?;
            pace.tick().await;
        }
        std::future::pending::<Checked>().await
    };
    tokio::select! {
        counted = counting => counted?,
        talked = talking => talked?,
    }
    // A ping that is on its way to the one as to the other.
    let last_word = arena.token();
    busy.send_text(last_word.as_str());
    while busy.text("the reply to the last word").await? != reply_to(&last_word) {}
    let heard = busy.pings.len();
    let per_message = heard > beats + 1;
    if per_message || heard + 1 < beats {
        let what =
            if per_message { "a client that talks gets more pings" } else { "a client that talks gets fewer pings" };
        let failure = busy.failure(Kind::WrongTiming, format!("{what} than one that is quiet")).expected(
            format!("{beats} pings, give or take one, as a quiet client got in the same time"),
            format!("{heard} pings"),
        );
        return Err(failure.into());
    }
    Ok(())
}

async fn alive(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(2).await?;
    let tokens = arena.tokens(2);
    let lives = clients.iter_mut().zip(&tokens).map(|(client, token)| async move {
        for _ in 0..7 {
            client.ping().await.map_err(|trouble| dropped_alive(client, trouble))?;
        }
        client.send_text(token.as_str());
        // A dropped client is told from one whose reply is wrong, which is not the matter here.
        client.text("a reply").await.map(|_| ()).map_err(|trouble| dropped_alive(client, trouble))
    });
    try_join_all(lives).await.map(|_| ())
}

pub(super) fn dropped_alive(client: &Client, trouble: Trouble) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    if failure.kind == Kind::Silence {
        // No ping, no answer: that pings go on is what another check is about.
        return Trouble::Unknown(
            "pings stopped coming, so nothing could be seen of clients that answer them".to_string(),
        );
    }
    if failure.kind == Kind::EndedEarly {
        failure.summary = "a client that answered every ping was dropped".to_string();
        failure.expected = "the connection stays open as long as pings are answered".to_string();
        failure.got = format!("it ended after {} answered pings", client.pings.len());
    }
    Trouble::Failed(failure)
}

async fn dead(arena: &mut Arena) -> Checked {
    let mut witness = arena.join().await?;
    let mut silent = arena.join_mute().await?;
    let unanswered = asked(&mut silent).await?;
    dropped_on_time(arena, &mut witness, &mut silent, unanswered).await
}

/// When the client that will not answer was asked.
pub(super) async fn asked(silent: &mut Client) -> Checked<Instant> {
    silent.ping().await.map_err(|trouble| never_asked(silent, trouble))
}

fn never_asked(client: &Client, trouble: Trouble) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    if failure.kind == Kind::EndedEarly {
        failure.summary = "a client was dropped before it was ever asked".to_string();
        failure.expected = "a ping, then a full interval to answer it".to_string();
        failure.mark = Some(Mark::Last { connection: client.number() });
    }
    Trouble::Failed(failure)
}

/// The client that left the ping at `unanswered` unanswered is dropped one beat later, as the witness counts.
pub(super) async fn dropped_on_time(
    arena: &Arena,
    witness: &mut Client,
    silent: &mut Client,
    unanswered: Instant,
) -> Checked {
    let mut ended = None;
    let mut beats = Vec::new();
    let numbers = [witness.number(), silent.number()];
    {
        let clock = async {
            // What the witness heard until now is past; three beats from now it is too late by all means.
            while beats.len() < 3 {
                let ping = witness.ping().await?;
                if ping > unanswered {
                    beats.push(ping);
                }
            }
            Ok::<_, Trouble>(())
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
            .failure(Kind::StillOpen, "a client that answers no ping is not dropped")
            .expected(
                "the TCP connection ends at the beat after an unanswered ping",
                "it is still open three beats later",
            )
            .about(numbers)
            .at(Mark::Last { connection: silent.number() });
        return Err(failure.into());
    };
    let ratio = (ended - unanswered).as_secs_f64() / arena.beat.as_secs_f64();
    if (SHORTEST_GRACE..=LONGEST).contains(&ratio) {
        return Ok(());
    }
    let what = if ratio < 1.0 {
        "a client is dropped before it had a full interval to answer"
    } else {
        "a client that answers no ping is dropped too late"
    };
    let failure = silent
        .failure(Kind::WrongTiming, what)
        .expected(
            format!(
                "the end of the TCP connection one interval ({} ms) after the unanswered ping",
                arena.beat.as_millis()
            ),
            format!("its end after {} ms ({ratio:.1} intervals)", (ended - unanswered).as_millis()),
        )
        .about(numbers)
        .at(Mark::Last { connection: silent.number() });
    Err(failure.into())
}

async fn relapse(arena: &mut Arena) -> Checked {
    let (mut witness, mut fading) = try_join(arena.join(), arena.join()).await?;
    for _ in 0..2 {
        fading.ping().await.map_err(|trouble| dropped_alive(&fading, trouble))?;
    }
    fading.stop_answering_pings();
    let unanswered = fading.ping().await?;
    dropped_on_time(arena, &mut witness, &mut fading, unanswered).await
}

async fn chatter(arena: &mut Arena) -> Checked {
    let mut witness = arena.join().await?;
    let mut talker = arena.join_mute().await?;
    let token = arena.token();
    talking_in_vain(arena, &mut witness, &mut talker, || Frame::new(OpCode::Data(Data::Text), token.as_str())).await?;
    // A ping of the client's own is no pong either.
    let mut pinger = arena.join_mute().await?;
    talking_in_vain(arena, &mut witness, &mut pinger, || Frame::new(OpCode::Control(Control::Ping), "are you there?"))
        .await
}

/// A client that says this again and again, and never answers a ping, is dropped.
async fn talking_in_vain(
    arena: &Arena,
    witness: &mut Client,
    client: &mut Client,
    what: impl Fn() -> Frame,
) -> Checked {
    let mut pace = metronome(arena.beat / 5);
    let mouth = client.mouth();
    let talk = async {
        loop {
            mouth.say(what());
            pace.tick().await;
        }
    };
    let judged = async {
        let unanswered = asked(client).await?;
        dropped_on_time(arena, witness, client, unanswered).await
    };
    tokio::select! {
        judged = judged => judged,
        () = talk => unreachable!("the talk never ends"),
    }
}

async fn neighbours(arena: &mut Arena) -> Checked {
    let mut before = vec![arena.join().await?, arena.join().await?];
    let mut silent = arena.join_mute().await?;
    before.extend(arena.join_many(2).await?);
    let mut neighbours = before;
    let tokens = arena.tokens(3);
    let arena = &*arena;
    silent.ping().await?;
    let ended = async {
        // Whether it is dropped on time is the business of another check.
        for _ in 0..10 {
            match silent.next("the end").await {
                Ok(moment) if matches!(moment.heard, Heard::End(_)) => return,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    };
    let tokens = &tokens;
    let living = join_all(neighbours.iter_mut().map(|client| async move {
        // Four beats: before, at and after the one at which the silent client goes.
        client.ping().await?;
        let since = client.pings.len() - 1;
        for token in tokens {
            client.ping().await.map_err(disturbed)?;
            client.exchange(token).await.map_err(disturbed)?;
        }
        for gap in client.pings[since..].windows(2) {
            beat_long(arena, client, gap[1] - gap[0], "the neighbours' pings go on, one an interval")?;
        }
        Ok::<_, Trouble>(())
    }));
    let (_, living) = join(ended, living).await;
    living.into_iter().collect()
}

fn disturbed(trouble: Trouble) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    failure.summary = format!("another client was dropped as dead, and this one suffered: {}", failure.summary);
    failure.clients = Vec::new();
    Trouble::Failed(failure)
}

async fn stalled(arena: &mut Arena) -> Checked {
    let mut witness = arena.join().await?;
    let mut stalled = arena.join_narrow().await?;
    let token = arena.token();
    stalled.stop_answering_pings();
    stalled.connection.stop_reading();
    // What it says is answered until the server can't get rid of its answers any more.
    let long = format!("{token} {}", "x".repeat(64 * 1024));
    let connection = stalled.connection.clone();
    let mut pace = metronome(arena.beat / 10);
    let talk = async {
        for _ in 0..256 {
            stalled.send_text(long.as_str());
            stalled.sent_but(0).await;
        }
        loop {
            stalled.send_text("x");
            pace.tick().await;
        }
    };
    let began = Instant::now();
    let clock = async {
        for _ in 0..5 {
            witness.ping().await.map_err(disturbed)?;
        }
        Ok::<_, Trouble>(())
    };
    tokio::select! {
        _ = connection.lost() => {
            // A witness who was dropped along with it would be a fault too, but not silently a pass.
            witness.ping().await.map_err(disturbed)?;
            witness.exchange(&token).await
        }
        clock = clock => {
            clock?;
            let failure = Failure::new(Kind::StillOpen, "a client that stopped reading is not dropped")
                .expected(
                    "the TCP connection is given up although the server's writes hang",
                    format!("it is still open after five beats ({} ms)", began.elapsed().as_millis()),
                )
                .about([connection.number()])
                .at(Mark::Last { connection: connection.number() });
            Err(failure.into())
        }
        () = talk => unreachable!("the talk never ends"),
    }
}
