//! The base of the museum: a server for all three exercises on raw frames, right to the last row of the
//! contract. Every faulty piece is this server with one [`Twist`] or two, asked for at the place of the mistake.

mod answer;
mod beat;
mod conn;
mod frame;
mod handshake;
mod hub;
mod outbox;
mod reader;
mod twist;

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::config::Config;
use crate::log::Log;
use crate::pieces::Exercise;
use conn::Conn;
use outbox::{Disguise, Outbox};
use reader::{End, Reader};
pub(crate) use twist::Twist;

/// How long a client may take over its handshake.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all connections share.
pub(crate) struct Server {
    exercise: Exercise,
    interval: Duration,
    twists: &'static [Twist],
    started: Instant,
    /// For a twist: what is random in all connections alike.
    seed: u64,
    log: Log,
    hub: hub::Hub,
    next: AtomicU64,
    seats: Semaphore,
    stop_accepting: Notify,
    /// For twists: a lock whose holder may panic, and until when all heartbeats rest.
    tally: Mutex<()>,
    rest_until: Mutex<Instant>,
    last_pong: Mutex<Instant>,
    last_drop: Mutex<Instant>,
    /// For a twist: the places of dropped clients, still marked as unanswered.
    dead_places: AtomicU64,
    welcomed: AtomicBool,
    closed: AtomicBool,
    message: Mutex<String>,
    fragments: Mutex<Option<(u8, Vec<u8>)>>,
}

impl Server {
    fn has(&self, twist: Twist) -> bool {
        self.twists.contains(&twist)
    }
}

/// Binds, and serves until killed.
pub(crate) async fn run(
    config: Config,
    exercise: Exercise,
    twists: &'static [Twist],
) -> io::Result<()> {
    run_on(TcpListener::bind(&config.addr).await?, config, exercise, twists).await
}

/// Serves until killed.
pub(crate) async fn run_on(
    listener: TcpListener,
    config: Config,
    exercise: Exercise,
    twists: &'static [Twist],
) -> io::Result<()> {
    let addr = listener.local_addr()?;
    let log = Log::start(twists.contains(&Twist::LogIsBuffered));
    let seats = match () {
        () if twists.contains(&Twist::PoolOfFour)
            || twists.contains(&Twist::FourHandshakesAtATime) =>
        {
            4
        }
        () if twists.contains(&Twist::PoolOfSixtyFour)
            || twists.contains(&Twist::HandshakesUpTo64) =>
        {
            64
        }
        () => Semaphore::MAX_PERMITS,
    };
    let server = Arc::new(Server {
        exercise,
        interval: config.interval,
        twists,
        started: Instant::now(),
        seed: RandomState::new().hash_one(addr),
        log: log.clone(),
        hub: hub::Hub::default(),
        seats: Semaphore::new(seats),
        stop_accepting: Notify::new(),
        tally: Mutex::new(()),
        rest_until: Mutex::new(Instant::now()),
        last_pong: Mutex::new(Instant::now()),
        last_drop: Mutex::new(Instant::now()),
        dead_places: AtomicU64::new(0),
        welcomed: AtomicBool::new(false),
        closed: AtomicBool::new(false),
        message: Mutex::default(),
        fragments: Mutex::default(),
        next: AtomicU64::new(0),
    });
    hub::start_relays(&server);
    let ready = format!("WebSocket server running on ws://{addr}");
    if server.has(Twist::ReadyLate) {
        tokio::spawn(async move {
            sleep(Duration::from_secs(2)).await;
            log.ready(ready);
        });
    } else {
        log.ready(ready);
    }
    if server.has(Twist::Chatty) {
        tokio::spawn(chat(server.log.clone()));
    }
    tokio::select! {
        () = accept(&server, &listener) => {}
        () = server.stop_accepting.notified() => {}
    }
    drop(listener);
    std::future::pending().await
}

async fn accept(server: &Arc<Server>, listener: &TcpListener) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let server = server.clone();
        drop(stream.set_nodelay(!server.has(Twist::WaitsForAcks)));
        if server.has(Twist::OneAtATime) {
            serve(server, stream).await;
        } else if server.has(Twist::HandshakeInAcceptLoop) {
            if let Some(rest) = handshake::shake(&server, &mut stream).await {
                tokio::spawn(attend(server, stream, rest, None));
            }
        } else {
            tokio::spawn(serve(server, stream));
        }
    }
}

async fn serve(server: Arc<Server>, mut stream: TcpStream) {
    let Ok(seat) = server.seats.acquire().await else {
        return;
    };
    let early = if server.has(Twist::JoinsBeforeHandshake) { join(&server) } else { None };
    if let Ok(Some(rest)) = timeout(PATIENCE, handshake::shake(&server, &mut stream)).await {
        let only_for_handshakes =
            server.has(Twist::FourHandshakesAtATime) || server.has(Twist::HandshakesUpTo64);
        let _seat = (!only_for_handshakes).then_some(seat);
        attend(server.clone(), stream, rest, early).await;
    } else if let Some(conn) = early {
        server.hub.leave(&server, &conn, &End::Dropped);
    }
}

/// One connection, from its handshake to its end; `early` is set if it joined before.
async fn attend(server: Arc<Server>, stream: TcpStream, rest: Vec<u8>, early: Option<Arc<Conn>>) {
    while server.has(Twist::SlowDelaysNewcomers) && server.hub.lags() {
        sleep(Duration::from_millis(5)).await;
    }
    let Some(conn) = early.or_else(|| join(&server)) else { return };
    if server.has(Twist::JoinsBeforeWelcome) {
        sleep(Duration::from_millis(2)).await;
        answer::welcome(&server, &conn);
    }
    answer::log_connected(&server);
    let (read, mut write) = stream.into_split();
    let mut writer = tokio::spawn({
        let (conn, pace) = (conn.clone(), hub::pace(&server));
        let pieces = server.has(Twist::WritesInPieces);
        async move { outbox::write(&conn.out, &mut write, pace, pieces).await }
    });
    let beat = tokio::spawn(beat::run(server.clone(), conn.clone()));
    let mut reader = Reader::new(read, rest);
    let end = tokio::select! {
        biased;
        () = conn.killed() => End::Dropped,
        end = reader.run(&server, &conn) => end,
    };
    beat.abort();
    if server.has(Twist::LeavesByIndex) {
        server.hub.leave_by_index(&server, &conn, &end).await;
    } else {
        server.hub.leave(&server, &conn, &end);
    }
    let polite = answer::farewell(&server, &conn, &end);
    if matches!(end, End::Vanished { .. })
        && conn.out.pending().1 > 0
        && server.has(Twist::ExitsAmidAWrite)
    {
        eprintln!("called `Result::unwrap()` on an `Err` value: Io(Broken pipe)");
        std::process::exit(101);
    }
    answer::log_disconnected(&server, &end);
    aftermath(&server, &end);
    let mut written = false;
    if polite {
        if server.has(Twist::TcpLeftOpen) {
            std::future::pending::<()>().await;
        }
        // The client may still be sending: closing now would reset the connection under our close frame.
        written = timeout(Duration::from_secs(2), &mut writer).await.is_ok();
        drop(timeout(Duration::from_secs(1), reader.drain()).await);
    }
    let resets = match end {
        End::Violation(_) => server.has(Twist::ResetsOffenders),
        End::Dropped => server.has(Twist::ResetsTheDead),
        _ => false,
    };
    if resets {
        reader.reset();
    }
    if !written {
        writer.abort();
        drop(writer.await);
    }
    conn.out.abandon();
}

/// For twists: what becomes of each frame that leaves.
fn disguise(server: &Server) -> Option<Disguise> {
    match () {
        () if server.has(Twist::MasksItsFrames) => Some(frame::masked),
        () if server.has(Twist::LengthsOfEightBytes) => Some(frame::with_long_length),
        () if server.has(Twist::ReservedBitSet) => Some(frame::with_reserved_bit),
        () => None,
    }
}

/// A new connection, in its place among the others, if there is one for it.
fn join(server: &Server) -> Option<Arc<Conn>> {
    let _one_by_one = server.tally.lock().unwrap_or_else(PoisonError::into_inner);
    let next = server.next.fetch_add(1, Relaxed);
    let id = if server.has(Twist::NumbersByCount) { server.hub.all().len() as u64 } else { next };
    let conn = Arc::new(Conn::new(id, Outbox::new(disguise(server))));
    if server.has(Twist::PlacesKeepTheirFlag) && server.dead_places.swap(0, Relaxed) > 0 {
        conn.alive.store(false, Relaxed);
    }
    server.hub.join(server, &conn).then_some(conn)
}

/// What one client's end does to the others: nothing, but for the twists.
fn aftermath(server: &Arc<Server>, end: &End) {
    let violated = matches!(end, End::Violation(_));
    let (reset, mid_frame) = match *end {
        End::Vanished { reset, mid_frame } => (reset, mid_frame),
        _ => (false, false),
    };
    // Who merely hangs up between two frames has not vanished.
    let vanished = reset || mid_frame;
    if vanished && server.has(Twist::AcceptLoopEnds) {
        server.stop_accepting.notify_one();
    }
    if reset && server.has(Twist::PanicsOnReset) {
        eprintln!("thread 'main' panicked: Connection reset by peer (os error 104)");
        std::process::exit(101);
    }
    if matches!(end, End::Vanished { mid_frame: true, .. }) && server.has(Twist::ExitsOnHalfAFrame)
    {
        eprintln!("Error: UnexpectedEof");
        std::process::exit(1);
    }
    if vanished && server.has(Twist::PoisonsLockOnVanish) {
        let server = server.clone();
        drop(std::thread::spawn(move || {
            let _held = server.tally.lock();
            panic!("connection lost");
        }));
    }
    if vanished && server.has(Twist::VanishEndsAll)
        || violated && server.has(Twist::ViolationEndsAll)
    {
        server.hub.kill_all();
    }
    if violated && server.has(Twist::ViolationEndsProcess) {
        eprintln!("Error: Protocol error");
        std::process::exit(1);
    }
}

/// Lines that are nobody's business, on both streams.
async fn chat(log: Log) {
    for n in 0_u64.. {
        log.line(format!("[debug] tick {n}: all is well, Client count unknown, nothing Received"));
        eprintln!("[trace] still here after {n} ticks");
        sleep(Duration::from_millis(5)).await;
    }
}
