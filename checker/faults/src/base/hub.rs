//! Who is connected, and how a message gets to all of them in one order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Bytes;

use super::conn::Conn;
use super::outbox::Pace;
use super::reader::End;
use super::{Server, Twist, answer, frame};

/// A client that has more than this on its way is slow and is dropped.
const SLOW: usize = 8 * 1024 * 1024;
const MEBIBYTE: usize = 1024 * 1024;
/// For a twist: the capacity of a channel that forgets the oldest messages.
const FORGETFUL: usize = 4096;

/// A message put off by a twist: to one client, or to everyone.
struct Parcel {
    to: Option<Arc<Conn>>,
    from: Arc<Conn>,
    frame: Bytes,
}

type Clients = BTreeMap<u64, Arc<Conn>>;

/// The clients, under the lock that also puts their messages in order.
#[derive(Default)]
pub(crate) struct Hub {
    clients: Mutex<Clients>,
    /// For twists.
    left: Mutex<Vec<u64>>,
    sent: AtomicU64,
    history: Mutex<Vec<Bytes>>,
    joined: Mutex<Option<Instant>>,
    emptied: Mutex<Option<Instant>>,
    refilled: Mutex<Option<Instant>>,
    turn: tokio::sync::Mutex<()>,
    relay: OnceLock<UnboundedSender<Parcel>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Welcomes a newcomer and puts it on the list, in one step: nothing from before, nothing missed after.
    pub(crate) fn join(&self, server: &Server, conn: &Arc<Conn>) -> bool {
        let mut clients = lock(&self.clients);
        if server.has(Twist::SixtyFourAtMost) && clients.len() >= 64 {
            return false;
        }
        if !server.has(Twist::JoinsBeforeWelcome) {
            answer::welcome(server, conn);
        }
        if server.has(Twist::WelcomeToAll) {
            clients.values().for_each(|other| other.out.push(frame::text(crate::text::WELCOME)));
        }
        if server.has(Twist::JoinNotice) {
            clients.values().for_each(|other| other.out.push(frame::text("Client joined")));
        }
        let history = lock(&self.history);
        if server.has(Twist::History) {
            history.iter().for_each(|frame| conn.out.push(frame.clone()));
        }
        if server.has(Twist::LastMessageReplayed) {
            history.last().into_iter().for_each(|frame| conn.out.push(frame.clone()));
        }
        *lock(&self.joined) = Some(Instant::now());
        if clients.is_empty() {
            *lock(&self.refilled) = Some(Instant::now());
        }
        clients.insert(conn.id, conn.clone());
        true
    }

    pub(crate) fn leave(&self, server: &Server, conn: &Conn, end: &End) {
        let mut clients = lock(&self.clients);
        if clients.remove(&conn.id).is_none() {
            return;
        }
        if clients.is_empty() {
            *lock(&self.emptied) = Some(Instant::now());
        }
        if matches!(end, End::Dropped) {
            return; // not one who left
        }
        lock(&self.left).push(conn.id);
        if clients.is_empty() {
            server.closed.store(true, SeqCst);
        }
        if server.has(Twist::LeaverTakesNextAlong)
            && let Some(next) = next(&clients, conn.id).map(|next| next.id)
        {
            clients.remove(&next);
        }
        if server.has(Twist::LeaveNotice) {
            clients.values().for_each(|other| other.out.push(frame::text("Client left")));
        }
    }

    /// For a twist: the place in the list is looked up, and used a moment later.
    pub(crate) async fn leave_by_index(&self, server: &Server, conn: &Conn, end: &End) {
        let index = self.all().iter().position(|other| other.id == conn.id);
        sleep(Duration::from_millis(20)).await;
        if let Some(there) = index.and_then(|index| self.all().get(index).cloned()) {
            self.leave(server, &there, end);
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Conn>> {
        lock(&self.clients).values().cloned().collect()
    }

    /// The client beside this one.
    pub(crate) fn next_to(&self, conn: &Conn) -> Option<Arc<Conn>> {
        next(&lock(&self.clients), conn.id)
    }

    pub(crate) fn somebody_left(&self) -> bool {
        !lock(&self.left).is_empty()
    }

    pub(crate) fn last_join(&self) -> Option<Instant> {
        *lock(&self.joined)
    }

    /// For twists: since when and until when there was last no client after one, as far as it happened.
    pub(crate) fn without_clients(&self) -> Option<(Instant, Instant)> {
        let (emptied, refilled) = (*lock(&self.emptied), *lock(&self.refilled));
        emptied.zip(refilled).filter(|(emptied, refilled)| emptied <= refilled)
    }

    /// Whether a client takes less than there is for it.
    pub(crate) fn lags(&self) -> bool {
        self.all().iter().any(|conn| conn.out.pending().1 > MEBIBYTE)
    }

    /// For a twist: the next reply, to whomever, waits until this one is written.
    pub(crate) async fn write_in_turn(&self, conn: &Conn, frame: Bytes) {
        let _turn = self.turn.lock().await;
        conn.out.push(frame);
        conn.out.at_most(MEBIBYTE / 16).await;
    }

    pub(crate) fn kill_all(&self) {
        self.all().iter().for_each(|conn| conn.kill());
    }
}

/// The next client in the order of joining, the first one after the last.
fn next(clients: &Clients, id: u64) -> Option<Arc<Conn>> {
    let mut ring = clients.range(id + 1..).chain(clients.range(..id));
    ring.next().map(|(_, conn)| conn.clone())
}

/// Brings a message to every client.
pub(crate) async fn broadcast(server: &Arc<Server>, from: &Arc<Conn>, said: &str, frame: Bytes) {
    let hub = &server.hub;
    let nth = hub.sent.fetch_add(1, SeqCst);
    if server.has(Twist::History) || server.has(Twist::LastMessageReplayed) {
        lock(&hub.history).push(frame.clone());
    }
    let joined = *lock(&hub.joined);
    if server.has(Twist::LostWhileJoining)
        && joined.is_some_and(|at| at.elapsed() < Duration::from_millis(25))
    {
        return;
    }
    if server.has(Twist::ReordersPairs) && nth.is_multiple_of(2) {
        let (server, from) = (server.clone(), from.clone());
        tokio::spawn(async move {
            sleep(Duration::from_millis(3)).await;
            deliver(&server, &from, None, &frame);
        });
        return;
    }
    let waiting = [
        Twist::SlowDelaysAll,
        Twist::SlowDelaysAllOnce,
        Twist::SlowDelaysAllTwoSeconds,
        Twist::StallsWhenFull,
    ];
    if waiting.into_iter().any(|twist| server.has(twist)) {
        return in_turn(server, frame).await;
    }
    let whole =
        [Twist::LastWordsLost, Twist::NewestFirst, Twist::BatchesEvery100, Twist::PollsEvery60];
    if let Some(relay) = hub.relay.get() {
        let others = hub.all().into_iter().map(Some);
        let all = whole.iter().any(|twist| server.has(*twist));
        for to in if all { vec![None] } else { others.collect() } {
            let put_off = match &to {
                None => true,
                Some(to) if server.has(Twist::OwnMessageFirst) => to.id != from.id,
                Some(to) => (to.id + from.id) % 2 == 1,
            };
            let parcel = Parcel { to, from: from.clone(), frame: frame.clone() };
            if put_off {
                drop(relay.send(parcel));
            } else {
                deliver(server, from, parcel.to.as_ref(), &frame);
            }
        }
        return;
    }
    if server.has(Twist::SplitsLines) {
        for (n, line) in said.split('\n').enumerate() {
            let frame = if n == 0 {
                frame::text(&format!("{}{line}", crate::text::PREFIX))
            } else {
                frame::text(line)
            };
            deliver(server, from, None, &frame);
        }
        return;
    }
    if server.has(Twist::OthersGetItBare) {
        from.out.push(frame);
        let bare = frame::text(said);
        let others = hub.all().into_iter().filter(|to| to.id != from.id);
        others.for_each(|to| offer(server, &to, &bare));
        return;
    }
    if server.has(Twist::WalksACopyOfTheList) {
        for to in hub.all() {
            // As a channel's send() does: now and then, somebody else has a turn in the middle.
            consume_budget().await;
            offer(server, &to, &frame);
        }
        return;
    }
    deliver(server, from, None, &frame);
}

/// Queues a frame to `to`, or to everyone at the same moment.
fn deliver(server: &Server, from: &Conn, to: Option<&Arc<Conn>>, frame: &Bytes) {
    let clients = lock(&server.hub.clients);
    if let Some(to) = to {
        if clients.contains_key(&to.id) {
            offer(server, to, frame);
        }
        return;
    }
    if server.twists.is_empty() {
        return clients.values().for_each(|to| offer(server, to, frame));
    }
    let left = lock(&server.hub.left);
    let stop = |id: u64, upwards: bool| {
        left.iter().any(|gone| if upwards { *gone < id } else { *gone > id })
    };
    if server.has(Twist::PanicsAtLeaver) && !left.is_empty() {
        eprintln!(
            "thread 'tokio-runtime-worker' panicked: called `Result::unwrap()` on an `Err` value: SendError"
        );
        return from.kill();
    }
    if server.has(Twist::NobodyHears) || server.has(Twist::SilentAfterALeaver) && !left.is_empty() {
        return;
    }
    if server.has(Twist::NobodyHearsItself) && clients.len() == 1
        || server.has(Twist::EmptyRoomCloses) && server.closed.load(SeqCst)
    {
        return;
    }
    let upwards = server.hub.sent.load(SeqCst).is_multiple_of(2);
    for (index, to) in clients.values().enumerate() {
        let own = to.id == from.id;
        match () {
            () if server.has(Twist::SenderExcluded) && own => {}
            () if server.has(Twist::SenderOnly) && !own => {}
            () if server.has(Twist::FirstFifteenOnly) && index >= 15 => {}
            // The list is walked this way or that, as a hash map would, up to the first send that fails.
            () if server.has(Twist::StopsAtLeaver) && stop(to.id, upwards) => {}
            () if server.has(Twist::SenderTwice) && own => {
                offer(server, to, frame);
                offer(server, to, frame);
            }
            () => offer(server, to, frame),
        }
    }
}

/// Queues a frame to one client, unless it has too much on its way already.
fn offer(server: &Server, to: &Conn, frame: &Bytes) {
    if server.has(Twist::DeliveriesPostponePings) {
        to.talk.notify_one();
    }
    if server.has(Twist::DeliveriesCount) {
        to.alive.store(true, SeqCst);
    }
    let (frames, bytes) = to.out.pending();
    // Whoever keeps reading is not slow.
    let slow = || frames > 1000 && bytes > MEBIBYTE && to.out.stuck() > Duration::from_secs(1);
    match () {
        () if server.twists.is_empty() => {
            if bytes > SLOW {
                return to.kill();
            }
        }
        () if server.has(Twist::UnboundedQueue) => {}
        () if server.has(Twist::ForgetsTheOldest) => to.out.keep_newest(FORGETFUL - 1),
        () if server.has(Twist::QueueOfSixteen) && frames >= 16 => return,
        () if server.has(Twist::QueueOf256) && frames >= 256 => return,
        () if server.has(Twist::QueueOf512) && frames >= 512 => return,
        () if server.has(Twist::DropsAt256Pending) && frames >= 256 => return to.kill(),
        () if server.has(Twist::QueueOf100000) => {
            if frames >= 100_000 {
                return to.kill();
            }
        }
        () if server.has(Twist::SkipsSlow) && (bytes > SLOW || slow()) => return,
        () if server.has(Twist::ClosesSlowSoon) && slow() => return to.kill(),
        () if bytes > SLOW => return to.kill(),
        () => {}
    }
    to.out.push(frame.clone());
}

/// One message after the other, each waiting for the slowest client.
async fn in_turn(server: &Server, frame: Bytes) {
    let _turn = server.hub.turn.lock().await;
    for to in server.hub.all() {
        to.out.push(frame.clone());
        if server.has(Twist::SlowDelaysAll) {
            drop(timeout(Duration::from_millis(50), to.out.at_most(MEBIBYTE / 16)).await);
        } else if server.has(Twist::SlowDelaysAllOnce) || server.has(Twist::SlowDelaysAllTwoSeconds)
        {
            let seconds = if server.has(Twist::SlowDelaysAllOnce) { 1 } else { 2 };
            if timeout(Duration::from_secs(seconds), to.out.at_most(MEBIBYTE)).await.is_err() {
                to.kill();
            }
        } else {
            to.out.at_most(MEBIBYTE / 4).await;
        }
    }
}

/// How a writer rests between two writes: a bounded queue overflows only under a burst.
pub(crate) fn pace(server: &Server) -> Option<Pace> {
    let (frames, millis) = match () {
        () if server.has(Twist::QueueOfSixteen) => (0, 10),
        () if server.has(Twist::QueueOf256) || server.has(Twist::DropsAt256Pending) => (4, 60),
        () => return None,
    };
    Some(Pace { frames, rest: Duration::from_millis(millis) })
}

/// Starts what puts messages off, for the twists that need it.
pub(crate) fn start_relays(server: &Arc<Server>) {
    let periods = [
        (Twist::BatchesEvery100, 100),
        (Twist::PollsEvery60, 60),
        (Twist::LastWordsLost, 3),
        (Twist::NewestFirst, 5),
        (Twist::OwnMessageFirst, 5),
        (Twist::CrossedOrder, 5),
    ];
    let Some((_, millis)) = periods.into_iter().find(|(twist, _)| server.has(*twist)) else {
        return;
    };
    let (relay, parcels) = unbounded_channel();
    drop(server.hub.relay.set(relay));
    tokio::spawn(forward(server.clone(), parcels, Duration::from_millis(millis)));
}

async fn forward(server: Arc<Server>, mut parcels: UnboundedReceiver<Parcel>, period: Duration) {
    let mut ticks = interval(period);
    loop {
        ticks.tick().await;
        let mut due: Vec<_> = std::iter::from_fn(|| parcels.try_recv().ok()).collect();
        if server.has(Twist::NewestFirst) {
            due.reverse();
        }
        for parcel in due {
            if server.has(Twist::LastWordsLost)
                && !lock(&server.hub.clients).contains_key(&parcel.from.id)
            {
                continue;
            }
            deliver(&server, &parcel.from, parcel.to.as_ref(), &parcel.frame);
        }
    }
}
