//! Many clients, many messages, and one that does not read.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::RngExt;

use super::SLOW_COST;
use super::talk::{collect, together};
use crate::echo;
use harness::client::{
    Client, ClientEvent, RESPONSE_TIMEOUT, Received, reply_to, timeout_on_busy_host,
};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind};
use harness::wire::frame::{Data, Frame, OpCode};
use harness::wire::transcript::{Highlight, quoted};

pub(super) async fn crowd(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(100).await?;
    let texts = ctx.tokens(200);
    for (client, texts) in clients.iter_mut().zip(texts.chunks(2)) {
        for text in texts {
            client.send_text(text.as_str());
        }
    }
    together(join_all(clients.iter_mut().map(|client| collect(client, &texts))).await)?;
    // The load is limited to three clients of another server. A hundred would take this machine
    // long.
    ctx.restart_server().await?;
    let mut clients = ctx.join_many(3).await?;
    let many = ctx.tokens(1_000);
    let big = ctx.tokens(16).into_iter().map(|token| token + &"·".repeat(31_000)).collect();
    let biggest = vec![ctx.token() + &"x".repeat((1 << 20) - 200)];
    for texts in [many, big, biggest] {
        burst(&mut clients, &texts).await?;
    }
    ctx.restart_server().await?;
    behind(ctx).await
}

/// A client on a bad connection: everything sent to it waits in the server, fewer than 1,000
/// messages and less than 1 MiB. The system would buffer more for a connection on which much has
/// been read.
async fn behind(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(2).await?;
    let mut far_away = ctx.join_narrow().await?;
    let texts: Vec<String> =
        ctx.tokens(950).into_iter().map(|token| token + &".".repeat(1_000)).collect();
    far_away.connection.stop_reading();
    let heard = timeout_on_busy_host(RESPONSE_TIMEOUT * 2, burst(&mut clients, &texts)).await;
    far_away.connection.resume_reading();
    match heard {
        // Another check judges that.
        None => {
            return Err(CheckError::Inconclusive(
                "all others waited for one that did not read for a while".to_string(),
            ));
        }
        Some(Err(CheckError::Failed(failure))) if failure.kind == FailureKind::Silence => {
            return Err(CheckError::Inconclusive(format!(
                "one did not read for a while, and {}",
                failure.summary
            )));
        }
        Some(heard) => heard?,
    }
    let heard = echo::talk::in_order(&mut far_away, &texts).await;
    heard.map_err(|error| error.context(&with_so_much(&texts, " to a client on a bad line, ")))
}

/// The first client sends all texts at once, and each client receives all of them.
async fn burst(clients: &mut [Client], texts: &[String]) -> CheckResult {
    for text in texts {
        clients[0].send_text(text.as_str());
    }
    let heard = clients.iter_mut().map(|client| echo::talk::in_order(client, texts));
    let heard = join_all(heard).await.into_iter().collect::<CheckResult>();
    heard.map_err(|error| error.context(&with_so_much(texts, ", ")))
}

fn with_so_much(texts: &[String], on_their_way: &str) -> String {
    let bytes: usize = texts.iter().map(String::len).sum();
    format!(
        "with {} messages of {} KiB in all on their way{on_their_way}",
        texts.len(),
        bytes / 1024
    )
}

/// The number of messages of 1 KiB that are sent at a time.
const AT_ONCE: usize = 512;
/// The number of rounds in a flood past the slow client: 40 MiB in all.
const ROUNDS: usize = 80;
/// The number of messages in a step, which are awaited together.
const STEP: usize = 32;
/// If a step takes this long, the server waits for the slow client. A write that is given up after
/// one second holds up one step only, so whole rounds are too coarse a measure. On a busy host this
/// limit stretches up to threefold before it misses that second; a step of a right server takes
/// less than 100 ms beside two busy loops.
const STALL: Duration = Duration::from_millis(300);
/// The most floods, if one does not decide.
const FLOODS: usize = 4;

/// One step may be held up by a stall of this machine. A server that waits does so again.
pub(super) async fn slow(ctx: &mut TestContext) -> CheckResult {
    match past_a_slow_client(ctx).await {
        Err(error) if error.is(FailureKind::WrongTiming) => {
            ctx.restart_server().await?;
            past_a_slow_client(ctx).await
        }
        judged => judged,
    }
}

async fn past_a_slow_client(ctx: &mut TestContext) -> CheckResult {
    let mut flood = Flood::begin(ctx, true).await?;
    let mut grown = flood.pour(ctx).await?;
    if grown <= SLOW_COST {
        return flood.reads_again(ctx).await;
    }
    let mut control = ctx.second_server().await?;
    let own = Flood::begin(&mut control, false).await?.pour(&mut control).await?;
    // The contract allows 32 MiB. A runtime with a large base also needs several bytes for each
    // byte that it keeps, and that is not the student's choice. So a server may use as much again
    // as when idle, if it then grows no further.
    let allowed = SLOW_COST + flood.before;
    let cost = |grown: u64| grown.saturating_sub(own);
    while cost(grown) > SLOW_COST && cost(grown) <= allowed && flood.rounds < FLOODS * ROUNDS {
        grown = flood.pour(ctx).await?;
    }
    if cost(grown) <= allowed {
        return flood.reads_again(ctx).await;
    }
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let failure = Failure::new(
        FailureKind::Memory,
        "a client that stops reading costs the server too much memory",
    )
    .expected(
        format!("at most {} more, however many messages of 1 KiB are sent", mib(allowed)),
        format!(
            "{} more after {} messages ({} without the slow client)",
            mib(grown),
            flood.sent(),
            mib(own)
        ),
    );
    Err(failure.into())
}

/// A flood between clients that read, optionally with one beside them that does not.
struct Flood {
    readers: Vec<Client>,
    slow: Option<Client>,
    /// The time limit of a step.
    limit: Duration,
    /// The duration of a round while all clients read.
    undisturbed: Duration,
    /// The reply to the messages of each round, which all have the same text.
    replies: Vec<String>,
    /// The server's memory before the flood, in bytes.
    before: u64,
    /// True if the server logs each message.
    logs: bool,
    rounds: usize,
}

impl Flood {
    async fn begin(ctx: &mut TestContext, with_slow: bool) -> CheckResult<Self> {
        let mut readers = ctx.join_many(2).await?;
        let slow = if with_slow { Some(ctx.join_narrow().await?) } else { None };
        if slow.is_none() {
            // A reader in its place, awaited like the others. Otherwise it might lag as far as a
            // slow one.
            readers.push(ctx.join().await?);
        }
        let mut flood = Flood {
            readers,
            slow,
            // Longer than a client waits for one message, so that silence is reported as silence.
            limit: RESPONSE_TIMEOUT * 2,
            undisturbed: Duration::ZERO,
            replies: Vec::new(),
            before: 0,
            logs: false,
            rounds: 0,
        };
        let began = Instant::now();
        flood.send_round(ctx).await?;
        flood.undisturbed = began.elapsed();
        // A slow server may read a large part of a round before it writes the first reply.
        flood.limit = STALL.max(flood.undisturbed / 2);
        flood.logs = flood.logged(ctx, RESPONSE_TIMEOUT / 4).await;
        flood.before = ctx.server.memory().ok_or_else(untold)?;
        Ok(flood)
    }

    /// Sends a flood. Returns the greatest growth of the server since the beginning, in bytes.
    async fn pour(&mut self, ctx: &mut TestContext) -> CheckResult<u64> {
        if let Some(slow) = &self.slow {
            slow.connection.stop_reading();
        }
        let mut most = 0;
        let mut course = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            most = most.max(self.round(ctx).await?);
            if self.rounds.is_multiple_of(ROUNDS / 10) {
                self.let_in(ctx).await?;
            }
            course.push(most);
            if self.slow.is_some() && course.len() >= ROUNDS / 2 && outlook(&course) < SLOW_COST {
                break;
            }
        }
        Ok(most)
    }

    /// Fails if a client cannot join during the flood.
    async fn let_in(&self, ctx: &TestContext) -> CheckResult {
        let newcomer = ctx.join().await.map_err(|error| delayed(error, self.sent()))?;
        ctx.leave(newcomer).await;
        Ok(())
    }

    /// Returns the number of messages sent past the slow client.
    fn sent(&self) -> usize {
        self.rounds * AT_ONCE
    }

    /// Sends some messages. Returns the server's growth since the beginning, in bytes.
    async fn round(&mut self, ctx: &mut TestContext) -> CheckResult<u64> {
        let began = Instant::now();
        let heard = self.send_round(ctx).await;
        if !heard.map_err(|error| delayed(error, self.sent()))? {
            return Err(self.stalled(began.elapsed()).into());
        }
        self.rounds += 1;
        if self.logs {
            self.logged(ctx, RESPONSE_TIMEOUT).await;
        }
        Ok(ctx.server.memory().ok_or_else(untold)?.saturating_sub(self.before))
    }

    /// Waits until the server has logged all messages, and returns whether it has. Some runtimes,
    /// such as Node's, keep unread log lines in memory, and those are not measured here.
    async fn logged(&self, ctx: &TestContext, limit: Duration) -> bool {
        // One round was sent before those that count.
        let sent = self.sent() + AT_ONCE;
        timeout_on_busy_host(limit, ctx.server.printed(|output| output.received() >= sent)).await
            == Some(true)
    }

    /// Sends a number of messages of 1 KiB from the first reader. Returns whether each step arrived
    /// at all readers within the limit.
    async fn send_round(&mut self, ctx: &mut TestContext) -> CheckResult<bool> {
        // All have the same text, because masking a different text for each takes a debug build too
        // long.
        let text = format!("{} {}", ctx.token(), "x".repeat(1_000));
        let frame = Frame::new(OpCode::Data(Data::Text), text.as_str());
        self.readers[0].send_bytes(frame.masked(ctx.rng.random()).encode().repeat(AT_ONCE));
        self.replies.push(reply_to(&text));
        let (limit, reply) = (self.limit, &self.replies[self.replies.len() - 1]);
        let heard = self.readers.iter_mut().map(|reader| async move {
            for _ in 0..AT_ONCE / STEP {
                match timeout_on_busy_host(limit, reader.expect_times(STEP, reply)).await {
                    Some(heard) => heard?,
                    None => return Ok(false),
                }
            }
            Ok(true)
        });
        let in_time: Vec<bool> = join_all(heard).await.into_iter().collect::<CheckResult<_>>()?;
        Ok(in_time.into_iter().all(|in_time| in_time))
    }

    /// Lets the slow client read again: it receives all messages in order, or the first ones and
    /// then the end of its connection.
    async fn reads_again(mut self, ctx: &mut TestContext) -> CheckResult {
        let Some(mut slow) = self.slow.take() else { return Ok(()) };
        slow.connection.resume_reading();
        let mut asked_again = false;
        let mut arrived = 0;
        while arrived < self.replies.len() * AT_ONCE {
            let limit = if asked_again { RESPONSE_TIMEOUT / 2 } else { RESPONSE_TIMEOUT / 8 };
            let heard = timeout_on_busy_host(limit, slow.next("the rest of the messages")).await;
            let Some(received) = heard.transpose()? else {
                if asked_again {
                    return Err(self.neither_rest_nor_end(&slow, arrived).into());
                }
                // The next message shows whether an earlier one was left out.
                asked_again = true;
                self.round(ctx).await?;
                continue;
            };
            match &received.event {
                ClientEvent::Text(text) if *text == self.replies[arrived / AT_ONCE] => arrived += 1,
                ClientEvent::Text(text) => {
                    return Err(self.gap(&slow, &received, arrived, text).into());
                }
                ClientEvent::Ping(_) | ClientEvent::Pong(_) => {}
                ClientEvent::Close(_) | ClientEvent::End(_) => {
                    let served = self.round(ctx).await.map(|_| ());
                    return served.map_err(|error| {
                        error.context("after a slow client was disconnected, ").show_all_clients()
                    });
                }
                _ => return Err(slow.unexpected(&received, "the rest of the messages")),
            }
        }
        Ok(())
    }

    fn gap(&self, slow: &Client, received: &Received, arrived: usize, text: &str) -> Failure {
        let round = self.replies.iter().position(|reply| reply == text);
        let (summary, got) = match round {
            Some(round) if round * AT_ONCE > arrived => (
                "a client that reads again stays connected, but has lost messages",
                format!("one of the messages {} to {}", round * AT_ONCE + 1, (round + 1) * AT_ONCE),
            ),
            Some(_) => ("a client that reads again receives messages a second time", quoted(text)),
            None => ("a client that reads again receives a message that nobody sent", quoted(text)),
        };
        slow.failure(FailureKind::Unexpected, summary)
            .expected(format!("message {}, or the end of the connection", arrived + 1), got)
            .at(slow.mark(received))
    }

    fn neither_rest_nor_end(&self, slow: &Client, arrived: usize) -> Failure {
        slow.failure(
            FailureKind::Silence,
            "a client that reads again receives neither the rest nor the end",
        )
        .expected(
            format!("message {}, or the end of the connection", arrived + 1),
            format!("nothing for {} s", RESPONSE_TIMEOUT.as_secs() / 2),
        )
        .at(Highlight::Last { connection: slow.number() })
    }

    fn stalled(&self, took: Duration) -> Failure {
        let usual = self.undisturbed.as_millis();
        Failure::new(
            FailureKind::WrongTiming,
            "while one client does not read, all others are slowed down",
        )
        .expected(
            format!("{AT_ONCE} messages in about the {usual} ms that they took before"),
            format!("they did not all arrive in {} ms", took.as_millis()),
        )
    }
}

/// Extrapolates the server's growth to the end of the flood, in bytes: with its mean rate, or its
/// latest rate if that is greater. The memory for a slow client grows with all that is sent, from
/// when the system's buffers are full (some MiB) until the server's own limit.
fn outlook(course: &[u64]) -> u64 {
    const LATELY: usize = 8;
    let (done, most) = (course.len() as u64, course[course.len() - 1]);
    let lately = most - course[course.len() - 1 - LATELY];
    let to_come = ROUNDS as u64 - done;
    most + (most * to_come / done).max(lately * to_come / LATELY as u64)
}

fn untold() -> CheckError {
    CheckError::Inconclusive(
        "this system does not tell how much memory a process takes".to_string(),
    )
}

fn delayed(error: CheckError, sent: usize) -> CheckError {
    let CheckError::Failed(mut failure) = error else { return error };
    failure.summary = format!(
        "while one client does not read, another suffers (after {sent} messages): {}",
        failure.summary
    );
    CheckError::Failed(failure)
}
