//! Faults of `heartbeat`: pings.

use super::common::*;

pub(super) const fn heartbeat(
    name: &'static str,
    violates: &'static [&'static str],
    sentence: &'static str,
    mutation: &'static dyn Mutation,
) -> Fault {
    super::fault(Exercise::Heartbeat, name, violates, sentence, mutation)
}

pub(super) const ECHO: &str = "heartbeat::echo";
pub(super) const PINGS: &str = "heartbeat::pings";
pub(super) const STEADY: &str = "heartbeat::steady";
pub(super) const INTERVAL: &str = "heartbeat::interval";
pub(super) const BUSY: &str = "heartbeat::busy";
pub(super) const ALIVE: &str = "heartbeat::alive";
pub(super) const DEAD: &str = "heartbeat::dead";
pub(super) const RELAPSE: &str = "heartbeat::relapse";
pub(super) const CHATTER: &str = "heartbeat::chatter";
pub(super) const NEIGHBOURS: &str = "heartbeat::neighbours";
pub(super) const STALLED: &str = "heartbeat::stalled";

/// The timer of all connections has ended.
static TIMER_ENDED: AtomicBool = AtomicBool::new(false);
/// The time at which the last client left.
static EMPTIED: Mutex<Option<Instant>> = Mutex::new(None);
/// A client was dropped.
static DROPPED: AtomicBool = AtomicBool::new(false);

/// Sends a ping, and stops the heartbeat after the first `count`.
fn send_first_pings(conn: &Conn, beat: u32, count: u32) -> BoxFuture<'_, ()> {
    if beat > count {
        return Box::pin(pending());
    }
    beat::send_ping(conn, b"");
    done()
}

pub(super) const FAULTS: &[Fault] = &[
    heartbeat(
        "heartbeat-without-echo",
        &[ECHO],
        "Your server has learned to ping and forgotten to answer: the heartbeat comes on top of \
         the echo, not in its place.",
        NO_REPLY,
    ),
    heartbeat(
        "heartbeat-without-welcome",
        &[ECHO],
        "The welcome was lost when the heartbeat came; everything the echo server did still \
         holds.",
        NO_WELCOME,
    ),
    heartbeat(
        "heartbeat-two-tasks-reorder",
        &[ECHO],
        "Replies leave in another order than the messages came, since each has a task of its own.",
        REORDERS_PAIRS,
    ),
    heartbeat(
        "heartbeat-right-for-one-second",
        &[ECHO, INTERVAL, BUSY],
        "Your server answers rightly for one second after its start and then with a text of its \
         own; it has to be right for as long as it runs.",
        RIGHT_FOR_ONE_SECOND,
    ),
    heartbeat(
        "no-pings",
        &[PINGS, STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server sends no pings at all, so it can never tell a quiet client from a dead one.",
        NO_PINGS,
    ),
    heartbeat(
        "pings-only-first-connection",
        &[PINGS, STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Only the first client of your server is pinged; every connection needs its heartbeat.",
        mutation! {
            fn heartbeat<'a>(&self, server: &'a Arc<Server>, conn: &'a Conn) -> BoxFuture<'a, ()> {
                if conn.id == 0 { Box::pin(beat::run(server, conn)) } else { done() }
            }
        },
    ),
    heartbeat(
        "pings-first-ten-connections",
        &[PINGS],
        "Your server pings its first ten connections and no more; every connection needs its \
         heartbeat.",
        ONLY_FIRST_TEN_ARE_PINGED,
    ),
    heartbeat(
        "first-ping-a-beat-late",
        &[PINGS],
        "Your first ping comes after two intervals: one passes before the timer starts, and one \
         before it rings.",
        FIRST_PING_LATE,
    ),
    heartbeat(
        "ping-as-text",
        &[PINGS, ECHO, STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server sends the text `ping`, which every client takes for a message; a ping is a \
         control frame, and a browser answers it by itself.",
        mutation! {
            fn send_ping<'a>(&self, _: &'a Server, conn: &'a Conn, _: u32) -> BoxFuture<'a, ()> {
                conn.out.push(frame::text("ping"));
                done()
            }
            fn answered<'a>(&self, _: &'a Server, _: &'a Conn, _: u32) -> BoxFuture<'a, bool> {
                Box::pin(ready(true))
            }
        },
    ),
    heartbeat(
        "interval-in-seconds",
        &[PINGS, STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server takes the interval for seconds; HEARTBEAT_INTERVAL_MS counts milliseconds, \
         so your heart beats a thousand times too slowly.",
        mutation! { fn interval(&self, configured: Duration) -> Duration { configured * 1000 } },
    ),
    heartbeat(
        "pings-once",
        &[STEADY, INTERVAL, BUSY, RELAPSE, STALLED],
        "Your server pings each client once and never again, a `sleep` where an `interval` \
         belongs.",
        mutation! {
            fn send_ping<'a>(&self, _: &'a Server, conn: &'a Conn, beat: u32) -> BoxFuture<'a, ()> {
                send_first_pings(conn, beat, 1)
            }
        },
    ),
    heartbeat(
        "every-second-beat",
        &[STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server pings on one beat and looks for the pong on the next, so it pings only every \
         second interval; do both on every beat.",
        mutation! {
            fn skips(&self, _: &Server, _: &Conn, beat: u32) -> bool {
                beat.is_multiple_of(2)
            }
        },
    ),
    heartbeat(
        "two-timers",
        &[STEADY, INTERVAL, BUSY],
        "Each connection gets two pings a beat, as if its timer had been started twice.",
        mutation! {
            fn send_ping<'a>(&self, _: &'a Server, conn: &'a Conn, _: u32) -> BoxFuture<'a, ()> {
                beat::send_ping(conn, b"");
                beat::send_ping(conn, b"");
                done()
            }
        },
    ),
    heartbeat(
        "pings-in-bursts",
        &[STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your pings come three at once after a pause of three intervals: the missed ticks are \
         made up for, instead of one ping each interval.",
        mutation! {
            fn skips(&self, _: &Server, _: &Conn, beat: u32) -> bool {
                beat % 3 != 1
            }
            fn send_ping<'a>(&self, _: &'a Server, conn: &'a Conn, beat: u32) -> BoxFuture<'a, ()> {
                let count = if beat > 1 { 3 } else { 1 };
                (0..count).for_each(|_| beat::send_ping(conn, b""));
                done()
            }
        },
    ),
    heartbeat(
        "hard-coded-100-ms",
        &[INTERVAL, STEADY, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server pings every 100 ms whatever HEARTBEAT_INTERVAL_MS says; read the interval \
         from the environment.",
        mutation! { fn interval(&self, _: Duration) -> Duration { Duration::from_millis(100) } },
    ),
    heartbeat(
        "hard-coded-200-ms",
        &[INTERVAL, PINGS, STEADY, BUSY, ALIVE, DEAD, RELAPSE, CHATTER, NEIGHBOURS, STALLED],
        "Your server pings every 200 ms, as in the example, whatever HEARTBEAT_INTERVAL_MS says.",
        mutation! { fn interval(&self, _: Duration) -> Duration { Duration::from_millis(200) } },
    ),
    heartbeat(
        "interval-in-sixteen-bits",
        &[INTERVAL],
        "Your server keeps the interval in sixteen bits, so one of more than 65 seconds becomes a \
         short one.",
        mutation! {
            fn interval(&self, configured: Duration) -> Duration {
                Duration::from_millis(u64::from(configured.as_millis() as u16))
            }
        },
    ),
    heartbeat(
        "half-a-second-at-most",
        &[INTERVAL],
        "Your server caps the interval at 500 ms, so with a long one the pings come far too \
         early.",
        mutation! {
            fn interval(&self, configured: Duration) -> Duration {
                configured.min(Duration::from_millis(500))
            }
        },
    ),
    heartbeat(
        "two-pings-at-opening",
        &[INTERVAL, STEADY],
        "A new connection gets two pings at once: the interval's first tick comes immediately, \
         and you ping by hand as well.",
        mutation! {
            fn heartbeat<'a>(&self, server: &'a Arc<Server>, conn: &'a Conn) -> BoxFuture<'a, ()> {
                beat::send_ping(conn, b"");
                beat::send_ping(conn, b"");
                Box::pin(beat::run(server, conn))
            }
        },
    ),
    heartbeat(
        "pings-only-latest-connection",
        &[PINGS],
        "One variable holds the timer of all your connections, so each newcomer stops the pings \
         of everyone before it.",
        mutation! {
            fn skips(&self, server: &Server, conn: &Conn, _: u32) -> bool {
                conn.id + 1 != server.next.load(SeqCst)
            }
        },
    ),
    heartbeat(
        "timer-restarts-with-every-newcomer",
        &[STEADY],
        "Your timer starts again whenever a client connects, so where many come and go no client \
         is ever pinged.",
        JOIN_POSTPONES_PINGS,
    ),
    heartbeat(
        "timer-ends-with-the-last-client",
        &[PINGS],
        "Your timer stops when the last client leaves and never starts again, so the next client \
         gets no ping.",
        mutation! {
            fn left(&self, clients: &mut Clients, _: u64, _: &End) {
                TIMER_ENDED.fetch_or(clients.is_empty(), SeqCst);
            }
            fn skips(&self, _: &Server, _: &Conn, _: u32) -> bool {
                TIMER_ENDED.load(SeqCst)
            }
            fn timer(&self, server: &Server) -> Interval {
                shared_timer(server)
            }
        },
    ),
    heartbeat(
        "timer-ends-at-a-tick-without-clients",
        &[PINGS],
        "Your timer ends at the first tick that finds no client, so a client that comes later \
         gets no ping.",
        mutation! {
            fn left(&self, clients: &mut Clients, _: u64, _: &End) {
                if clients.is_empty() {
                    *lock(&EMPTIED) = Some(Instant::now());
                }
            }
            fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                let interval = server.interval.as_nanos();
                let ticks = |at: Instant| (at - server.started).as_nanos() / interval;
                let emptied = lock(&EMPTIED).filter(|_| clients.is_empty());
                let ended = emptied.is_some_and(|at| ticks(at) < ticks(Instant::now()));
                TIMER_ENDED.fetch_or(ended, SeqCst);
                hub::join(server, clients, conn)
            }
            fn skips(&self, _: &Server, _: &Conn, _: u32) -> bool {
                TIMER_ENDED.load(SeqCst)
            }
            fn timer(&self, server: &Server) -> Interval {
                shared_timer(server)
            }
        },
    ),
    heartbeat(
        "late-arrivals-skip-a-beat",
        &[PINGS],
        "One timer pings all your clients and skips one that joined less than half an interval \
         before; its first ping comes after up to an interval and a half.",
        mutation! {
            fn timer(&self, server: &Server) -> Interval {
                shared_timer(server)
            }
            fn skips(&self, server: &Server, conn: &Conn, beat: u32) -> bool {
                beat == 1 && conn.opened.elapsed() < server.interval / 2
            }
        },
    ),
    heartbeat(
        "pings-with-jitter",
        &[STEADY],
        "The intervals of your pings vary by 30 % either way; a ping comes one interval after the \
         other.",
        mutation! {
            fn tick<'a>(&self, mut tick: Tick<'a>) -> BoxFuture<'a, ()> {
                // The first ping comes on time.
                if tick.beat > 1 {
                    let now = tick.server.started.elapsed().as_nanos() as u64;
                    tick.timer.reset_after(vary(tick.timer.period(), now));
                }
                Box::pin(async move { tick.wait().await })
            }
        },
    ),
    heartbeat(
        "one-timer-with-jitter",
        &[STEADY],
        "One timer pings all your clients, and its intervals vary by 30 % either way.",
        mutation! {
            fn tick<'a>(&self, mut tick: Tick<'a>) -> BoxFuture<'a, ()> {
                let mut next = tick.server.started;
                for nth in 0.. {
                    if next > Instant::now() {
                        break;
                    }
                    next += vary(tick.timer.period(), nth);
                }
                tick.timer.reset_at(next);
                Box::pin(async move { tick.wait().await })
            }
        },
    ),
    heartbeat(
        "leaver-stops-the-pings",
        &[STEADY],
        "The first client that leaves stops the timer for all; a timer that belongs to everyone \
         outlives each.",
        LEAVER_STOPS_PINGS,
    ),
    heartbeat(
        "pings-ever-rarer",
        &[STEADY],
        "Your pings come ever more rarely, each a quarter of an interval later than the one \
         before.",
        mutation! {
            fn tick<'a>(&self, mut tick: Tick<'a>) -> BoxFuture<'a, ()> {
                Box::pin(async move {
                    tick.wait().await;
                    sleep(tick.server.interval / 4 * (tick.beat - 1)).await;
                    tick.timer.reset();
                })
            }
        },
    ),
    heartbeat(
        "five-pings-and-no-more",
        &[STEADY],
        "Your server pings each client five times and then never again.",
        mutation! {
            fn send_ping<'a>(&self, _: &'a Server, conn: &'a Conn, beat: u32) -> BoxFuture<'a, ()> {
                send_first_pings(conn, beat, 5)
            }
        },
    ),
    heartbeat(
        "two-beats-of-grace",
        &[DEAD, RELAPSE, CHATTER],
        "Your server forgives one ping that stays unanswered, and drops a beat late.",
        mutation! { fn allowed_misses(&self) -> u32 { 2 } },
    ),
    heartbeat(
        "drop-stops-the-pings",
        &[NEIGHBOURS],
        "When one client is dropped, the timer of all stops: what belongs to everyone outlives \
         each.",
        mutation! {
            fn drop_client<'a>(&self, _: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
                DROPPED.store(true, SeqCst);
                conn.kill();
                done()
            }
            fn skips(&self, _: &Server, _: &Conn, _: u32) -> bool {
                DROPPED.load(SeqCst)
            }
        },
    ),
    heartbeat(
        "pong-brings-the-next-ping",
        &[STEADY],
        "Your server answers each pong with another ping, so the two never rest.",
        mutation! {
            fn pong(&self, _: &Server, conn: &Conn, _: &[u8]) {
                conn.out.push(frame::encode(frame::PING, b""));
                answer::pong(conn);
            }
        },
    ),
    heartbeat(
        "a-beat-and-a-half",
        &[PINGS, STEADY],
        "Your server pings every interval and a half: what is done between two beats belongs into \
         the interval and not behind it.",
        mutation! { fn interval(&self, configured: Duration) -> Duration { configured * 3 / 2 } },
    ),
    heartbeat(
        "drops-half-a-beat-late",
        &[DEAD, RELAPSE, CHATTER],
        "Your server finds out at the beat that a client is dead, and gives it half an interval \
         more.",
        DROPS_HALF_A_BEAT_LATE,
    ),
    heartbeat(
        "traffic-replaces-pings",
        &[BUSY, CHATTER],
        "Your server leaves out the ping if the client has spoken since the last one; a message \
         shows that it can send, not that it hears you.",
        TRAFFIC_REPLACES_PINGS,
    ),
    heartbeat(
        "timer-restarts-with-every-message",
        &[BUSY, CHATTER],
        "Each message restarts your heartbeat's timer, as a `sleep` inside `select!` does, so a \
         busy client is never pinged; make the interval once, before the loop.",
        mutation! {
            fn message(&self, conn: &Conn, _: &Message) {
                conn.restart.notify_one();
            }
        },
    ),
    heartbeat(
        "timer-restarts-with-every-ping",
        &[BUSY, CHATTER],
        "Your timer restarts with every ping from the client, so a client that pings you is never \
         pinged.",
        mutation! {
            fn ping(&self, conn: &Conn, payload: &[u8]) {
                conn.restart.notify_one();
                answer::ping(conn, payload);
            }
        },
    ),
    heartbeat(
        "timer-restarts-with-every-binary-message",
        &[BUSY, CHATTER],
        "Your timer starts anew with every binary message; no message sets it back, of whatever \
         kind.",
        mutation! {
            fn message(&self, conn: &Conn, message: &Message) {
                if message.binary {
                    conn.restart.notify_one();
                }
            }
        },
    ),
    heartbeat(
        "no-pings-amid-fragments",
        &[BUSY],
        "Your server waits for the last fragment of a message before it looks at the clock again; \
         a ping may go between fragments, and the beat goes on.",
        mutation! {
            fn skips(&self, _: &Server, conn: &Conn, _: u32) -> bool {
                conn.in_message.load(SeqCst)
            }
        },
    ),
    heartbeat(
        "timer-restarts-with-every-pong",
        &[BUSY],
        "Your timer starts anew with every pong, so a client that answers late is pinged late, \
         and one that sends pongs unasked never.",
        mutation! {
            fn pong(&self, _: &Server, conn: &Conn, _: &[u8]) {
                conn.restart.notify_one();
                answer::pong(conn);
            }
        },
    ),
    heartbeat(
        "pongs-echoed",
        &[BUSY, NEIGHBOURS, STALLED],
        "Your server answers whatever comes out of the stream, and since it pings, pongs come \
         too: only text and binary are messages.",
        ECHOES_PONGS,
    ),
    heartbeat(
        "ping-with-every-message",
        &[BUSY],
        "Your server sends a ping with every message on top of the beat; the clock alone decides \
         when to ping.",
        mutation! {
            fn reply(&self, _: &Server, conn: &Conn, said: &str) -> Option<String> {
                conn.out.push(frame::encode(frame::PING, b""));
                reply(said)
            }
        },
    ),
];
