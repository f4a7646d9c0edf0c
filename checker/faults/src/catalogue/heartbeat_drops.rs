//! Faults of `heartbeat`: dropped clients.

use super::common::*;
use super::heartbeat::{
    ALIVE, BUSY, CHATTER, DEAD, INTERVAL, NEIGHBOURS, PINGS, RELAPSE, STALLED, STEADY, heartbeat,
};

/// A client was dropped.
static DROPPED: AtomicBool = AtomicBool::new(false);
/// The end of the time without pings.
static REST_UNTIL: Mutex<Option<Instant>> = Mutex::new(None);

/// Waits for the next tick, and for the end of a write that the connection awaits.
async fn tick_in_turn(mut tick: Tick<'_>) {
    tick.wait().await;
    drop(tick.conn.turn.lock().await);
}

/// Returns whether the client answered, and false after this many beats.
fn answered_until<'a>(
    last: u32,
    server: &'a Server,
    conn: &'a Conn,
    beat: u32,
) -> BoxFuture<'a, bool> {
    if beat > last { Box::pin(ready(false)) } else { Box::pin(beat::answered(server, conn)) }
}

pub(super) const FAULTS: &[Fault] = &[
    heartbeat(
        "drops-after-four-beats",
        &[ALIVE, STEADY, INTERVAL, BUSY, NEIGHBOURS],
        "Your server drops all clients after four beats, answered or not; a client that answers \
         stays.",
        mutation! {
            fn answered<'a>(
                &self,
                server: &'a Server,
                conn: &'a Conn,
                beat: u32,
            ) -> BoxFuture<'a, bool> {
                answered_until(4, server, conn, beat)
            }
        },
    ),
    heartbeat(
        "drops-after-eight-beats",
        &[ALIVE],
        "Your server drops every client after eight intervals, answered or not; a client that \
         answers stays.",
        mutation! {
            fn answered<'a>(
                &self,
                server: &'a Server,
                conn: &'a Conn,
                beat: u32,
            ) -> BoxFuture<'a, bool> {
                answered_until(8, server, conn, beat)
            }
        },
    ),
    heartbeat(
        "drops-the-idle",
        &[ALIVE, STEADY, INTERVAL, NEIGHBOURS],
        "Your server drops a client that answers every ping but sends no message for four beats; \
         listening is a good reason to be connected.",
        DROPS_THE_IDLE,
    ),
    heartbeat(
        "only-pings-count",
        &[ALIVE, STEADY, INTERVAL, BUSY, RELAPSE, NEIGHBOURS],
        "Your server waits for the client's pings instead of its pongs, so clients that answer as \
         they should are dropped: match `Message::Pong`.",
        mutation! {
            fn ping(&self, conn: &Conn, payload: &[u8]) {
                conn.alive.store(true, SeqCst);
                answer::ping(conn, payload);
            }
            fn pong(&self, _: &Server, _: &Conn, _: &[u8]) {}
        },
    ),
    heartbeat(
        "never-drops",
        &[DEAD, RELAPSE, CHATTER, STALLED],
        "Your server pings and does not care for the answer; a dead client stays connected for \
         ever.",
        NEVER_DROPS,
    ),
    heartbeat(
        "three-beats-of-grace",
        &[DEAD, RELAPSE, CHATTER, STALLED],
        "Your server drops a silent client only after the third unanswered ping; the contract \
         gives it one beat.",
        DROPS_AFTER_THREE_BEATS,
    ),
    heartbeat(
        "half-a-beat-of-grace",
        &[DEAD, RELAPSE, CHATTER, STALLED],
        "Your server drops a client half an interval after the ping; a slow line has a full \
         interval to answer.",
        mutation! {
            fn send_ping<'a>(
                &self,
                server: &'a Server,
                conn: &'a Conn,
                _: u32,
            ) -> BoxFuture<'a, ()> {
                beat::send_ping(conn, b"");
                Box::pin(async {
                    sleep(server.interval / 2).await;
                    if !conn.alive.load(SeqCst) {
                        conn.kill();
                    }
                })
            }
        },
    ),
    heartbeat(
        "pongs-between-fragments-ignored",
        &[ALIVE],
        "Your server overlooks a pong between two fragments of a message, and drops a client that \
         takes longer than a beat for a message.",
        mutation! {
            fn control(&self, frame: Control<'_>) -> Result<(), End> {
                let ignored = frame.opcode == frame::PONG && frame.is_in_message();
                if ignored { Ok(()) } else { frame.handle() }
            }
        },
    ),
    heartbeat(
        "reaper-with-a-clock-of-its-own",
        &[DEAD],
        "Each client is pinged by a timer of its own, and a timer that all share drops clients \
         without a pong, even if they were pinged a moment ago; a client has a full interval to \
         answer.",
        mutation! {
            fn heartbeat<'a>(&self, server: &'a Arc<Server>, conn: &'a Conn) -> BoxFuture<'a, ()> {
                Box::pin(async {
                    let (mut timer, mut reaper) = (beat::timer(server), shared_timer(server));
                    loop {
                        tokio::select! {
                            _ = timer.tick() => {
                                conn.alive.store(false, SeqCst);
                                beat::send_ping(conn, b"");
                            }
                            _ = reaper.tick() => {
                                // It forgives a client that was pinged a moment ago.
                                let grace = server.interval / 5;
                                let pinged = conn.last_ping();
                                let waited = pinged.is_some_and(|at| at.elapsed() > grace);
                                if waited && !conn.alive.load(SeqCst) {
                                    return conn.kill();
                                }
                            }
                        }
                    }
                })
            }
        },
    ),
    heartbeat(
        "late-pongs-do-not-count",
        &[DEAD],
        "Your server counts a pong only if it comes within half an interval of its ping; a client \
         on a slow line has all the time until the next beat.",
        LATE_PONGS_ARE_LOST,
    ),
    heartbeat(
        "drops-one-a-beat",
        &[DEAD],
        "Your sweep drops the first dead client that it finds, a `find` where a `retain` belongs; \
         where two have died, the second has another beat to live.",
        mutation! {
            fn timer(&self, server: &Server) -> Interval {
                shared_timer(server)
            }
            fn answered<'a>(
                &self,
                server: &'a Server,
                conn: &'a Conn,
                _: u32,
            ) -> BoxFuture<'a, bool> {
                static LAST_DROP: Mutex<Option<Instant>> = Mutex::new(None);
                Box::pin(async {
                    if beat::answered(server, conn).await {
                        return true;
                    }
                    let previous = lock(&LAST_DROP).replace(Instant::now());
                    previous.is_some_and(|at| at.elapsed() < server.interval / 2)
                })
            }
        },
    ),
    heartbeat(
        "awaits-close-handshake",
        &[DEAD, RELAPSE, CHATTER, STALLED],
        "Your server sends a dead client a close frame and waits for the answer; the dead do not \
         answer, end the TCP connection.",
        mutation! {
            fn drop_client<'a>(&self, _: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
                conn.out.push_and_fall_silent(frame::close(Some(1001)));
                done()
            }
        },
    ),
    heartbeat(
        "shared-alive-flag",
        &[DEAD, PINGS, RELAPSE, CHATTER, STALLED],
        "All your connections share one alive flag, so a single healthy client keeps all the dead \
         ones in; each needs its own.",
        SHARED_PONG,
    ),
    heartbeat(
        "first-pong-counts-for-ever",
        &[RELAPSE, STALLED],
        "A client that has answered once is alive for ever in your server; take the flag back \
         with every ping.",
        FIRST_PONG_FOR_EVER,
    ),
    heartbeat(
        "old-pongs-make-up-for-new",
        &[RELAPSE, STALLED],
        "Your server compares all pongs with all pings, so a client that answered often may be \
         silent for long; each beat asks for its own pong.",
        mutation! {
            fn answered<'a>(
                &self,
                _: &'a Server,
                conn: &'a Conn,
                beat: u32,
            ) -> BoxFuture<'a, bool> {
                Box::pin(ready(conn.pongs.load(SeqCst) * 4 >= beat - 1))
            }
        },
    ),
    heartbeat(
        "pongs-saved-up",
        &[RELAPSE, STALLED],
        "Your server counts pongs and subtracts one at each beat, so a client that sends some in \
         advance may fall silent; pongs count for the beat in which they come, and no longer.",
        mutation! {
            fn answered<'a>(
                &self,
                _: &'a Server,
                conn: &'a Conn,
                beat: u32,
            ) -> BoxFuture<'a, bool> {
                let take_one = |pongs: u32| pongs.checked_sub(1);
                let saved = beat == 1 || conn.pongs.fetch_update(SeqCst, SeqCst, take_one).is_ok();
                Box::pin(ready(saved))
            }
        },
    ),
    heartbeat(
        "any-message-counts",
        &[CHATTER],
        "Any message counts as a pong in your server; a client may talk and be deaf, and only a \
         pong shows that it hears.",
        MESSAGES_COUNT,
    ),
    heartbeat(
        "binary-counts",
        &[CHATTER],
        "A binary message counts as a pong in your server; no message does.",
        mutation! {
            fn message(&self, conn: &Conn, message: &Message) {
                conn.alive.fetch_or(message.binary, SeqCst);
            }
        },
    ),
    heartbeat(
        "fragments-count",
        &[CHATTER],
        "A message in fragments counts as a pong in your server; no message does.",
        mutation! {
            fn message(&self, conn: &Conn, message: &Message) {
                conn.alive.fetch_or(message.in_fragments, SeqCst);
            }
        },
    ),
    heartbeat(
        "any-byte-counts",
        &[CHATTER, DEAD],
        "Whatever your server reads from a client counts as a sign of life; of all frames only a \
         pong answers a ping.",
        mutation! {
            fn bytes_read(&self, conn: &Conn) {
                conn.alive.store(true, SeqCst);
            }
        },
    ),
    heartbeat(
        "pings-count-too",
        &[CHATTER, DEAD],
        "Your server takes the client's own pings for pongs; only a pong shows that yours \
         arrived.",
        mutation! {
            fn ping(&self, conn: &Conn, payload: &[u8]) {
                conn.alive.store(true, SeqCst);
                answer::ping(conn, payload);
            }
        },
    ),
    heartbeat(
        "drops-the-client-beside",
        &[NEIGHBOURS, ALIVE, DEAD, RELAPSE, CHATTER, STALLED],
        "Together with a dead client your server drops the one beside it in the list: removing \
         from a list while walking it shifts the rest.",
        DROPS_THE_NEXT_TOO,
    ),
    heartbeat(
        "drops-everybody",
        &[NEIGHBOURS, ALIVE, DEAD, RELAPSE, CHATTER, STALLED],
        "One dead client ends all connections, as an error does that leaves the loop over all of \
         them.",
        mutation! {
            fn drop_client<'a>(&self, server: &'a Server, _: &'a Conn) -> BoxFuture<'a, ()> {
                server.hub.kill_all();
                done()
            }
        },
    ),
    heartbeat(
        "places-keep-their-flag",
        &[NEIGHBOURS],
        "A newcomer in a dropped client's place inherits its cleared flag and is dropped at its \
         first tick; set the flag when a client joins.",
        mutation! {
            fn drop_client<'a>(&self, _: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
                DROPPED.store(true, SeqCst);
                conn.kill();
                done()
            }
            fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                conn.alive.store(!DROPPED.swap(false, SeqCst), SeqCst);
                hub::join(server, clients, conn)
            }
        },
    ),
    heartbeat(
        "drop-notice",
        &[NEIGHBOURS],
        "Your server notifies all clients when it drops one; clients get nothing that the \
         contract does not name.",
        mutation! {
            fn drop_client<'a>(&self, server: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
                let notice = frame::text("Client timed out");
                server.hub.all().iter().for_each(|other| other.out.push(notice.clone()));
                conn.kill();
                done()
            }
        },
    ),
    heartbeat(
        "drop-ends-the-accept-loop",
        &[NEIGHBOURS],
        "The error of a dropped client ends your accept loop: connected clients stay, and no new \
         client gets in.",
        DROP_STOPS_ACCEPTING,
    ),
    heartbeat(
        "rests-after-a-drop",
        &[NEIGHBOURS, DEAD],
        "After dropping a client your server sends no pings for three beats: it is waiting for \
         the dropped client inside the loop that serves all.",
        mutation! {
            fn drop_client<'a>(&self, server: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
                *lock(&REST_UNTIL) = Some(Instant::now() + server.interval * 7 / 2);
                conn.kill();
                done()
            }
            fn skips(&self, _: &Server, _: &Conn, _: u32) -> bool {
                lock(&REST_UNTIL).is_some_and(|end| Instant::now() < end)
            }
        },
    ),
    heartbeat(
        "leaves-sweep-after-a-drop",
        &[NEIGHBOURS, DEAD],
        "When your sweep finds a dead client it stops there, so the others miss a ping: a `break` \
         where `continue` belongs.",
        mutation! {
            fn drop_client<'a>(&self, server: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
                server.hub.all().iter().for_each(|other| other.note.store(1, SeqCst));
                conn.kill();
                done()
            }
            fn skips(&self, _: &Server, conn: &Conn, _: u32) -> bool {
                conn.note.swap(0, SeqCst) == 1
            }
        },
    ),
    heartbeat(
        "beat-awaits-its-write",
        &[STALLED],
        "Your heartbeat waits until its ping is written; to a client that no longer reads it \
         waits for ever, and never drops it.",
        BEAT_AWAITS_WRITE,
    ),
    heartbeat(
        "no-limit-on-replies",
        &[STALLED],
        "Your server limits how long it may take to write a ping, but waits for the write of a \
         reply for ever.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                Box::pin(async move {
                    let _turn = reply.conn.turn.lock().await;
                    reply.deliver();
                    reply.conn.out.at_most(0).await;
                    Ok(())
                })
            }
            fn tick<'a>(&self, tick: Tick<'a>) -> BoxFuture<'a, ()> {
                Box::pin(tick_in_turn(tick))
            }
            fn send_ping<'a>(
                &self,
                server: &'a Server,
                conn: &'a Conn,
                _: u32,
            ) -> BoxFuture<'a, ()> {
                Box::pin(async {
                    let _turn = conn.turn.lock().await;
                    beat::send_ping(conn, b"");
                    if timeout(server.interval, conn.out.at_most(0)).await.is_err() {
                        conn.kill();
                    }
                })
            }
        },
    ),
    heartbeat(
        "no-limit-on-pings",
        &[STALLED],
        "Your server limits how long it may take to write a reply, but waits for the write of a \
         ping for ever.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                Box::pin(async move {
                    let _turn = reply.conn.turn.lock().await;
                    reply.deliver();
                    let write = reply.conn.out.at_most(0);
                    timeout(reply.server.interval, write).await.map_err(|_| End::Dropped)
                })
            }
            fn tick<'a>(&self, tick: Tick<'a>) -> BoxFuture<'a, ()> {
                Box::pin(tick_in_turn(tick))
            }
            fn send_ping<'a>(&self, _: &'a Server, conn: &'a Conn, _: u32) -> BoxFuture<'a, ()> {
                Box::pin(async {
                    let _turn = conn.turn.lock().await;
                    beat::send_ping(conn, b"");
                    conn.out.at_most(0).await;
                })
            }
        },
    ),
    heartbeat(
        "drop-awaits-the-flush",
        &[STALLED],
        "Before it drops a client, your server flushes what is still to be sent; a client that \
         does not read keeps it waiting, and stays.",
        mutation! {
            fn drop_client<'a>(&self, _: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
                Box::pin(async {
                    conn.out.at_most(0).await;
                    conn.kill();
                })
            }
        },
    ),
    heartbeat(
        "sweep-awaits-its-writes",
        &[STALLED],
        "One sweep pings all clients and waits for each write, so a client that stops reading \
         stops the heartbeat of all.",
        mutation! {
            fn tick<'a>(&self, mut tick: Tick<'a>) -> BoxFuture<'a, ()> {
                Box::pin(async move {
                    tick.wait().await;
                    for other in tick.server.hub.all() {
                        other.out.at_most(0).await;
                    }
                })
            }
        },
    ),
    heartbeat(
        "combination-late-and-forgiving",
        &[PINGS, DEAD, RELAPSE, CHATTER, STALLED],
        "Two things at once: your first ping comes a beat late, and a silent client is dropped \
         only after three.",
        mutation! {
            fn heartbeat<'a>(&self, server: &'a Arc<Server>, conn: &'a Conn) -> BoxFuture<'a, ()> {
                Box::pin(async {
                    sleep(server.interval).await;
                    beat::run(server, conn).await;
                })
            }
            fn allowed_misses(&self) -> u32 {
                3
            }
        },
    ),
    heartbeat(
        "combination-relapse-and-chatter",
        &[RELAPSE, CHATTER, STALLED],
        "Two things at once: messages count as pongs, and a client that has once answered is \
         alive for ever.",
        mutation! {
            fn answered<'a>(
                &self,
                server: &'a Server,
                conn: &'a Conn,
                _: u32,
            ) -> BoxFuture<'a, bool> {
                if conn.pongs.load(SeqCst) > 0 {
                    return Box::pin(ready(true));
                }
                Box::pin(beat::answered(server, conn))
            }
            fn message(&self, conn: &Conn, _: &Message) {
                conn.alive.store(true, SeqCst);
            }
        },
    ),
];
