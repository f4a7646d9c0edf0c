//! The heartbeat of one connection: a ping at each tick of its timer, and the end of the
//! connection if the previous ping is unanswered.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use super::conn::Conn;
use super::{Server, frame, lock};

/// Pings until the client is dropped.
pub(crate) async fn run(server: &Arc<Server>, conn: &Conn) {
    let mutation = server.mutation;
    let mut timer = mutation.timer(server);
    let mut missed = 0;
    for beat in 1.. {
        mutation.tick(Tick { server, conn, timer: &mut timer, beat }).await;
        if mutation.skips(server, conn, beat) {
            continue;
        }
        if mutation.answered(server, conn, beat).await {
            missed = 0;
        } else {
            missed += 1;
            if missed >= mutation.allowed_misses() {
                return mutation.drop_client(server, conn).await;
            }
        }
        mutation.send_ping(server, conn, beat).await;
    }
}

/// Returns a timer. Its first tick comes after one interval.
pub(crate) fn timer(server: &Server) -> Interval {
    let mut timer = interval_at(Instant::now() + server.interval, server.interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}

/// The next tick of a connection's timer.
pub(crate) struct Tick<'a> {
    pub(crate) server: &'a Server,
    pub(crate) conn: &'a Conn,
    pub(crate) timer: &'a mut Interval,
    pub(crate) beat: u32,
}

impl Tick<'_> {
    /// Waits for it.
    pub(crate) async fn wait(&mut self) {
        loop {
            tokio::select! {
                _ = self.timer.tick() => return,
                () = self.conn.restart.notified() => self.timer.reset(),
            }
        }
    }
}

/// Returns true if a pong came since the last tick.
pub(crate) async fn answered(server: &Server, conn: &Conn) -> bool {
    if !conn.alive.load(SeqCst) {
        // On a busy machine the reader may not have run yet, though the pong has come.
        sleep(server.interval / 20).await;
    }
    conn.alive.swap(false, SeqCst)
}

/// Sends a ping.
pub(crate) fn send_ping(conn: &Conn, payload: &[u8]) {
    *lock(&conn.pinged) = Some(Instant::now());
    conn.out.push(frame::encode(frame::PING, payload));
}
