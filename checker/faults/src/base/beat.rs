//! The heartbeat of one connection: a timer of its own, a ping each beat, the end for who did not answer the last.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, timeout};

use super::conn::Conn;
use super::{Server, Twist, frame};
use crate::pieces::Exercise;

/// Beats until the connection ends; ends it when its time has come.
pub(crate) async fn run(server: Arc<Server>, conn: Arc<Conn>) {
    let unpinged = server.has(Twist::NoPings)
        || server.has(Twist::OnlyFirstIsPinged) && conn.id > 0
        || server.has(Twist::OnlyFirstTenArePinged) && conn.id >= 10;
    if server.exercise == Exercise::Echo && !server.has(Twist::PingsInEcho) || unpinged {
        return;
    }
    let period = period(&server);
    let mut ticks = ticks(&server, period);
    if server.has(Twist::SharedReaper) {
        return beside_a_reaper(&server, &conn, ticks).await;
    }
    if server.has(Twist::TwoPingsAtOpening) {
        ping(&server, &conn, 2);
    }
    if server.has(Twist::FirstPingLate) {
        ticks.tick().await;
    }
    let mut missed = 0;
    for beat in 1.. {
        tick(&server, &conn, &mut ticks).await;
        // One task for each connection looks at no tick while it awaits a write.
        let _turn = conn.turn.lock().await;
        if server.has(Twist::PingsEverRarer) {
            sleep(period / 4 * (beat - 1)).await;
            ticks.reset();
        }
        if server.has(Twist::BeatAwaitsWrite) {
            conn.out.at_most(0).await;
        }
        if server.has(Twist::SweepAwaitsWrites) {
            for other in server.hub.all() {
                other.out.at_most(0).await;
            }
        }
        if server.has(Twist::OnlyLastIsPinged) && conn.id + 1 != server.next.load(SeqCst)
            || server.has(Twist::LeaverStopsPings) && server.hub.somebody_left()
            || timer_ended(&server, period)
        {
            return;
        }
        if left_out(&server, &conn, beat) {
            continue;
        }
        if answered(&server, &conn, beat, period).await {
            missed = 0;
        } else {
            missed += 1;
            if missed >= misses(&server) {
                return end(&server, &conn, period).await;
            }
        }
        match () {
            () if server.has(Twist::PingsOnce) && beat > 1 => return,
            () if server.has(Twist::PingsFive) && beat > 5 => return,
            () if server.has(Twist::PingsTwice) => ping(&server, &conn, 2),
            () if server.has(Twist::PingsInBursts) && beat > 1 => ping(&server, &conn, 3),
            () => ping(&server, &conn, 1),
        }
        if server.has(Twist::NoLimitOnPings) {
            conn.out.at_most(0).await;
        } else if server.has(Twist::NoLimitOnReplies)
            && timeout(period, conn.out.at_most(0)).await.is_err()
        {
            return conn.kill();
        }
        if server.has(Twist::DropsAfterHalfABeat) {
            sleep(period / 2).await;
            if !conn.alive.load(SeqCst) {
                return end(&server, &conn, period).await;
            }
        }
    }
}

/// For a twist: a timer of its own pings the client, and one that all share looks whether it has answered.
async fn beside_a_reaper(server: &Server, conn: &Conn, mut ticks: Interval) {
    let period = ticks.period();
    let mut reaper = sweeps(server, period);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                conn.alive.store(false, SeqCst);
                ping(server, conn, 1);
            }
            _ = reaper.tick() => {
                let pinged = *conn.pinged.lock().unwrap_or_else(PoisonError::into_inner);
                // It forgives who was pinged just now.
                if !conn.alive.load(SeqCst) && pinged.is_some_and(|at| at.elapsed() > period / 5) {
                    return end(server, conn, period).await;
                }
            }
        }
    }
}

/// What is one timer for all: the beats count from the server's start.
fn sweeps(server: &Server, period: Duration) -> Interval {
    let beats = server.started.elapsed().as_nanos() / period.as_nanos();
    let mut sweeps = interval_at(server.started + period * (beats as u32 + 1), period);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Skip);
    sweeps
}

/// For twists: whether the timer of all ended when there was no client, or at its first tick without one.
fn timer_ended(server: &Server, period: Duration) -> bool {
    let Some((emptied, refilled)) = server.hub.without_clients() else { return false };
    let tick_of = |at: Instant| (at - server.started).as_nanos() / period.as_nanos();
    server.has(Twist::TimerEndsWithLastClient)
        || server.has(Twist::TimerEndsInEmptyRoom) && tick_of(emptied) < tick_of(refilled)
}

/// For a twist: the next tick of a timer of all whose interval varies.
fn next_irregular(server: &Server, period: Duration) -> Instant {
    let mut tick = server.started;
    let mut ticks = 0;
    while tick <= Instant::now() {
        tick += varied(server, period, ticks);
        ticks += 1;
    }
    tick
}

/// For twists: an interval that varies by 30 % either way with this number.
fn varied(server: &Server, period: Duration, nth: u64) -> Duration {
    let mut hasher = DefaultHasher::new();
    (server.seed, nth).hash(&mut hasher);
    period.mul_f64(0.7 + 0.6 * (hasher.finish() as f64 / u64::MAX as f64))
}

/// How many pings have to stay unanswered.
fn misses(server: &Server) -> u32 {
    match () {
        () if server.has(Twist::DropsAfterThreeBeats) => 3,
        () if server.has(Twist::DropsAfterTwoBeats) => 2,
        () => 1,
    }
}

fn period(server: &Server) -> Duration {
    match () {
        () if server.has(Twist::HardCoded100) => Duration::from_millis(100),
        () if server.has(Twist::HardCoded200) => Duration::from_millis(200),
        () if server.has(Twist::AtMostHalfASecond) => {
            server.interval.min(Duration::from_millis(500))
        }
        () if server.has(Twist::IntervalInSixteenBits) => {
            Duration::from_millis(u64::from(server.interval.as_millis() as u16))
        }
        () if server.has(Twist::PingsInEcho) => Duration::from_millis(50),
        () if server.has(Twist::BeatAndAHalf) => server.interval * 3 / 2,
        () if server.has(Twist::IntervalInSeconds) => server.interval * 1000,
        () => server.interval,
    }
}

/// A timer of the connection's own, or one for all.
fn ticks(server: &Server, period: Duration) -> Interval {
    let one_timer = [
        Twist::DropsOneABeat,
        Twist::TimerEndsWithLastClient,
        Twist::TimerEndsInEmptyRoom,
        Twist::LateArrivalsSkipABeat,
    ];
    if one_timer.into_iter().any(|twist| server.has(twist)) {
        return sweeps(server, period);
    }
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Waits for the next beat.
async fn tick(server: &Server, conn: &Conn, ticks: &mut Interval) {
    let postponing = [
        Twist::TrafficPostponesPings,
        Twist::BinaryPostponesPings,
        Twist::ClientsPingsPostponePings,
        Twist::PongPostponesPings,
        Twist::DeliveriesPostponePings,
    ];
    let postponable = postponing.into_iter().any(|twist| server.has(twist));
    // The first ping of a connection comes on time.
    let pinged = conn.pinged.lock().unwrap_or_else(PoisonError::into_inner).is_some();
    if server.has(Twist::Jitter) && pinged {
        let now = server.started.elapsed().as_nanos() as u64;
        ticks.reset_after(varied(server, ticks.period(), now));
    }
    if server.has(Twist::SharedJitter) {
        ticks.reset_at(next_irregular(server, ticks.period()));
    }
    loop {
        tokio::select! {
            _ = ticks.tick() => match server.hub.last_join() {
                Some(at) if server.has(Twist::JoinPostponesPings) && at.elapsed() < ticks.period() => {
                    ticks.reset_at(at + ticks.period());
                }
                _ => return,
            },
            () = conn.talk.notified(), if postponable => ticks.reset(),
        }
    }
}

/// Whether this beat does not take place.
fn left_out(server: &Server, conn: &Conn, beat: u32) -> bool {
    let resting =
        Instant::now() < *server.rest_until.lock().unwrap_or_else(PoisonError::into_inner);
    resting
        || conn.skip.swap(false, SeqCst)
        || server.has(Twist::EverySecondBeat) && beat.is_multiple_of(2)
        || server.has(Twist::LateArrivalsSkipABeat)
            && beat == 1
            && conn.opened.elapsed() < server.interval / 2
        || server.has(Twist::PingsInBursts) && beat % 3 != 1
        || server.has(Twist::NoPingsInMessages) && conn.in_message.load(SeqCst)
        || server.has(Twist::TrafficReplacesPings) && conn.talked.swap(false, SeqCst)
}

/// Whether the client answered the last ping, or else may stay.
async fn answered(server: &Server, conn: &Conn, beat: u32, period: Duration) -> bool {
    let messages = conn.messages.load(SeqCst);
    match () {
        () if server.has(Twist::DropsAfterFourBeats) && beat > 4 => return false,
        () if server.has(Twist::DropsAfterEightBeats) && beat > 8 => return false,
        () if server.has(Twist::DropsTheIdle) && beat > 4 && messages == 0 => return false,
        () if server.has(Twist::NeverDrops)
            || server.has(Twist::PingsInEcho)
            || server.has(Twist::PingsAreText) =>
        {
            return true;
        }
        () if server.has(Twist::FirstPongForEver) && conn.pongs.load(SeqCst) > 0 => return true,
        () if server.has(Twist::PongsAreSaved) => {
            return beat == 1
                || conn.pongs.fetch_update(SeqCst, SeqCst, |saved| saved.checked_sub(1)).is_ok();
        }
        () if server.has(Twist::AQuarterWillDo) => return conn.pongs.load(SeqCst) * 4 >= beat - 1,
        () if server.has(Twist::SharedPong) => {
            let last = *server.last_pong.lock().unwrap_or_else(PoisonError::into_inner);
            return last.elapsed() < period * 3 / 2;
        }
        () => {}
    }
    if !conn.alive.load(SeqCst) {
        // After a hiccup of the machine the pong may be here, and only its reader not yet.
        sleep(period / 20).await;
    }
    let alive = conn.alive.swap(false, SeqCst);
    if !alive && server.has(Twist::DropsOneABeat) {
        let mut last = server.last_drop.lock().unwrap_or_else(PoisonError::into_inner);
        let another = last.elapsed() < period / 2;
        *last = Instant::now();
        return another;
    }
    alive
}

fn ping(server: &Server, conn: &Conn, times: usize) {
    let now = Instant::now();
    let ping = match () {
        () if server.has(Twist::OnlyItsOwnPongs) => {
            frame::encode(frame::PING, &(now - server.started).as_nanos().to_be_bytes())
        }
        () if server.has(Twist::PingsAreText) => frame::text("ping"),
        () if server.has(Twist::StampedPings) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            frame::encode(frame::PING, &now.as_nanos().to_be_bytes())
        }
        () => frame::encode(frame::PING, b""),
    };
    *conn.pinged.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    for _ in 0..times {
        if server.has(Twist::PingsEverybody) {
            server.hub.all().iter().for_each(|other| other.out.push(ping.clone()));
        } else {
            conn.out.push(ping.clone());
        }
    }
}

/// Drops the client.
async fn end(server: &Server, conn: &Conn, period: Duration) {
    if server.has(Twist::DropsPolitely) {
        return conn.out.push_and_fall_silent(frame::close(Some(1001)));
    }
    if server.has(Twist::SaysWhyItDrops) {
        conn.out.push_last(frame::close(Some(1001)));
        drop(timeout(period / 20, conn.out.at_most(0)).await);
    }
    if server.has(Twist::DropAwaitsWrite) {
        conn.out.at_most(0).await;
    }
    if server.has(Twist::DropsTheNextToo) {
        server.hub.next_to(conn).inspect(|next| next.kill());
    }
    if server.has(Twist::DropsEverybody) {
        server.hub.kill_all();
    }
    if server.has(Twist::DropNotice) {
        server.hub.all().iter().for_each(|other| other.out.push(frame::text("Client timed out")));
    }
    if server.has(Twist::DropStopsAccepting) {
        server.stop_accepting.notify_one();
    }
    if server.has(Twist::DropsHalfABeatLate) {
        sleep(period / 2).await;
    }
    server.dead_places.fetch_add(1, SeqCst);
    let rest = match () {
        () if server.has(Twist::DropStopsPings) => period * 1000,
        () if server.has(Twist::RestsAfterADrop) => period * 7 / 2,
        () => Duration::ZERO,
    };
    if rest > Duration::ZERO {
        *server.rest_until.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now() + rest;
    }
    if server.has(Twist::LeavesSweepAfterADrop) {
        server.hub.all().iter().for_each(|other| other.skip.store(true, SeqCst));
    }
    conn.kill();
}
