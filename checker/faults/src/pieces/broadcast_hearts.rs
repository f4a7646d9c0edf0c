//! The faulty servers of the `broadcast` exercise whose mistake is in their heartbeat.

use super::Fault;
use super::broadcast::{HEARTBEAT, broadcast};
use crate::base::Twist;

pub(super) const FAULTS: &[Fault] = &[
    broadcast(
        "broadcast-leaver-stops-the-pings",
        &[Twist::LeaverStopsPings],
        &[HEARTBEAT],
        "The first client that leaves stops the heartbeat of the whole room.",
    ),
    broadcast(
        "messages-postpone-the-pings",
        &[Twist::DeliveriesPostponePings],
        &[HEARTBEAT],
        "What your server sends to a client starts its timer anew, so in a busy room nobody is pinged, and the dead stay.",
    ),
    broadcast(
        "deliveries-count-as-pongs",
        &[Twist::DeliveriesCount],
        &[HEARTBEAT],
        "Your server takes a client for alive because it has sent it something; only what comes back shows that.",
    ),
    broadcast(
        "broadcast-without-pings",
        &[Twist::NoPings],
        &[HEARTBEAT],
        "The heartbeat was lost on the way to broadcasting: nobody is pinged, and the dead stay.",
    ),
    broadcast(
        "broadcast-writes-without-a-limit",
        &[Twist::BeatAwaitsWrite],
        &[HEARTBEAT],
        "A write to a client that has stopped reading hangs, and your server never gets to its next heartbeat; limit every write.",
    ),
    broadcast(
        "broadcast-never-drops",
        &[Twist::NeverDrops],
        &[HEARTBEAT],
        "Your broadcast server pings but never drops who does not answer.",
    ),
    broadcast(
        "broadcast-drops-the-quiet",
        &[Twist::DropsTheIdle],
        &[HEARTBEAT],
        "Your server drops clients that only listen, though they answer every ping; most of an audience is quiet.",
    ),
    broadcast(
        "broadcast-shared-alive-flag",
        &[Twist::SharedPong],
        &[HEARTBEAT],
        "One alive flag for the whole room: as long as anybody answers, nobody is found dead.",
    ),
    broadcast(
        "pongs-said-to-all",
        &[Twist::EchoesPongs],
        &[HEARTBEAT],
        "Your server passes on whatever comes out of the stream, so at every beat the room hears everybody's pong as an empty message.",
    ),
    broadcast(
        "pings-broadcast-too",
        &[Twist::PingsEverybody],
        &[HEARTBEAT],
        "Each client's timer pings the whole room, so with ten clients everybody gets ten pings a beat.",
    ),
    broadcast(
        "broadcast-first-ping-late",
        &[Twist::FirstPingLate],
        &[HEARTBEAT],
        "The first ping comes after two intervals here, though your heartbeat server had it after one.",
    ),
    broadcast(
        "broadcast-traffic-replaces-pings",
        &[Twist::TrafficReplacesPings],
        &[HEARTBEAT],
        "Your server leaves out the ping for who has spoken since the last one; in a room, those are the busiest.",
    ),
    broadcast(
        "broadcast-first-pong-counts-for-ever",
        &[Twist::FirstPongForEver],
        &[HEARTBEAT],
        "A client that has answered once is alive for ever in your room; a pong counts for one beat.",
    ),
    broadcast(
        "broadcast-any-message-counts",
        &[Twist::MessagesCount],
        &[HEARTBEAT],
        "What a client says counts as a pong in your room; a client may talk and be deaf.",
    ),
    broadcast(
        "broadcast-late-pongs-do-not-count",
        &[Twist::LatePongsAreLost],
        &[HEARTBEAT],
        "A pong counts in your room only if it comes within half an interval of its ping.",
    ),
    broadcast(
        "broadcast-drops-the-client-beside",
        &[Twist::DropsTheNextToo],
        &[HEARTBEAT],
        "Together with a dead client your room drops the one beside it in the list.",
    ),
    broadcast(
        "broadcast-pings-first-ten-connections",
        &[Twist::OnlyFirstTenArePinged],
        &[HEARTBEAT],
        "Your room pings its first ten clients and no more; every connection needs its heartbeat.",
    ),
    broadcast(
        "broadcast-timer-restarts-with-every-newcomer",
        &[Twist::JoinPostponesPings],
        &[HEARTBEAT],
        "Your timer starts again whenever a client comes, so where many come and go nobody is ever pinged.",
    ),
    broadcast(
        "broadcast-drops-half-a-beat-late",
        &[Twist::DropsHalfABeatLate],
        &[HEARTBEAT],
        "Your room finds out at the beat that a client is dead, and gives it half an interval more.",
    ),
    broadcast(
        "broadcast-drop-ends-the-accept-loop",
        &[Twist::DropStopsAccepting],
        &[HEARTBEAT],
        "The error of a dropped client ends your accept loop: those in the room stay, and nobody new gets in.",
    ),
];
