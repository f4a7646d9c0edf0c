//! Faults of `broadcast`: heartbeats.

use super::broadcast::{HEARTBEAT, broadcast};
use super::common::*;

pub(super) const FAULTS: &[Fault] = &[
    broadcast(
        "broadcast-leaver-stops-the-pings",
        &[HEARTBEAT],
        "The first client that leaves stops the heartbeat of the whole room.",
        LEAVER_STOPS_PINGS,
    ),
    broadcast(
        "messages-postpone-the-pings",
        &[HEARTBEAT],
        "Each message that your server sends to a client restarts its timer, so in a busy room no \
         client is pinged, and the dead stay.",
        mutation! {
            fn offer(&self, to: &Conn, frame: &Bytes) {
                to.restart.notify_one();
                hub::offer(to, frame);
            }
        },
    ),
    broadcast(
        "deliveries-count-as-pongs",
        &[HEARTBEAT],
        "Your server takes a client for alive because it has sent it something; only what comes \
         back shows that.",
        mutation! {
            fn offer(&self, to: &Conn, frame: &Bytes) {
                to.alive.store(true, SeqCst);
                hub::offer(to, frame);
            }
        },
    ),
    broadcast(
        "broadcast-without-pings",
        &[HEARTBEAT],
        "The heartbeat was lost on the way to broadcasting: no client is pinged, and the dead \
         stay.",
        NO_PINGS,
    ),
    broadcast(
        "broadcast-writes-without-a-limit",
        &[HEARTBEAT],
        "A write to a client that has stopped reading hangs, and your server never gets to its \
         next heartbeat; limit every write.",
        BEAT_AWAITS_WRITE,
    ),
    broadcast(
        "broadcast-never-drops",
        &[HEARTBEAT],
        "Your broadcast server pings but never drops a client that does not answer.",
        NEVER_DROPS,
    ),
    broadcast(
        "broadcast-drops-the-quiet",
        &[HEARTBEAT],
        "Your server drops clients that only listen, though they answer every ping; most of an \
         audience is quiet.",
        DROPS_THE_IDLE,
    ),
    broadcast(
        "broadcast-shared-alive-flag",
        &[HEARTBEAT],
        "One alive flag for the whole room: as long as any client answers, no other is found \
         dead.",
        SHARED_PONG,
    ),
    broadcast(
        "pongs-said-to-all",
        &[HEARTBEAT],
        "Your server passes on whatever comes out of the stream, so at every beat the room gets \
         each client's pong as an empty message.",
        ECHOES_PONGS,
    ),
    broadcast(
        "pings-broadcast-too",
        &[HEARTBEAT],
        "Each client's timer pings the whole room, so with ten clients each gets ten pings a \
         beat.",
        mutation! {
            fn send_ping<'a>(&self, server: &'a Server, _: &'a Conn, _: u32) -> BoxFuture<'a, ()> {
                server.hub.all().iter().for_each(|other| beat::send_ping(other, b""));
                done()
            }
        },
    ),
    broadcast(
        "broadcast-first-ping-late",
        &[HEARTBEAT],
        "The first ping comes after two intervals here, though your heartbeat server had it after \
         one.",
        FIRST_PING_LATE,
    ),
    broadcast(
        "broadcast-traffic-replaces-pings",
        &[HEARTBEAT],
        "Your server leaves out the ping if a client has spoken since the last one; in a room, \
         those are the busiest.",
        TRAFFIC_REPLACES_PINGS,
    ),
    broadcast(
        "broadcast-first-pong-counts-for-ever",
        &[HEARTBEAT],
        "A client that has answered once is alive for ever in your room; a pong counts for one \
         beat.",
        FIRST_PONG_FOR_EVER,
    ),
    broadcast(
        "broadcast-any-message-counts",
        &[HEARTBEAT],
        "What a client says counts as a pong in your room; a client may talk and be deaf.",
        MESSAGES_COUNT,
    ),
    broadcast(
        "broadcast-late-pongs-do-not-count",
        &[HEARTBEAT],
        "A pong counts in your room only if it comes within half an interval of its ping.",
        LATE_PONGS_ARE_LOST,
    ),
    broadcast(
        "broadcast-drops-the-client-beside",
        &[HEARTBEAT],
        "Together with a dead client your room drops the one beside it in the list.",
        DROPS_THE_NEXT_TOO,
    ),
    broadcast(
        "broadcast-pings-first-ten-connections",
        &[HEARTBEAT],
        "Your room pings its first ten clients and no more; every connection needs its heartbeat.",
        ONLY_FIRST_TEN_ARE_PINGED,
    ),
    broadcast(
        "broadcast-timer-restarts-with-every-newcomer",
        &[HEARTBEAT],
        "Your timer starts again whenever a client comes, so where many come and go no client is \
         ever pinged.",
        JOIN_POSTPONES_PINGS,
    ),
    broadcast(
        "broadcast-drops-half-a-beat-late",
        &[HEARTBEAT],
        "Your room finds out at the beat that a client is dead, and gives it half an interval \
         more.",
        DROPS_HALF_A_BEAT_LATE,
    ),
    broadcast(
        "broadcast-drop-ends-the-accept-loop",
        &[HEARTBEAT],
        "The error of a dropped client ends your accept loop: clients in the room stay, and no \
         new client gets in.",
        DROP_STOPS_ACCEPTING,
    ),
];
