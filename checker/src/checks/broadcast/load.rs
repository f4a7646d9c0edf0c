//! Many clients, many messages, and one that does not read.

use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use rand::RngExt;

use super::SLOW_COST;
use super::talk::{collect, in_company};
use crate::arena::Arena;
use crate::checks::echo;
use crate::client::{Client, PATIENCE, reply_to, within};
use crate::verdict::{Checked, Failure, Kind, Trouble};
use crate::wire::frame::{Data, Frame, OpCode};

pub(super) async fn crowd(arena: &mut Arena) -> Checked {
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
    let arena = &mut arena.alike().await?;
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
    let heard = clients.iter_mut().map(|client| echo::talk::in_order(client, texts));
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
/// How many such floods there are at most, to see whether the server grows with them.
const FLOODS: usize = 12;

pub(super) async fn slow(arena: &mut Arena) -> Checked {
    let mut flood = Flood::begin(arena, true).await?;
    let grown = flood.pour(arena).await?;
    let mut grown = grown.ok_or_else(untold)?;
    if grown <= SLOW_COST {
        return Ok(());
    }
    let own = {
        let mut control = arena.alike().await?;
        Flood::begin(&mut control, false).await?.pour(&mut control).await?.unwrap_or_default()
    };
    if own > SLOW_COST / 4 {
        // A runtime with a garbage collector grows for its own reasons, and not twice by the same: no difference tells
        // what the slow client adds. But who keeps what it can't send is at no moment smaller than all of that.
        grown = flood.until_outweighed(arena).await?;
        if grown < flood.sent_weighs() {
            return Ok(());
        }
    } else if grown.saturating_sub(own) <= SLOW_COST {
        return Ok(());
    }
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let failure = Failure::new(Kind::Memory, "a client that stops reading costs the server too much memory").expected(
        format!("at most {} more, however many messages of 1 KiB are sent", mib(SLOW_COST)),
        format!("{} more after {} messages ({} without the slow client)", mib(grown), flood.sent(), mib(own)),
    );
    Err(failure.into())
}

/// A flood between clients that read, with one that doesn't beside them if so wished.
struct Flood {
    readers: Vec<Client>,
    slow: Option<Client>,
    /// How long a round may take: many times what it took while everybody read.
    limit: Duration,
    undisturbed: Duration,
    /// The server's memory before the flood, in bytes.
    before: Option<u64>,
    rounds: usize,
}

impl Flood {
    async fn begin(arena: &mut Arena, with_slow: bool) -> Checked<Self> {
        let mut readers = arena.join_many(2).await?;
        let slow = if with_slow { Some(arena.join_narrow().await?) } else { None };
        if slow.is_none() {
            // One that reads in its place, and is waited for as the others are: else it might lag as far as a slow one.
            readers.push(arena.join().await?);
        }
        let began = Instant::now();
        flood_round(arena, &mut readers).await?;
        let undisturbed = began.elapsed();
        let limit = PATIENCE.max(undisturbed * 20);
        Ok(Flood { readers, slow, limit, undisturbed, before: arena.server.memory(), rounds: 0 })
    }

    /// Sends the whole flood; by how many bytes the server had grown at most, since the beginning.
    async fn pour(&mut self, arena: &mut Arena) -> Checked<Option<u64>> {
        if let Some(slow) = &self.slow {
            slow.connection.stop_reading();
        }
        let mut most = None;
        for _ in 0..FLOOD / AT_ONCE {
            most = most.max(self.round(arena).await?);
        }
        Ok(most)
    }

    /// Goes on until more has been sent past the slow client than the server has grown by, but not for ever; by how many
    /// bytes it has grown then.
    async fn until_outweighed(&mut self, arena: &mut Arena) -> Checked<u64> {
        loop {
            let grown = self.round(arena).await?.ok_or_else(untold)?;
            if grown < self.sent_weighs() || self.sent() >= FLOODS * FLOOD {
                return Ok(grown);
            }
        }
    }

    /// How many messages have been sent past the slow client.
    fn sent(&self) -> usize {
        self.rounds * AT_ONCE
    }

    /// How many bytes at least somebody has grown by who kept all that was sent past the slow client.
    fn sent_weighs(&self) -> u64 {
        // What may be kept, and what is on its way somewhere, is of no account beside all the rest.
        self.sent() as u64 * 1_024 * 9 / 10
    }

    /// Sends some messages; by how many bytes the server has grown since the beginning, where the system tells.
    async fn round(&mut self, arena: &mut Arena) -> Checked<Option<u64>> {
        match within(self.limit, flood_round(arena, &mut self.readers)).await {
            Some(heard) => heard.map_err(|trouble| delayed(trouble, self.sent()))?,
            None => return Err(self.stalled().into()),
        }
        self.rounds += 1;
        Ok(arena.server.memory().zip(self.before).map(|(now, before)| now.saturating_sub(before)))
    }

    fn stalled(&self) -> Failure {
        let usual = self.undisturbed.as_millis();
        Failure::new(Kind::WrongTiming, "while one client does not read, all others are slowed down").expected(
            format!("{AT_ONCE} messages in about the {usual} ms that they took before"),
            format!("they did not all arrive in {} ms", self.limit.as_millis()),
        )
    }
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

fn untold() -> Trouble {
    Trouble::Unknown("this system does not tell how much memory a process takes".to_string())
}

fn delayed(trouble: Trouble, sent: usize) -> Trouble {
    let Trouble::Failed(mut failure) = trouble else { return trouble };
    failure.summary =
        format!("while one client does not read, another suffers (after {sent} messages): {}", failure.summary);
    Trouble::Failed(failure)
}
