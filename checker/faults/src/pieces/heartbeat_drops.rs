//! The faulty servers of the `heartbeat` exercise whose mistake is in whom they drop and how, and combinations.

use super::Fault;
use super::heartbeat::{
    ALIVE, BUSY, CHATTER, DEAD, INTERVAL, NEIGHBOURS, PINGS, RELAPSE, STALLED, STEADY, heartbeat,
};
use crate::base::Twist;

pub(super) const FAULTS: &[Fault] = &[
    heartbeat(
        "drops-after-four-beats",
        &[Twist::DropsAfterFourBeats],
        &[ALIVE, STEADY, INTERVAL, BUSY, NEIGHBOURS],
        "Your server drops everybody after four beats, answered or not; who answers stays.",
    ),
    heartbeat(
        "drops-after-eight-beats",
        &[Twist::DropsAfterEightBeats],
        &[ALIVE],
        "Your server drops every client after eight intervals, answered or not; a client that answers stays.",
    ),
    heartbeat(
        "drops-the-idle",
        &[Twist::DropsTheIdle],
        &[ALIVE, STEADY, INTERVAL, NEIGHBOURS],
        "Your server drops a client that answers every ping but sends no message for four beats; listening is a good \
         reason to be connected.",
    ),
    heartbeat(
        "only-pings-count",
        &[Twist::OnlyPingsCount],
        &[ALIVE, STEADY, INTERVAL, BUSY, RELAPSE, NEIGHBOURS],
        "Your server waits for the client's pings instead of its pongs, so clients that answer as they should are \
         dropped: match `Message::Pong`.",
    ),
    heartbeat(
        "never-drops",
        &[Twist::NeverDrops],
        &[DEAD, RELAPSE, CHATTER, STALLED],
        "Your server pings and does not care for the answer; a dead client stays connected for ever.",
    ),
    heartbeat(
        "three-beats-of-grace",
        &[Twist::DropsAfterThreeBeats],
        &[DEAD, RELAPSE, CHATTER, STALLED],
        "Your server drops a silent client only after the third unanswered ping; the contract gives it one beat.",
    ),
    heartbeat(
        "half-a-beat-of-grace",
        &[Twist::DropsAfterHalfABeat],
        &[DEAD, RELAPSE, CHATTER, STALLED],
        "Your server drops a client half an interval after the ping; a slow line has a full interval to answer.",
    ),
    heartbeat(
        "pongs-between-fragments-ignored",
        &[Twist::IgnoresPongsInMessages],
        &[ALIVE],
        "Your server overlooks a pong that comes between two fragments of a message, and drops a client whose message takes longer than a beat.",
    ),
    heartbeat(
        "reaper-with-a-clock-of-its-own",
        &[Twist::SharedReaper],
        &[DEAD],
        "Each client is pinged by a timer of its own, and one that all share drops who has not answered yet, be it pinged a moment ago; it has a full interval to answer.",
    ),
    heartbeat(
        "late-pongs-do-not-count",
        &[Twist::LatePongsAreLost],
        &[DEAD],
        "Your server counts a pong only if it comes within half an interval of its ping; a client on a slow line has all \
         the time until the next beat.",
    ),
    heartbeat(
        "drops-one-a-beat",
        &[Twist::DropsOneABeat],
        &[DEAD],
        "Your sweep drops the first dead client that it finds, a `find` where a `retain` belongs; where two have died, the \
         second has another beat to live.",
    ),
    heartbeat(
        "awaits-close-handshake",
        &[Twist::DropsPolitely],
        &[DEAD, RELAPSE, CHATTER, STALLED],
        "Your server sends a dead client a close frame and waits for the answer; the dead do not answer, end the TCP \
         connection.",
    ),
    heartbeat(
        "shared-alive-flag",
        &[Twist::SharedPong],
        &[DEAD, PINGS, RELAPSE, CHATTER, STALLED],
        "All your connections share one alive flag, so a single healthy client keeps all the dead ones in; each needs \
         its own.",
    ),
    heartbeat(
        "first-pong-counts-for-ever",
        &[Twist::FirstPongForEver],
        &[RELAPSE, STALLED],
        "A client that has answered once is alive for ever in your server; take the flag back with every ping.",
    ),
    heartbeat(
        "old-pongs-make-up-for-new",
        &[Twist::AQuarterWillDo],
        &[RELAPSE, STALLED],
        "Your server compares all pongs with all pings, so a client that answered often may be silent for long; each \
         beat asks for its own pong.",
    ),
    heartbeat(
        "pongs-saved-up",
        &[Twist::PongsAreSaved],
        &[RELAPSE, STALLED],
        "Your server counts pongs and takes one off at each beat, so who sends some in advance may fall silent; a pong counts for one beat, and two in the same beat for no more.",
    ),
    heartbeat(
        "any-message-counts",
        &[Twist::MessagesCount],
        &[CHATTER],
        "Any message counts as a pong in your server; a client may talk and be deaf, and only a pong shows that it hears.",
    ),
    heartbeat(
        "binary-counts",
        &[Twist::BinaryCounts],
        &[CHATTER],
        "A binary message counts as a pong in your server; no message does.",
    ),
    heartbeat(
        "fragments-count",
        &[Twist::FragmentsCount],
        &[CHATTER],
        "A message in fragments counts as a pong in your server; no message does.",
    ),
    heartbeat(
        "any-byte-counts",
        &[Twist::AnyByteCounts],
        &[CHATTER, DEAD],
        "Whatever your server reads from a client counts as a sign of life; of all frames only a pong answers a ping.",
    ),
    heartbeat(
        "pings-count-too",
        &[Twist::PingsCountToo],
        &[CHATTER, DEAD],
        "Your server takes the client's own pings for pongs; only a pong shows that yours arrived.",
    ),
    heartbeat(
        "drops-the-client-beside",
        &[Twist::DropsTheNextToo],
        &[NEIGHBOURS, ALIVE, DEAD, RELAPSE, CHATTER, STALLED],
        "Together with a dead client your server drops the one beside it in the list: removing from a list while \
         walking it shifts the rest.",
    ),
    heartbeat(
        "drops-everybody",
        &[Twist::DropsEverybody],
        &[NEIGHBOURS, ALIVE, DEAD, RELAPSE, CHATTER, STALLED],
        "One dead client ends everybody's connection, as an error does that leaves the loop over all of them.",
    ),
    heartbeat(
        "places-keep-their-flag",
        &[Twist::PlacesKeepTheirFlag],
        &[NEIGHBOURS],
        "A newcomer in a dropped client's place inherits its cleared flag and is dropped at its first tick; set the flag \
         when a client joins.",
    ),
    heartbeat(
        "drop-notice",
        &[Twist::DropNotice],
        &[NEIGHBOURS],
        "Your server tells everybody when it drops somebody; clients get nothing that the contract does not name.",
    ),
    heartbeat(
        "drop-ends-the-accept-loop",
        &[Twist::DropStopsAccepting],
        &[NEIGHBOURS],
        "The error of a dropped client ends your accept loop: those connected stay, and nobody new gets in.",
    ),
    heartbeat(
        "rests-after-a-drop",
        &[Twist::RestsAfterADrop],
        &[NEIGHBOURS, DEAD],
        "After dropping a client your server pings nobody for three beats: it is waiting for the dropped one inside \
         the loop that serves all.",
    ),
    heartbeat(
        "leaves-sweep-after-a-drop",
        &[Twist::LeavesSweepAfterADrop],
        &[NEIGHBOURS, DEAD],
        "When your sweep finds a dead client it stops there, so the others miss a ping: a `break` where `continue` belongs.",
    ),
    heartbeat(
        "beat-awaits-its-write",
        &[Twist::BeatAwaitsWrite],
        &[STALLED],
        "Your heartbeat waits until its ping is written; to a client that no longer reads it waits for ever, and never \
         drops it.",
    ),
    heartbeat(
        "no-limit-on-replies",
        &[Twist::NoLimitOnReplies],
        &[STALLED],
        "Your server limits how long it may take to write a ping, but waits for the write of a reply for ever.",
    ),
    heartbeat(
        "no-limit-on-pings",
        &[Twist::NoLimitOnPings],
        &[STALLED],
        "Your server limits how long it may take to write a reply, but waits for the write of a ping for ever.",
    ),
    heartbeat(
        "drop-awaits-the-flush",
        &[Twist::DropAwaitsWrite],
        &[STALLED],
        "Before it drops a client, your server flushes what is still to be sent; a client that does not read keeps it \
         waiting, and stays.",
    ),
    heartbeat(
        "sweep-awaits-its-writes",
        &[Twist::SweepAwaitsWrites],
        &[STALLED],
        "One sweep pings all clients and waits for each write, so a client that stops reading stops everybody's heart.",
    ),
    heartbeat(
        "combination-late-and-forgiving",
        &[Twist::FirstPingLate, Twist::DropsAfterThreeBeats],
        &[PINGS, DEAD, RELAPSE, CHATTER, STALLED],
        "Two things at once: your first ping comes a beat late, and a silent client is dropped only after three.",
    ),
    heartbeat(
        "combination-relapse-and-chatter",
        &[Twist::FirstPongForEver, Twist::MessagesCount],
        &[RELAPSE, CHATTER, STALLED],
        "Two things at once: messages count as pongs, and a client that has once answered is alive for ever.",
    ),
];
