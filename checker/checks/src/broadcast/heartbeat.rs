//! Heartbeats as in `heartbeat`: pings continue while clients talk, join and leave, and dead and
//! stalled clients are disconnected.

use std::time::{Duration, Instant};

use futures_util::future::{join, join3, try_join3};

use super::room::{Message, next_text};
use super::{Check, MINIMUM, MinimumEvidence, WELCOMED, check};
use crate::heartbeat::{alive, busy, dead, pings, relapse, steady};
use harness::client::{Client, FrameSender, reply_to};
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::failure::room::RoomCause;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind, ResultExt};
use harness::wire::frame::{Data, Frame, OpCode};
use harness::wire::transcript::Highlight;

pub(super) const CHECK: Check = Check {
    explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::leaver"],
    requires: WELCOMED,
    uses_heartbeats: true,
    minimum: MinimumEvidence { connections: 7, messages: 20, pings: 14, ends: 2, ..MINIMUM },
    ..check("broadcast::heartbeat", Broadcast, include_str!("heartbeat.md"), |ctx| {
        Box::pin(heartbeat(ctx))
    })
};

async fn heartbeat(ctx: &mut TestContext) -> CheckResult {
    // A server with only two clients, so that a client's buffers fill with its own messages only.
    let quiet_room = ctx.second_server().await?;
    let (busy, quiet) = join(in_a_busy_room(ctx), stalled_in_a_quiet_room(&quiet_room)).await;
    busy.and(quiet.map_err(|error| error.recorded_by(&quiet_room.recorder)))
}

async fn in_a_busy_room(ctx: &mut TestContext) -> CheckResult {
    let mut room = Room::open(ctx).await?;
    let (hello, bye) = (ctx.token(), ctx.token());
    room.witness.send_text(hello.as_str());
    let hello = Message::from(&room.witness, &hello);
    hello.reaches(std::slice::from_mut(&mut room.witness)).await?;
    hello.reaches(std::slice::from_mut(&mut room.quiet)).await?;
    // A dead client still gets messages. Neither they nor its own messages are signs of life, and
    // they do not change the interval of other clients.
    let senders = [room.witness.frame_sender(), room.fading.frame_sender()];
    tokio::select! {
        judged = room.heartbeats(ctx) => judged?,
        () = talk(ctx, &senders) => unreachable!("the talk never ends"),
    }
    room.pings_once_an_interval(ctx, &bye).await?;
    newcomer_is_served(ctx).await.context("after clients were disconnected")
}

/// A newcomer is served. The last of the talk may still be on its way, and reach it first.
async fn newcomer_is_served(ctx: &TestContext) -> CheckResult {
    let mut newcomer = ctx.join().await?;
    newcomer.send_text("a newcomer");
    receive_only_talk(&mut newcomer, "a newcomer").await
}

/// The clients of a room in which two talk, two die, and the others answer pings.
struct Room {
    witness: Client,
    /// Answers no ping.
    silent: Client,
    /// Sends nothing.
    quiet: Client,
    quiet_since: Instant,
    another: Client,
    /// Answers pings for a while only, and talks on.
    fading: Client,
    /// Answers each ping late in the interval.
    late: Client,
    leaver: Option<Client>,
}

impl Room {
    async fn open(ctx: &TestContext) -> CheckResult<Self> {
        // More clients than some servers have room for.
        ctx.join_many(10).await?;
        let leaver = Some(ctx.join().await?);
        let witness = ctx.join().await?;
        // The silent client joins between two observed ones, so that a client disconnected along
        // with it is one of those.
        let silent = ctx.client().no_pongs().join().await?;
        let quiet = ctx.join().await?;
        let quiet_since = Instant::now();
        let (another, fading, late) =
            try_join3(ctx.join(), ctx.join(), ctx.client().no_pongs().join()).await?;
        Ok(Room { witness, silent, quiet, quiet_since, another, fading, late, leaver })
    }

    /// The first ping comes in time, dead clients are disconnected at their tick, and no other.
    async fn heartbeats(&mut self, ctx: &TestContext) -> CheckResult {
        pings::first_ping(ctx, &mut self.quiet, self.quiet_since).await?;
        let silent = async {
            let unanswered = dead::asked(&mut self.silent).await?;
            let (witness, silent) = (&mut self.witness, &mut self.silent);
            let dropped = dead::dropped_on_time(ctx, witness, silent, unanswered).await;
            dropped.map_err(|error| {
                with_pings(error, |other| alive::dropped_alive(&self.witness, other))
            })
        };
        let fading =
            relapse::fades_away(ctx, &mut self.another, &mut self.fading, |client, error| {
                with_pings(error, |other| alive::dropped_alive(client, other))
            });
        let late = dead::answering_late(ctx, &mut self.late);
        let (silent, fading, late) = join3(silent, fading, late).await;
        let fading = fading.context("for a client that had answered before, and talks on");
        let soonest = in_company(silent)?.min(in_company(fading)?);
        late?;
        dead::promptly(ctx, &self.witness, &self.silent, soonest)?;
        self.pings_after_disconnects(ctx).await
    }

    /// Heartbeats continue for the other clients while clients join, leave and are disconnected.
    async fn pings_after_disconnects(&mut self, ctx: &TestContext) -> CheckResult {
        if let Some(leaver) = self.leaver.take() {
            ctx.leave(leaver).await;
        }
        while self.quiet.pings.len() < 5 {
            let when = "after one client was disconnected and another had left";
            ping(&mut self.quiet, when).await?;
        }
        let among_visitors = async {
            for _ in 0..2 {
                ping(&mut self.quiet, "while clients join and leave").await?;
            }
            Ok(())
        };
        tokio::select! {
            judged = among_visitors => judged,
            () = steady::visits(ctx) => unreachable!("the visits never end"),
        }
    }

    /// A client got one ping for each interval and no more, however many other clients there are.
    /// Between them came messages that clients sent, and nothing else.
    async fn pings_once_an_interval(&mut self, ctx: &TestContext, last: &str) -> CheckResult {
        if let [first, .., last] = self.quiet.pings[..] {
            let gaps = self.quiet.pings.len() - 1;
            steady::on_the_average(ctx, &self.quiet, last - first, gaps)?;
        }
        // The message follows the client's pong, which is no message.
        self.quiet.send_text(last);
        for client in [&mut self.witness, &mut self.quiet] {
            receive_only_talk(client, last).await?;
        }
        busy::as_many(&self.witness, self.quiet.pings.len(), "a client that talks")
    }
}

const SMALL_TALK: &str = "small talk";

/// Several clients send messages several times in each interval.
async fn talk(ctx: &TestContext, senders: &[FrameSender]) {
    let mut pace = ctx.interval().every(0.25);
    loop {
        senders
            .iter()
            .for_each(|sender| sender.send(Frame::new(OpCode::Data(Data::Text), SMALL_TALK)));
        pace.tick().await;
    }
}

/// Until the last message arrives, a client receives messages of other clients, and nothing else.
async fn receive_only_talk(client: &mut Client, last: &str) -> CheckResult {
    loop {
        let (text, received) = next_text(client).await?;
        if text == reply_to(last) {
            return Ok(());
        }
        if text != reply_to(SMALL_TALK) {
            let cause = RoomCause::Unsent { client: client.number(), text };
            return Err(client.fails(cause, &received));
        }
    }
}

/// Waits for the next ping. No other check judges whether pings go on in these circumstances.
async fn ping(client: &mut Client, when: &'static str) -> CheckResult {
    let error = match client.ping().await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    Err(with_pings(error, |other| alive::dropped_alive(client, other)).context(when))
}

/// Adds the circumstances of a busy room, if no ping came.
fn in_company(judged: CheckResult<Duration>) -> CheckResult<Duration> {
    match judged {
        Err(error) if error.is(FailureKind::Silence) => {
            Err(error.context("in a room where clients talk").show_all_clients())
        }
        other => other,
    }
}

/// Keeps a failure if no ping came; `otherwise` describes other failures.
fn with_pings(error: CheckError, otherwise: impl FnOnce(CheckError) -> CheckError) -> CheckError {
    if error.is(FailureKind::Silence) { error.show_all_clients() } else { otherwise(error) }
}

/// A client that answers no ping and reads nothing is disconnected, although no other client sends
/// anything. The blocked write carries one of its own messages back to it.
async fn stalled_in_a_quiet_room(ctx: &TestContext) -> CheckResult {
    let mut witness = ctx.join().await?;
    let mut stalled = ctx.client().no_pongs().small_buffers().join().await?;
    stalled.connection.stop_reading();
    let (connection, number) = (stalled.connection.clone(), stalled.number());
    let began = Instant::now();
    tokio::select! {
        _ = connection.wait_until_lost() => Ok(()),
        pings = five_pings(&mut witness) => {
            pings.context("beside a client that stopped reading")?;
            let cause = RoomCause::StalledStays { waited: began.elapsed() };
            let last = Highlight::Last { connection: number };
            Err(Failure::caused(cause).about([number]).at(last).into())
        }
        () = fill_buffers(ctx, &mut stalled) => unreachable!("the writes never end"),
    }
}

async fn five_pings(witness: &mut Client) -> CheckResult {
    for _ in 0..5 {
        witness.ping().await?;
    }
    Ok(())
}

async fn fill_buffers(ctx: &TestContext, stalled: &mut Client) {
    // A system may buffer 4 MiB for one connection.
    for _ in 0..96 {
        stalled.send_text("x".repeat(64 * 1024));
        stalled.wait_until_sent(0).await;
    }
    let mut pace = ctx.interval().every(0.1);
    loop {
        // A write shows that the server has reset the connection.
        stalled.send_text("x");
        pace.tick().await;
    }
}
