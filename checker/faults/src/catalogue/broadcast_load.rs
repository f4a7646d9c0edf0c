//! Faults of `broadcast`: many messages, slow clients, latency.

use super::broadcast::{AGREEMENT, CROWD, HEARTBEAT, ORDER, PUSH, SLOW, broadcast, relay};
use super::common::*;

/// Delivers one reply after the other. Each waits until every client has at most `bytes` in its
/// queue, for this time at most, after which a client may be dropped.
async fn deliver_in_turn(
    reply: Reply<'_>,
    bytes: usize,
    limit: Duration,
    drops: bool,
) -> Result<(), End> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    for to in reply.server.hub.all() {
        to.out.push(reply.frame.clone());
        if timeout(limit, to.out.at_most(bytes)).await.is_err() && drops {
            to.kill();
        }
    }
    Ok(())
}

/// Delivers a reply at the next tick if at most two clients are in the room. A larger room gets it
/// at once, or hundreds of messages of the other checks would wait for a tick each.
fn deliver_on_tick(reply: &Reply<'_>, millis: u64) {
    if reply.server.hub.all().len() > 2 {
        reply.deliver();
    } else {
        relay(reply, None, millis, |parcels| parcels);
    }
}

pub(super) const FAULTS: &[Fault] = &[
    broadcast(
        "first-fifteen-clients",
        &[CROWD, AGREEMENT],
        "Only the first fifteen clients get anything from your server; the sixteenth is as \
         connected as they are.",
        mutation! {
            fn fan_out(&self, _: &Server, clients: &Clients, _: &Conn, frame: &Bytes) {
                clients.values().take(15).for_each(|to| hub::offer(to, frame));
            }
        },
    ),
    broadcast(
        "sixty-four-clients-at-most",
        &[CROWD],
        "Your server turns away the sixty-fifth client; a hundred have to fit in.",
        mutation! {
            fn join(&self, server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
                clients.len() < 64 && hub::join(server, clients, conn)
            }
        },
    ),
    broadcast(
        "queue-of-sixteen",
        &[CROWD, ORDER, AGREEMENT],
        "Each client has a short queue, and what does not fit is dropped without a word; a burst \
         of a few messages is no reason to lose any.",
        mutation! {
            fn pace(&self) -> Option<Pace> {
                Some(Pace { frames: 0, rest: Duration::from_millis(10) })
            }
            fn offer(&self, to: &Conn, frame: &Bytes) {
                if to.out.pending().0 < 16 {
                    hub::offer(to, frame);
                }
            }
        },
    ),
    broadcast(
        "queue-of-256",
        &[CROWD, ORDER, AGREEMENT],
        "Your channel holds 256 messages and skips what a client was too late for (`Lagged`); a \
         client that keeps reading may lose nothing.",
        mutation! {
            fn pace(&self) -> Option<Pace> {
                Some(Pace { frames: 4, rest: Duration::from_millis(200) })
            }
            fn offer(&self, to: &Conn, frame: &Bytes) {
                if to.out.pending().0 < 256 {
                    hub::offer(to, frame);
                }
            }
        },
    ),
    broadcast(
        "queue-of-512",
        &[CROWD],
        "Your queues hold 512 messages: enough at home, and on a bad line what comes after them \
         is lost without a word.",
        mutation! {
            fn offer(&self, to: &Conn, frame: &Bytes) {
                if to.out.pending().0 < 512 {
                    hub::offer(to, frame);
                }
            }
        },
    ),
    broadcast(
        "drops-clients-at-256-pending",
        &[CROWD, ORDER, AGREEMENT],
        "Your server drops a client with 256 messages on their way to it; that is a burst, not a \
         slow client.",
        mutation! {
            fn pace(&self) -> Option<Pace> {
                Some(Pace { frames: 4, rest: Duration::from_millis(200) })
            }
            fn offer(&self, to: &Conn, frame: &Bytes) {
                if to.out.pending().0 < 256 { hub::offer(to, frame) } else { to.kill() }
            }
        },
    ),
    broadcast(
        "unbounded-queue",
        &[SLOW],
        "Your queues have no bound, so a single client that stops reading eats your server's \
         memory, message by message.",
        UNBOUNDED_QUEUE,
    ),
    broadcast(
        "queue-of-a-hundred-thousand",
        &[SLOW],
        "Your queues hold a hundred thousand messages: a bound in name, but at a kilobyte each it \
         is 100 MB a client.",
        mutation! {
            fn offer(&self, to: &Conn, frame: &Bytes) {
                if to.out.pending().0 < 100_000 { to.out.push(frame.clone()) } else { to.kill() }
            }
        },
    ),
    broadcast(
        "lagged-ignored",
        &[SLOW],
        "Your server ignores `Lagged`: a client that was slow goes on with a gap in what it \
         receives; end its connection.",
        mutation! {
            fn offer(&self, to: &Conn, frame: &Bytes) {
                to.out.keep_newest(4095);
                to.out.push(frame.clone());
            }
        },
    ),
    broadcast(
        "skips-messages-for-the-slow",
        &[SLOW],
        "Your server leaves out messages for a slow client and keeps it connected; end its \
         connection, so that it knows.",
        mutation! {
            fn offer(&self, to: &Conn, frame: &Bytes) {
                if to.out.pending().1 <= hub::SLOW && !is_stuck(to) {
                    to.out.push(frame.clone());
                }
            }
        },
    ),
    broadcast(
        "slow-client-delays-all",
        &[SLOW],
        "Your server waits a moment for a client that lags, with every message, and all the \
         others wait along.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                Box::pin(deliver_in_turn(reply, MEBIBYTE / 16, Duration::from_millis(50), false))
            }
        },
    ),
    broadcast(
        "slow-client-keeps-newcomers-out",
        &[SLOW],
        "While one client does not read, no other client is let in.",
        mutation! {
            fn dispatch(
                &self,
                server: Arc<Server>,
                mut stream: TcpStream,
            ) -> BoxFuture<'static, ()> {
                tokio::spawn(async move {
                    let Some(rest) = shake(&server, &mut stream).await else { return };
                    while server.hub.all().iter().any(|conn| conn.out.pending().1 > MEBIBYTE) {
                        sleep(Duration::from_millis(5)).await;
                    }
                    attend(server, stream, rest).await;
                });
                done()
            }
        },
    ),
    broadcast(
        "slow-client-delays-all-once",
        &[SLOW],
        "Your server gives a client that does not read a second before it drops it, and all \
         others wait that long: with one queue and one task for each client, none waits for \
         another.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                Box::pin(deliver_in_turn(reply, MEBIBYTE, Duration::from_secs(1), true))
            }
        },
    ),
    broadcast(
        "two-seconds-for-each-stalled-client",
        &[SLOW],
        "Your server waits two seconds for each client that has stopped reading, and all other \
         clients wait with it.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                Box::pin(deliver_in_turn(reply, MEBIBYTE, Duration::from_secs(2), true))
            }
        },
    ),
    broadcast(
        "stalls-once-buffers-are-full",
        &[SLOW],
        "All is well until a client that does not read has its buffers full; then your server \
         waits for it, and no client gets anything any more.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                Box::pin(deliver_in_turn(reply, MEBIBYTE / 4, Duration::MAX, false))
            }
        },
    ),
    broadcast(
        "combination-unbounded-and-unchecked",
        &[SLOW, HEARTBEAT],
        "Two things at once: your queues have no bound, and dead clients are never dropped; \
         together one dead client is enough to run out of memory.",
        mutation! {
            fn offer(&self, to: &Conn, frame: &Bytes) {
                to.out.push(frame.clone());
            }
            fn answered<'a>(&self, _: &'a Server, _: &'a Conn, _: u32) -> BoxFuture<'a, bool> {
                Box::pin(ready(true))
            }
        },
    ),
    broadcast(
        "delivers-in-batches-of-100-ms",
        &[PUSH],
        "Your server collects messages and delivers every 100 ms while the room is small, which is \
         no faster than polling; push means at once.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                deliver_on_tick(&reply, 100);
                ok()
            }
        },
    ),
    broadcast(
        "delivers-on-a-60-ms-tick",
        &[PUSH],
        "While the room is small, your server looks for new messages every 60 ms; let the message \
         wake the task instead of the clock.",
        mutation! {
            fn deliver<'a>(&self, reply: Reply<'a>) -> BoxFuture<'a, Result<(), End>> {
                deliver_on_tick(&reply, 60);
                ok()
            }
        },
    ),
];
