//! The checks of `broadcast`.
//!
//! A server may drop who has more than 1,000 messages or 1 MiB on their way to it, so no check lets more be on
//! their way than that to a client that is to be served.

use std::collections::HashMap;
use std::time::Instant;

use futures_util::future::{join, join_all, try_join, try_join_all};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::{Check, LEAST, check, echo, heartbeat};
use crate::arena::Arena;
use crate::client::{Client, Heard, PATIENCE, PREFIX, WELCOME, reply_to, within};
use crate::evidence::Least;
use crate::exercise::Exercise::Broadcast;
use crate::verdict::{Checked, Failure, Fundamental, Kind, Trouble};
use crate::wire::frame::{Data, Frame, OpCode};
use crate::wire::transcript::quoted;

const WELCOMED: &[&str] = &["broadcast::welcome"];
const SPREADS: &[&str] = &["broadcast::welcome", "broadcast::everyone"];
const LESSON: &str = "lessons/05-broadcast.md";
/// What a slow client may cost the server, in bytes.
const SLOW_COST: u64 = 32 << 20;

pub(super) const CHECKS: &[Check] = &[
    Check {
        hint: "Send the welcome on the newcomer's own socket before it joins the channel that everyone hears.",
        lesson: LESSON,
        least: Least { connections: 2, messages: 3, ..LEAST },
        ..check("broadcast::welcome", Broadcast, "The welcome goes to the newcomer alone.", |arena| {
            Box::pin(welcome(arena))
        })
    },
    Check {
        explained_by: &["broadcast::welcome"],
        needs: WELCOMED,
        hint: "Every connection's task subscribes to one tokio::sync::broadcast channel; what a client sends goes into the channel, and what comes out of it goes to the client, its sender included.",
        lesson: LESSON,
        least: Least { connections: 5, messages: 100, ..LEAST },
        ..check(
            "broadcast::everyone",
            Broadcast,
            "A text message M from any client reaches every connected client, its sender included, as \"Server received: M\", exactly once.",
            |arena| Box::pin(everyone(arena)),
        )
    },
    Check {
        explained_by: SPREADS,
        needs: SPREADS,
        hint: "One channel keeps the order of what goes in. A task spawned for each message, or each receiver, does not.",
        lesson: LESSON,
        least: Least { connections: 4, messages: 400, ..LEAST },
        ..check("broadcast::order", Broadcast, "One sender's messages arrive everywhere in the order sent.", |arena| {
            Box::pin(order(arena))
        })
    },
    Check {
        explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::order"],
        needs: SPREADS,
        hint: "Let everything go through one channel, the sender's own copy too; a reply sent to the sender directly arrives at another place in the order.",
        lesson: LESSON,
        least: Least { connections: 4, messages: 600, ..LEAST },
        ..check(
            "broadcast::agreement",
            Broadcast,
            "All clients see all messages in the same order, whoever sent them.",
            |arena| Box::pin(agreement(arena)),
        )
    },
    Check {
        explained_by: SPREADS,
        needs: SPREADS,
        hint: "subscribe() hears only what is sent after it. Keep no history, and subscribe for each connection anew.",
        lesson: LESSON,
        least: Least { connections: 5, messages: 20, ..LEAST },
        ..check("broadcast::latecomer", Broadcast, "A newcomer gets nothing from before it joined.", |arena| {
            Box::pin(latecomer(arena))
        })
    },
    Check {
        explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::latecomer"],
        needs: SPREADS,
        hint: "A send that fails concerns one client: leave its loop and let the others go on. In a channel a receiver that is dropped is simply gone.",
        lesson: LESSON,
        least: Least { connections: 8, messages: 40, ..LEAST },
        ..check("broadcast::leaver", Broadcast, "Clients that leave, politely or not, disturb no one.", |arena| {
            Box::pin(leaver(arena))
        })
    },
    Check {
        explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::order"],
        needs: SPREADS,
        heavy: true,
        hint: "A channel of capacity 16 loses the 17th message that waits. Give it room for more than 1,000, and look at what recv() says: Lagged means that messages were lost.",
        lesson: LESSON,
        least: Least { connections: 103, messages: 23_000, ..LEAST },
        ..check(
            "broadcast::crowd",
            Broadcast,
            "It holds for a hundred clients, all talking; 1,000 messages or 1 MiB on their way to a client that reads are no reason to drop it or to lose any.",
            |arena| Box::pin(crowd(arena)),
        )
    },
    Check {
        explained_by: &[
            "broadcast::welcome",
            "broadcast::everyone",
            "broadcast::order",
            "broadcast::leaver",
            "broadcast::crowd",
        ],
        needs: SPREADS,
        heavy: true,
        hint: "Never await one client's socket while others wait, and never queue without a limit: a bounded channel, and whoever lags behind it is dropped.",
        lesson: LESSON,
        least: Least { connections: 3, messages: 40_000, ..LEAST },
        ..check(
            "broadcast::slow",
            Broadcast,
            "A client that stops reading delays no one, and costs the server at most 32 MiB of memory, however many 1 KiB messages are sent.",
            |arena| Box::pin(slow(arena)),
        )
    },
    Check {
        explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::leaver"],
        needs: WELCOMED,
        beats: true,
        hint: "Bring the heartbeat over: one more branch in the same select!, beside the socket and the channel.",
        lesson: "lessons/04-heartbeats.md",
        least: Least { connections: 3, messages: 3, pings: 8, ends: 1, ..LEAST },
        ..check(
            "broadcast::heartbeat",
            Broadcast,
            "Dead clients are dropped as in `heartbeat` (pings, dead, alive), and quiet ones kept.",
            |arena| Box::pin(beats(arena)),
        )
    },
];

async fn welcome(arena: &mut Arena) -> Checked {
    let mut host = arena.connect().await.fundamental()?;
    match host.expect_text(WELCOME, "the welcome").await {
        Ok(()) => arena.sound(),
        Err(Trouble::Failed(failure)) if failure.kind == Kind::WrongMessage => return Err(failure.into()),
        other => return other.fundamental(),
    }
    let mut newcomers = Vec::new();
    for _ in 0..2 {
        let mut newcomer = arena.connect().await?;
        newcomer.expect_text(WELCOME, "the welcome").await?;
        newcomers.push(newcomer);
    }
    // A welcome that went to all would be there before what the host says next.
    let token = arena.token();
    host.send_text(token.as_str());
    for client in newcomers.iter_mut().chain([&mut host]) {
        let heard = within(PATIENCE / 4, client.next_but_heartbeats("a message")).await;
        if let Some(Ok(moment)) = heard
            && let Heard::Text(text) = &moment.heard
            && (!echo::resembles(text, &token) || text.contains(WELCOME))
        {
            let failure = client.failure(Kind::Unexpected, "a client got a message that was not for it");
            let expected = "one welcome, its own, and then only what clients say";
            return Err(failure.expected(expected, quoted(text)).about(Vec::new()).at(client.mark(&moment)).into());
        }
    }
    Ok(())
}

async fn everyone(arena: &mut Arena) -> Checked {
    let count = arena.rng.random_range(4..7);
    let mut clients = arena.join_many(count).await?;
    let first = arena.token();
    clients[0].send_text(first.as_str());
    all_hear(&mut clients, &first).await.fundamental()?;
    arena.sound();
    let token = arena.token();
    let mut texts = vec![format!(" {token} "), String::new(), format!("🦀 {token} žluťoučký"), token.clone(), token];
    texts.extend(arena.tokens(4 * count));
    // Each is sent when the one before has arrived everywhere, so that a second copy shows in place of the next.
    for (i, text) in texts.iter().enumerate() {
        clients[i % count].send_text(text.as_str());
        all_hear(&mut clients, text).await?;
    }
    // Nor may anything get lost while others come.
    for text in arena.tokens(24) {
        clients[0].send_text(text.as_str());
        let (heard, newcomer) = join(all_hear(&mut clients, &text), arena.join()).await;
        heard.and(newcomer.map(|_| ()))?;
    }
    let last = arena.token();
    clients[count - 1].send_text(last.as_str());
    all_hear(&mut clients, &last).await
}

/// Every one of these clients hears the reply to this message, and hears it next.
async fn all_hear(clients: &mut [Client], text: &str) -> Checked {
    let wanted = format!("\"{PREFIX}\" with {}", quoted(text));
    let expected = reply_to(text);
    let heard = clients.iter_mut().map(|client| client.expect_text(&expected, &wanted));
    // All are waited for, so that the first failure told is the first client's and not the quickest.
    join_all(heard).await.into_iter().collect::<Checked>().map_err(in_company)
}

/// Shows everybody's conversation and not only that of the client that noticed.
fn in_company(trouble: Trouble) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    if let [client] = failure.clients[..] {
        failure.summary = format!("client {client}: {}", failure.summary);
    }
    failure.clients = Vec::new();
    Trouble::Failed(failure)
}

/// So many messages are sent at once where it is not the number that matters.
const FEW: usize = 12;

async fn order(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(4).await?;
    for _ in 0..12 {
        let texts = arena.tokens(FEW);
        let sender = arena.rng.random_range(0..4);
        for text in &texts {
            clients[sender].send_text(text.as_str());
        }
        let heard = clients.iter_mut().map(|client| echo::in_order(client, &texts));
        join_all(heard).await.into_iter().collect::<Checked>()?;
    }
    Ok(())
}

async fn agreement(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(4).await?;
    for _ in 0..15 {
        let mut texts = arena.tokens(FEW);
        texts.shuffle(&mut arena.rng);
        // All speak at once.
        for (client, texts) in clients.iter_mut().zip(texts.chunks(FEW / 4)) {
            for text in texts {
                client.send_text(text.as_str());
            }
        }
        let heard = join_all(clients.iter_mut().map(|client| collect(client, &texts))).await;
        let heard: Vec<Vec<String>> = heard.into_iter().collect::<Checked<_>>().map_err(in_company)?;
        for (client, theirs) in clients.iter().zip(&heard).skip(1) {
            let Some(at) = theirs.iter().zip(&heard[0]).position(|(a, b)| a != b) else { continue };
            let first = format!("client {} heard {} as message {}", clients[0].number(), quoted(&heard[0][at]), at + 1);
            let failure = client
                .failure(Kind::WrongMessage, "two clients see the same messages in different orders")
                .expected(first, format!("client {} heard {}", client.number(), quoted(&theirs[at])))
                .about([clients[0].number(), client.number()]);
            return Err(failure.into());
        }
    }
    Ok(())
}

/// What a client hears until it has heard each of these once, in its order.
async fn collect(client: &mut Client, texts: &[String]) -> Checked<Vec<String>> {
    let mut missing: HashMap<String, usize> = HashMap::new();
    for text in texts {
        *missing.entry(reply_to(text)).or_default() += 1;
    }
    let mut heard = Vec::with_capacity(texts.len());
    while heard.len() < texts.len() {
        let wanted = format!("one of the {} messages that are missing of {}", texts.len() - heard.len(), texts.len());
        let moment = client.next_but_heartbeats(&wanted).await?;
        let Heard::Text(text) = &moment.heard else { return Err(client.instead(&moment, &wanted)) };
        match missing.get_mut(text) {
            Some(count) if *count > 0 => *count -= 1,
            found => {
                let what =
                    if found.is_some() { "a message came a second time" } else { "a message came that nobody sent" };
                let failure = client.failure(Kind::Unexpected, what);
                return Err(failure.expected(wanted, quoted(text)).at(client.mark(&moment)).into());
            }
        }
        heard.push(text.clone());
    }
    Ok(heard)
}

async fn latecomer(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(2).await?;
    for _ in 0..3 {
        let before = arena.tokens(3);
        for text in &before {
            clients[0].send_text(text.as_str());
            all_hear(&mut clients, text).await?;
        }
        let mut late = arena.join().await?;
        let text = arena.token();
        clients[1].send_text(text.as_str());
        let moment = late.next_but_heartbeats("the first message after joining").await?;
        match &moment.heard {
            Heard::Text(heard) if *heard == reply_to(&text) => {}
            Heard::Text(heard) => {
                let failure = late.failure(Kind::Unexpected, "a newcomer got something from before it joined");
                return Err(failure
                    .literally(reply_to(&text), heard.as_str())
                    .about(Vec::new())
                    .at(late.mark(&moment))
                    .into());
            }
            _ => return Err(late.instead(&moment, "the first message after joining")),
        }
        all_hear(&mut clients, &text).await?;
        clients.push(late);
    }
    Ok(())
}

async fn leaver(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(7).await?;
    for (round, manner) in
        [Manner::Politely, Manner::Reset, Manner::Silently, Manner::InMidFrame].into_iter().enumerate()
    {
        // From the front, the back and the middle, so that no place in a list is special.
        let place = [0, clients.len() - 1, clients.len() / 2, 0][round];
        let gone = clients.remove(place);
        leave(gone, manner).await?;
        for text in arena.tokens(3) {
            let speaker = arena.rng.random_range(0..clients.len());
            clients[speaker].send_text(text.as_str());
            all_hear(&mut clients, &text).await.map_err(|trouble| after(trouble, manner))?;
        }
        clients.push(arena.join().await.map_err(|trouble| after(trouble, manner))?);
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Manner {
    Politely,
    Reset,
    Silently,
    InMidFrame,
}

async fn leave(mut client: Client, manner: Manner) -> Checked {
    match manner {
        Manner::Politely => {
            client.send_close(1_000, "");
            // Whether that is answered well is another check's business.
            let _ = within(PATIENCE / 4, client.end()).await;
        }
        Manner::Reset => client.connection.reset().await,
        Manner::Silently => client.hang_up(),
        Manner::InMidFrame => {
            let whole = Frame::new(OpCode::Data(Data::Text), "never finished").masked([1; 4]).encode();
            client.send_bytes(whole[..9].to_vec());
            let _ = within(PATIENCE, client.sent_but(0)).await;
            client.connection.reset().await;
        }
    }
    Ok(())
}

fn after(trouble: Trouble, manner: Manner) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    let how = match manner {
        Manner::Politely => "said goodbye",
        Manner::Reset => "reset its connection",
        Manner::Silently => "ended its connection without a close frame",
        Manner::InMidFrame => "vanished in the middle of a frame",
    };
    failure.summary = format!("after a client {how}, {}", failure.summary);
    Trouble::Failed(failure)
}

async fn crowd(arena: &mut Arena) -> Checked {
    let mut clients = arena.join_many(100).await?;
    let texts = arena.tokens(200);
    for (client, texts) in clients.iter_mut().zip(texts.chunks(2)) {
        for text in texts {
            client.send_text(text.as_str());
        }
    }
    let heard = try_join_all(clients.iter_mut().map(|client| collect(client, &texts))).await;
    heard.map_err(in_company)?;
    // It gets thick between three of another server, since a hundred would take this machine long.
    let arena = &mut arena.another(arena.beat).await?;
    let mut clients = arena.join_many(3).await?;
    let many = arena.tokens(1_000);
    let big = arena.tokens(16).into_iter().map(|token| token + &"·".repeat(31_000)).collect();
    let biggest = vec![arena.token() + &"x".repeat((1 << 20) - 200)];
    for texts in [many, big, biggest] {
        burst(&mut clients, &texts).await.map_err(|trouble| trouble.seen_by(&arena.tap))?;
    }
    Ok(())
}

/// The first client says all this at once, and everyone hears all of it.
async fn burst(clients: &mut [Client], texts: &[String]) -> Checked {
    for text in texts {
        clients[0].send_text(text.as_str());
    }
    let heard = clients.iter_mut().map(|client| echo::in_order(client, texts));
    let bytes: usize = texts.iter().map(String::len).sum();
    join_all(heard).await.into_iter().collect::<Checked>().map_err(|trouble| {
        let Trouble::Failed(mut failure) = trouble else { return trouble };
        failure.summary =
            format!("with {} messages of {} KiB in all on their way, {}", texts.len(), bytes / 1024, failure.summary);
        Trouble::Failed(failure)
    })
}

/// How many messages of 1 KiB are sent past the slow client, and how many at a time.
const FLOOD: usize = 40 * 1024;
const AT_ONCE: usize = 512;

async fn slow(arena: &mut Arena) -> Checked {
    let grown = flood_past(arena, true).await?;
    let Some(grown) = grown else {
        return Err(Trouble::Unknown("this system does not tell how much memory a process takes".to_string()));
    };
    if grown <= SLOW_COST {
        return Ok(());
    }
    // A runtime with a garbage collector grows for its own reasons: what counts is what the slow client adds.
    let own = {
        let mut control = arena.another(arena.beat).await?;
        flood_past(&mut control, false).await?.unwrap_or_default()
    };
    let cost = grown.saturating_sub(own);
    if cost <= SLOW_COST {
        return Ok(());
    }
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let failure = Failure::new(Kind::Memory, "a client that stops reading costs the server too much memory").expected(
        format!("at most {} more, however many messages of 1 KiB are sent", mib(SLOW_COST)),
        format!("{} more after {FLOOD} messages ({} without the slow client)", mib(grown), mib(own)),
    );
    Err(failure.into())
}

/// Sends the flood between two clients that read, with one that doesn't beside them if so wished; by how many bytes
/// the server grew.
async fn flood_past(arena: &mut Arena, with_slow: bool) -> Checked<Option<u64>> {
    let mut readers = arena.join_many(2).await?;
    let mut slow = Some(arena.join_narrow().await?);
    if !with_slow {
        // Now it reads, and is waited for as the others are: else it might lag as far as a slow one.
        readers.extend(slow.take());
    }
    // What a round takes while everybody reads is the measure for those that follow.
    let began = Instant::now();
    flood_round(arena, &mut readers).await?;
    let undisturbed = began.elapsed();
    let limit = PATIENCE.max(undisturbed * 20);
    let before = arena.server.memory();
    if let Some(slow) = &slow {
        slow.connection.stop_reading();
    }
    let mut most = 0;
    for round in 0..FLOOD / AT_ONCE {
        match within(limit, flood_round(arena, &mut readers)).await {
            Some(heard) => heard.map_err(|trouble| delayed(trouble, round * AT_ONCE))?,
            None => {
                let failure =
                    Failure::new(Kind::WrongTiming, "while one client does not read, all others are slowed down")
                        .expected(
                            format!(
                                "{AT_ONCE} messages in about the {} ms that they took before",
                                undisturbed.as_millis()
                            ),
                            format!("they did not all arrive in {} ms", limit.as_millis()),
                        );
                return Err(failure.into());
            }
        }
        most = most.max(arena.server.memory().unwrap_or_default());
    }
    Ok(before.map(|before| most.saturating_sub(before)))
}

/// A number of messages of 1 KiB, from the first of these clients to all of them.
async fn flood_round(arena: &mut Arena, readers: &mut [Client]) -> Checked {
    // One text a round: what is counted here is how many arrive, and that takes a debug build long enough.
    let text = format!("{} {}", arena.token(), "x".repeat(1_000));
    let frame = Frame::new(OpCode::Data(Data::Text), text.as_str()).masked(arena.rng.random()).encode();
    readers[0].send_bytes(frame.repeat(AT_ONCE));
    let reply = reply_to(&text);
    let heard = readers.iter_mut().map(|reader| reader.expect_times(AT_ONCE, &reply));
    join_all(heard).await.into_iter().collect()
}

fn delayed(trouble: Trouble, sent: usize) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    failure.summary =
        format!("while one client does not read, another suffers (after {sent} messages): {}", failure.summary);
    Trouble::Failed(failure)
}

async fn beats(arena: &mut Arena) -> Checked {
    let mut witness = arena.join().await?;
    let (mut quiet, mut silent) = try_join(arena.join(), arena.join_mute()).await?;
    // Messages go to the dead client as to all others, and are no sign of life.
    let hello = arena.token();
    witness.exchange(&hello).await?;
    let unanswered = heartbeat::asked(&mut silent).await?;
    heartbeat::dropped_on_time(arena, &mut witness, &mut silent, unanswered).await?;
    quiet.expect_reply(&hello).await?;
    while quiet.pings.len() < 7 {
        quiet.ping().await.map_err(|trouble| heartbeat::dropped_alive(&quiet, trouble))?;
    }
    // One a beat and no more, however many others there are.
    if let (Some(first), Some(last)) = (quiet.pings.first(), quiet.pings.last()) {
        let gaps = u32::try_from(quiet.pings.len() - 1).unwrap_or(u32::MAX);
        heartbeat::beat_long(arena, &quiet, (*last - *first) / gaps, "pings come one an interval, on the average")?;
    }
    let bye = arena.token();
    quiet.send_text(bye.as_str());
    all_hear(&mut [witness, quiet], &bye).await
}
