//! Imports and helpers of the mutations, and mutations of several faults.

use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use tokio::time::{MissedTickBehavior, interval_at};

pub(super) use std::future::{pending, ready};
pub(super) use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
pub(super) use std::sync::{Arc, Mutex};
pub(super) use std::time::Duration;

pub(super) use futures_util::future::BoxFuture;
pub(super) use tokio::net::TcpStream;
pub(super) use tokio::time::{Instant, Interval, sleep, timeout};
pub(super) use tokio_tungstenite::tungstenite::Bytes;

pub(super) use super::{Fault, frames};
pub(super) use crate::base::answer::{self, Control, Decoded, Event, Reply};
pub(super) use crate::base::beat::Tick;
pub(super) use crate::base::conn::Conn;
pub(super) use crate::base::handshake::{self, HandshakeFailure, Request};
pub(super) use crate::base::hub::{self, Clients};
pub(super) use crate::base::outbox::Pace;
pub(super) use crate::base::reader::{Assembled, End, Fragments, Frame, MESSAGE_LIMIT, Message};
pub(super) use crate::base::{
    Exercise, Mutation, PREFIX, Server, WELCOME, attend, beat, converse, frame, join, lock,
    mutation, serve, shake,
};
pub(super) use crate::log::Log;

pub(super) const MEBIBYTE: usize = 1024 * 1024;

/// The time at which a client joined last.
pub(super) static LAST_JOIN: Mutex<Option<Instant>> = Mutex::new(None);
/// The time of the last pong from any client.
static LAST_PONG: Mutex<Option<Instant>> = Mutex::new(None);
/// A client has left.
static LEAVER: AtomicBool = AtomicBool::new(false);
/// The replies so far.
pub(super) static HISTORY: Mutex<Vec<Bytes>> = Mutex::new(Vec::new());

pub(super) fn done<'a>() -> BoxFuture<'a, ()> {
    Box::pin(ready(()))
}

pub(super) fn ok<'a>() -> BoxFuture<'a, Result<(), End>> {
    Box::pin(ready(Ok(())))
}

/// Returns the reply to this text.
pub(super) fn reply(said: impl Display) -> Option<String> {
    Some(format!("{PREFIX}{said}"))
}

/// Queues a frame for this client, or for all clients of a room.
pub(super) fn answer_all(server: &Server, conn: &Conn, frame: Bytes) {
    if server.exercise == Exercise::Broadcast {
        server.hub.all().iter().for_each(|to| to.out.push(frame.clone()));
    } else {
        conn.out.push(frame);
    }
}

/// Queues a text for each of these clients.
pub(super) fn notify_all(clients: &Clients, text: &str) {
    clients.values().for_each(|to| to.out.push(frame::text(text)));
}

/// Delivers a reply from a task of its own, after the next message was answered.
pub(super) fn deliver_later(reply: &Reply<'_>) {
    let (server, conn) = (reply.server.clone(), reply.conn.clone());
    let (frame, nth, binary, pipelined) =
        (reply.frame.clone(), reply.nth, reply.binary, reply.pipelined);
    tokio::spawn(async move {
        sleep(Duration::from_millis(3)).await;
        let (server, conn) = (&server, &conn);
        Reply { server, conn, said: "", frame, nth, binary, pipelined }.deliver();
    });
}

/// Returns true if a client has stopped reading, and not only fallen behind.
pub(super) fn is_stuck(to: &Conn) -> bool {
    let (frames, bytes) = to.out.pending();
    frames > 1000 && bytes > MEBIBYTE && to.out.stuck() > Duration::from_secs(1)
}

/// Returns a 101 response that copies a header of the request.
pub(super) fn copy_header(request: &Request, accept_key: &str, name: &str) -> String {
    let line = request.line(name).map(|line| format!("{line}\r\n"));
    handshake::response(accept_key, &line.unwrap_or_default())
}

/// Ends the process as an `unwrap` of this error does.
pub(super) fn fail_unwrap(error: &str) -> ! {
    eprintln!("called `Result::unwrap()` on an `Err` value: {error}");
    std::process::exit(101)
}

/// Returns a timer that all connections share: its ticks count from the server's start.
pub(super) fn shared_timer(server: &Server) -> Interval {
    let ticks = server.started.elapsed().as_nanos() / server.interval.as_nanos();
    let next = server.started + server.interval * (ticks as u32 + 1);
    let mut timer = interval_at(next, server.interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
    timer
}

/// Returns an interval that varies by 30 % either way with this number.
pub(super) fn vary(interval: Duration, nth: u64) -> Duration {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    interval.mul_f64(0.7 + 0.6 * (SEED.hash_one(nth) as f64 / u64::MAX as f64))
}

pub(crate) const STATUS_200: &dyn Mutation = mutation! {
    fn response(&self, _: &Request, accept_key: &str) -> String {
        handshake::response(accept_key, "").replace("101 Switching Protocols", "200 OK")
    }
};

pub(crate) const NO_WELCOME: &dyn Mutation = mutation! {
    fn welcome(&self, _: &Server, _: &Conn) {}
};

pub(crate) const NO_REPLY: &dyn Mutation = mutation! {
    fn reply(&self, _: &Server, _: &Conn, _: &str) -> Option<String> {
        None
    }
};

pub(super) const FIRST_TEN_CONNECTIONS: &dyn Mutation = mutation! {
    fn reply(&self, _: &Server, conn: &Conn, said: &str) -> Option<String> {
        if conn.id < 10 { reply(said) } else { reply(format!("Hello, client {}", conn.id)) }
    }
};

pub(super) const RIGHT_FOR_ONE_SECOND: &dyn Mutation = mutation! {
    fn reply(&self, server: &Server, _: &Conn, said: &str) -> Option<String> {
        let young = server.started.elapsed() <= Duration::from_secs(1);
        reply(if young { said } else { "Hello" })
    }
};

pub(super) const ESCAPES_HTML: &dyn Mutation = mutation! {
    fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
        reply(said.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
    }
};

pub(super) const IGNORES_EMPTY: &dyn Mutation = mutation! {
    fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
        if said.is_empty() { None } else { reply(said) }
    }
};

pub(super) const SLASH_IS_A_COMMAND: &dyn Mutation = mutation! {
    fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
        if said.starts_with('/') { None } else { reply(said) }
    }
};

pub(super) const PARSES_NUMBERS: &dyn Mutation = mutation! {
    fn reply(&self, _: &Server, _: &Conn, said: &str) -> Option<String> {
        said.parse::<f64>().map_or_else(|_| reply(said), reply)
    }
};

pub(super) const REORDERS_PAIRS: &dyn Mutation = mutation! {
    fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
        if reply.nth.is_multiple_of(2) { deliver_later(&reply) } else { reply.deliver() }
        ok()
    }
};

pub(super) const UNBOUNDED_QUEUE: &dyn Mutation = mutation! {
    fn offer(&self, to: &Conn, frame: &Bytes) {
        to.out.push(frame.clone());
    }
};

pub(super) const FRAGMENTS_ONE_BY_ONE: &dyn Mutation = mutation! {
    fn assemble(&self, _: &mut Fragments, frame: Frame) -> Assembled {
        let binary = frame.head.opcode == frame::BINARY;
        let bytes = frame.payload;
        Ok(Some(Message { binary, bytes, in_fragments: false, pipelined: false }))
    }
};

pub(super) const BINARY_AS_BINARY: &dyn Mutation = mutation! {
    fn decode_binary(&self, server: &Server, conn: &Conn, bytes: &[u8]) -> Decoded {
        let text = format!("{PREFIX}{}", String::from_utf8_lossy(bytes));
        answer_all(server, conn, frame::encode(frame::BINARY, text.as_bytes()));
        Ok(None)
    }
};

pub(super) const BINARY_DROPPED: &dyn Mutation = mutation! {
    fn decode_binary(&self, _: &Server, _: &Conn, _: &[u8]) -> Decoded {
        Ok(None)
    }
};

pub(super) const PONG_IS_EMPTY: &dyn Mutation = mutation! {
    fn ping(&self, conn: &Conn, _: &[u8]) {
        answer::ping(conn, b"");
    }
};

pub(super) const ECHOES_PONGS: &dyn Mutation = mutation! {
    fn pong(&self, server: &Server, conn: &Conn, payload: &[u8]) {
        let text = format!("{PREFIX}{}", String::from_utf8_lossy(payload));
        answer_all(server, conn, frame::text(&text));
        answer::pong(conn);
    }
};

pub(super) const CLOSE_IS1000: &dyn Mutation = mutation! {
    fn close<'a>(&self, conn: &'a Conn, _: Option<u16>, _: &'a str) -> BoxFuture<'a, ()> {
        conn.out.push_last(frame::close(Some(1000)));
        done()
    }
};

pub(super) const PANICS_ON_RESET: &dyn Mutation = mutation! {
    fn ended(&self, _: &Arc<Server>, _: &Conn, end: &End) {
        if matches!(end, End::Vanished { reset: true, .. }) {
            eprintln!("thread 'main' panicked: Connection reset by peer (os error 104)");
            std::process::exit(101);
        }
    }
};

pub(super) const EXITS_ON_HALF_A_FRAME: &dyn Mutation = mutation! {
    fn ended(&self, _: &Arc<Server>, _: &Conn, end: &End) {
        if matches!(end, End::Vanished { mid_frame: true, .. }) {
            eprintln!("Error: UnexpectedEof");
            std::process::exit(1);
        }
    }
};

pub(super) const EXITS_AMID_A_WRITE: &dyn Mutation = mutation! {
    fn ended(&self, _: &Arc<Server>, conn: &Conn, end: &End) {
        if matches!(end, End::Vanished { .. }) && conn.out.pending().1 > 0 {
            fail_unwrap("Io(Broken pipe)");
        }
    }
};

pub(super) const VIOLATION_ENDS_ALL: &dyn Mutation = mutation! {
    fn ended(&self, server: &Arc<Server>, _: &Conn, end: &End) {
        if matches!(end, End::Violation(_)) {
            server.hub.kill_all();
        }
    }
};

pub(super) const NO_PINGS: &dyn Mutation = mutation! {
    fn heartbeat<'a>(&self, _: &'a Arc<Server>, _: &'a Conn) -> BoxFuture<'a, ()> {
        done()
    }
};

pub(super) const ONLY_FIRST_TEN_ARE_PINGED: &dyn Mutation = mutation! {
    fn heartbeat<'a>(&self, server: &'a Arc<Server>, conn: &'a Conn) -> BoxFuture<'a, ()> {
        if conn.id < 10 { Box::pin(beat::run(server, conn)) } else { done() }
    }
};

pub(super) const FIRST_PING_LATE: &dyn Mutation = mutation! {
    fn heartbeat<'a>(&self, server: &'a Arc<Server>, conn: &'a Conn) -> BoxFuture<'a, ()> {
        Box::pin(async {
            sleep(server.interval).await;
            beat::run(server, conn).await;
        })
    }
};

pub(super) const TRAFFIC_REPLACES_PINGS: &dyn Mutation = mutation! {
    fn skips(&self, _: &Server, conn: &Conn, _: u32) -> bool {
        let messages = u64::from(conn.messages.load(SeqCst));
        conn.note.swap(messages, SeqCst) != messages
    }
};

pub(super) const JOIN_POSTPONES_PINGS: &dyn Mutation = mutation! {
    fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
        *lock(&LAST_JOIN) = Some(Instant::now());
        hub::join(server, clients, conn)
    }
    fn tick<'a>(&self, mut tick: Tick<'a>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            loop {
                tick.wait().await;
                let period = tick.timer.period();
                let next = lock(&LAST_JOIN).map_or_else(Instant::now, |at| at + period);
                if next <= Instant::now() {
                    return;
                }
                tick.timer.reset_at(next);
            }
        })
    }
};

pub(super) const LEAVER_STOPS_PINGS: &dyn Mutation = mutation! {
    fn left(&self, _: &mut Clients, _: u64, end: &End) {
        LEAVER.fetch_or(!matches!(end, End::Dropped), SeqCst);
    }
    fn skips(&self, _: &Server, _: &Conn, _: u32) -> bool {
        LEAVER.load(SeqCst)
    }
};

pub(super) const DROPS_HALF_A_BEAT_LATE: &dyn Mutation = mutation! {
    fn drop_client<'a>(&self, server: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
        Box::pin(async {
            sleep(server.interval / 2).await;
            conn.kill();
        })
    }
};

pub(super) const DROPS_THE_IDLE: &dyn Mutation = mutation! {
    fn answered<'a>(&self, server: &'a Server, conn: &'a Conn, beat: u32) -> BoxFuture<'a, bool> {
        if beat > 4 && conn.messages.load(SeqCst) == 0 {
            return Box::pin(ready(false));
        }
        Box::pin(beat::answered(server, conn))
    }
};

pub(super) const NEVER_DROPS: &dyn Mutation = mutation! {
    fn answered<'a>(&self, _: &'a Server, _: &'a Conn, _: u32) -> BoxFuture<'a, bool> {
        Box::pin(ready(true))
    }
};

pub(super) const FIRST_PONG_FOR_EVER: &dyn Mutation = mutation! {
    fn answered<'a>(&self, server: &'a Server, conn: &'a Conn, _: u32) -> BoxFuture<'a, bool> {
        if conn.pongs.load(SeqCst) > 0 {
            return Box::pin(ready(true));
        }
        Box::pin(beat::answered(server, conn))
    }
};

pub(super) const SHARED_PONG: &dyn Mutation = mutation! {
    fn pong(&self, _: &Server, conn: &Conn, _: &[u8]) {
        *lock(&LAST_PONG) = Some(Instant::now());
        answer::pong(conn);
    }
    fn answered<'a>(&self, server: &'a Server, _: &'a Conn, _: u32) -> BoxFuture<'a, bool> {
        let last = lock(&LAST_PONG).unwrap_or(server.started);
        Box::pin(ready(last.elapsed() < server.interval * 3 / 2))
    }
};

pub(super) const DROPS_AFTER_THREE_BEATS: &dyn Mutation = mutation! {
    fn allowed_misses(&self) -> u32 {
        3
    }
};

pub(super) const LATE_PONGS_ARE_LOST: &dyn Mutation = mutation! {
    fn pong(&self, server: &Server, conn: &Conn, _: &[u8]) {
        let late = conn.last_ping().is_some_and(|at| at.elapsed() > server.interval / 2);
        if !late {
            answer::pong(conn);
        }
    }
};

pub(super) const MESSAGES_COUNT: &dyn Mutation = mutation! {
    fn message(&self, conn: &Conn, _: &Message) {
        conn.alive.store(true, SeqCst);
    }
};

pub(super) const DROPS_THE_NEXT_TOO: &dyn Mutation = mutation! {
    fn drop_client<'a>(&self, server: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
        server.hub.next_to(conn).inspect(|next| next.kill());
        conn.kill();
        done()
    }
};

pub(super) const DROP_STOPS_ACCEPTING: &dyn Mutation = mutation! {
    fn drop_client<'a>(&self, server: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
        server.stop_accepting.notify_one();
        conn.kill();
        done()
    }
};

pub(super) const BEAT_AWAITS_WRITE: &dyn Mutation = mutation! {
    fn tick<'a>(&self, mut tick: Tick<'a>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            tick.wait().await;
            tick.conn.out.at_most(0).await;
        })
    }
};

pub(super) const LAST_MESSAGE_REPLAYED: &dyn Mutation = mutation! {
    fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
        lock(&HISTORY).push(reply.frame.clone());
        reply.deliver();
        ok()
    }
    fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
        let joined = hub::join(server, clients, conn);
        lock(&HISTORY).last().inspect(|frame| conn.out.push((*frame).clone()));
        joined
    }
};

pub(super) const LEAVE_NOTICE: &dyn Mutation = mutation! {
    fn left(&self, clients: &mut Clients, _: u64, end: &End) {
        if !matches!(end, End::Dropped) {
            notify_all(clients, "Client left");
        }
    }
};

pub(crate) const READY_LATE: &dyn Mutation = mutation! {
    fn announce(&self, log: &Log, line: String) {
        let log = log.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(2)).await;
            log.line(line);
        });
    }
};
