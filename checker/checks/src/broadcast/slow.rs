//! A client that stops reading delays no other client and costs the server a bounded amount of
//! memory. It never continues with a gap.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::RngExt;

use super::{Check, MINIMUM, MinimumEvidence, SPREADS, check};
use harness::client::{
    Client, RESPONSE_TIMEOUT, Received, any_text, reply, reply_to, timeout_on_busy_host,
};
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::failure::room::{Resumed, RoomCause};
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind, ResultExt};
use harness::wire::frame::{Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: &[
        "broadcast::welcome",
        "broadcast::everyone",
        "broadcast::order",
        "broadcast::leaver",
        "broadcast::crowd",
    ],
    requires: SPREADS,
    heavy: true,
    minimum: MinimumEvidence { connections: 3, messages: 40_000, ..MINIMUM },
    ..check("broadcast::slow", Broadcast, include_str!("slow.md"), |ctx| Box::pin(slow(ctx)))
};

/// The memory that a slow client may cost the server, in bytes.
const SLOW_COST: u64 = 32 << 20;
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

async fn slow(ctx: &mut TestContext) -> CheckResult {
    let mut flood = Flood::begin(ctx, true).await?;
    costs_bounded_memory(ctx, &mut flood).await?;
    reads_again(ctx, flood).await
}

async fn costs_bounded_memory(ctx: &mut TestContext, flood: &mut Flood) -> CheckResult {
    let mut grown = flood.pour(ctx).await?;
    if grown <= SLOW_COST {
        return Ok(());
    }
    let without = growth_without_slow_client(ctx).await?;
    // The contract allows 32 MiB. A runtime with a large base also needs several bytes for each
    // byte that it keeps, and that is not the student's choice. So a server may use as much again
    // as when idle, if it then grows no further.
    let allowed = SLOW_COST + flood.before;
    let cost = |grown: u64| grown.saturating_sub(without);
    while cost(grown) > SLOW_COST && cost(grown) <= allowed && flood.rounds < FLOODS * ROUNDS {
        grown = flood.pour(ctx).await?;
    }
    if cost(grown) <= allowed {
        return Ok(());
    }
    let cause = RoomCause::Memory { allowed, grown, without, messages: flood.sent() };
    Err(Failure::caused(cause).into())
}

/// Returns the growth of another server under the same flood, with a reader in place of the slow
/// client.
async fn growth_without_slow_client(ctx: &TestContext) -> CheckResult<u64> {
    let mut control = ctx.second_server().await?;
    Flood::begin(&mut control, false).await?.pour(&mut control).await
}

/// Lets the slow client read again: it receives all messages in order, or the first ones and then
/// the end of its connection.
async fn reads_again(ctx: &mut TestContext, mut flood: Flood) -> CheckResult {
    let Some(mut slow) = flood.slow.take() else { return Ok(()) };
    slow.connection.resume_reading();
    let (mut resent, mut limit) = (false, RESPONSE_TIMEOUT / 8);
    let mut arrived = 0;
    while arrived < flood.replies.len() * AT_ONCE {
        let next = slow.expect(any_text("the rest of the messages"));
        match timeout_on_busy_host(limit, next).await {
            Some(Ok(received)) => {
                flood.is_next(&slow, &received, arrived)?;
                arrived += 1;
            }
            Some(Err(error)) if error.is(FailureKind::EndedEarly) => {
                let others = flood.round(ctx).await.map_err(CheckError::show_all_clients);
                return others.map(|_| ()).context("after a slow client was disconnected");
            }
            Some(Err(error)) => return Err(error),
            None if resent => {
                let cause = RoomCause::Gap { next: arrived + 1, resumed: Resumed::Nothing(limit) };
                return Err(slow.fails_after_last(cause));
            }
            None => {
                // The next message shows whether an earlier one was left out.
                (resent, limit) = (true, RESPONSE_TIMEOUT / 2);
                flood.round(ctx).await?;
            }
        }
    }
    Ok(())
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
        let slow = if with_slow {
            Some(ctx.client().small_buffers().join().await?)
        } else {
            // A reader in its place, awaited like the others. Otherwise it might lag as far.
            readers.push(ctx.join().await?);
            None
        };
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
        flood.logs = flood.is_logged(ctx, RESPONSE_TIMEOUT / 4).await;
        flood.before = memory(ctx)?;
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
        let newcomer = ctx.join().await.context(self.circumstance())?;
        ctx.leave(newcomer).await;
        Ok(())
    }

    /// Returns the number of messages sent past the slow client.
    fn sent(&self) -> usize {
        self.rounds * AT_ONCE
    }

    fn circumstance(&self) -> String {
        format!("while another client does not read, after {} messages", self.sent())
    }

    /// Sends some messages. Returns the server's growth since the beginning, in bytes.
    async fn round(&mut self, ctx: &mut TestContext) -> CheckResult<u64> {
        let began = Instant::now();
        let in_time = self.send_round(ctx).await.context(self.circumstance())?;
        if !in_time {
            let (usual, waited) = (self.undisturbed, began.elapsed());
            let cause = RoomCause::HeldUp { messages: AT_ONCE, usual, waited };
            return Err(Failure::caused(cause).into());
        }
        self.rounds += 1;
        if self.logs {
            self.is_logged(ctx, RESPONSE_TIMEOUT).await;
        }
        Ok(memory(ctx)?.saturating_sub(self.before))
    }

    /// Waits until the server has logged all messages, and returns whether it has. Some runtimes,
    /// such as Node's, keep unread log lines in memory, and those are not measured here.
    async fn is_logged(&self, ctx: &TestContext, limit: Duration) -> bool {
        // One round was sent before those that count.
        let sent = self.sent() + AT_ONCE;
        let logged = ctx.server.wait_for_output(|output| output.count_received() >= sent);
        timeout_on_busy_host(limit, logged).await == Some(true)
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
        let name = format!("one of {AT_ONCE} messages sent at once");
        let (limit, expected) = (self.limit, &reply(&text).named(name));
        let steps = self.readers.iter_mut().map(|reader| async move {
            for _ in 0..AT_ONCE / STEP {
                match timeout_on_busy_host(limit, reader.expect_times(STEP, expected)).await {
                    Some(received) => received?,
                    None => return Ok(false),
                }
            }
            Ok(true)
        });
        let in_time: Vec<bool> = join_all(steps).await.into_iter().collect::<CheckResult<_>>()?;
        Ok(in_time.into_iter().all(|in_time| in_time))
    }

    /// Fails if this is not the message after the first `arrived` ones.
    fn is_next(&self, slow: &Client, received: &Received, arrived: usize) -> CheckResult {
        let text = received.text().unwrap_or_default();
        let round = self.replies.iter().position(|reply| reply == text);
        let resumed = match round {
            Some(round) if round == arrived / AT_ONCE => return Ok(()),
            Some(round) if round > arrived / AT_ONCE => {
                Resumed::Later { first: round * AT_ONCE + 1, last: (round + 1) * AT_ONCE }
            }
            Some(_) => Resumed::Repeated(text.to_string()),
            None => Resumed::Unsent(text.to_string()),
        };
        let cause = RoomCause::Gap { next: arrived + 1, resumed };
        Err(slow.fails(cause, received))
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

fn memory(ctx: &TestContext) -> CheckResult<u64> {
    ctx.server.memory().ok_or_else(|| {
        CheckError::Inconclusive(
            "this system does not tell how much memory a process takes".to_string(),
        )
    })
}
