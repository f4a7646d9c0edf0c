//! The faulty servers of the `heartbeat` exercise, in the contract's order.

use super::{Exercise, Fault};
use crate::base::Twist;

const fn heartbeat(
    name: &'static str,
    twists: &'static [Twist],
    violates: &'static [&'static str],
    sentence: &'static str,
) -> Fault {
    super::fault(Exercise::Heartbeat, name, twists, violates, sentence)
}

const ECHO: &str = "heartbeat::echo";
const PINGS: &str = "heartbeat::pings";
const STEADY: &str = "heartbeat::steady";
const INTERVAL: &str = "heartbeat::interval";
const BUSY: &str = "heartbeat::busy";
const ALIVE: &str = "heartbeat::alive";
const DEAD: &str = "heartbeat::dead";
const RELAPSE: &str = "heartbeat::relapse";
const CHATTER: &str = "heartbeat::chatter";
const NEIGHBOURS: &str = "heartbeat::neighbours";
const STALLED: &str = "heartbeat::stalled";

pub(super) const FAULTS: &[Fault] = &[
    heartbeat(
        "heartbeat-without-echo",
        &[Twist::NoReply],
        &[ECHO],
        "Your server has learned to ping and forgotten to answer: the heartbeat comes on top of the echo, not in its place.",
    ),
    heartbeat(
        "heartbeat-without-welcome",
        &[Twist::NoWelcome],
        &[ECHO],
        "The welcome was lost when the heartbeat came; everything the echo server did still holds.",
    ),
    heartbeat(
        "heartbeat-two-tasks-reorder",
        &[Twist::ReordersPairs],
        &[ECHO],
        "Replies leave in another order than the messages came, since each has a task of its own.",
    ),
    heartbeat(
        "heartbeat-right-for-one-second",
        &[Twist::RightForOneSecond],
        &[ECHO, INTERVAL, BUSY],
        "Your server answers rightly for one second after its start and then with a text of its own; it has to be right for as long as it runs.",
    ),
    heartbeat(
        "no-pings",
        &[Twist::NoPings],
        &[PINGS, STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server sends no pings at all, so it can never tell a quiet client from a dead one.",
    ),
    heartbeat(
        "pings-only-first-connection",
        &[Twist::OnlyFirstIsPinged],
        &[PINGS, STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Only the first client of your server is pinged; every connection needs its heartbeat.",
    ),
    heartbeat(
        "pings-first-ten-connections",
        &[Twist::OnlyFirstTenArePinged],
        &[PINGS],
        "Your server pings its first ten connections and no more; every connection needs its heartbeat.",
    ),
    heartbeat(
        "first-ping-a-beat-late",
        &[Twist::FirstPingLate],
        &[PINGS],
        "Your first ping comes after two intervals: one passes before the timer starts, and one before it rings.",
    ),
    heartbeat(
        "ping-as-text",
        &[Twist::PingsAreText],
        &[PINGS, ECHO, STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server sends the text `ping`, which every client takes for a message; a ping is a control frame, and a \
         browser answers it by itself.",
    ),
    heartbeat(
        "interval-in-seconds",
        &[Twist::IntervalInSeconds],
        &[PINGS, STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server takes the interval for seconds; HEARTBEAT_INTERVAL_MS counts milliseconds, so your heart beats a \
         thousand times too slowly.",
    ),
    heartbeat(
        "pings-once",
        &[Twist::PingsOnce],
        &[STEADY, INTERVAL, BUSY, RELAPSE, STALLED],
        "Your server pings each client once and never again, a `sleep` where an `interval` belongs.",
    ),
    heartbeat(
        "every-second-beat",
        &[Twist::EverySecondBeat],
        &[STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server pings on one beat and looks for the pong on the next, so it pings only every second interval; do \
         both on every beat.",
    ),
    heartbeat(
        "two-timers",
        &[Twist::PingsTwice],
        &[STEADY, INTERVAL, BUSY],
        "Each connection gets two pings a beat, as if its timer had been started twice.",
    ),
    heartbeat(
        "pings-in-bursts",
        &[Twist::PingsInBursts],
        &[STEADY, INTERVAL, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your pings come three at once after a pause of three intervals: the missed ticks are made up for, instead of \
         one ping each interval.",
    ),
    heartbeat(
        "hard-coded-100-ms",
        &[Twist::HardCoded100],
        &[INTERVAL, STEADY, BUSY, DEAD, RELAPSE, CHATTER, STALLED],
        "Your server pings every 100 ms whatever HEARTBEAT_INTERVAL_MS says; read the interval from the environment.",
    ),
    heartbeat(
        "half-a-second-at-most",
        &[Twist::AtMostHalfASecond],
        &[INTERVAL],
        "Your server caps the interval at 500 ms, so with a long one the pings come far too early.",
    ),
    heartbeat(
        "two-pings-at-opening",
        &[Twist::TwoPingsAtOpening],
        &[INTERVAL, STEADY],
        "A new connection gets two pings at once: the interval's first tick comes immediately, and you ping by hand as well.",
    ),
    heartbeat(
        "pings-only-latest-connection",
        &[Twist::OnlyLastIsPinged],
        &[PINGS],
        "One variable holds the timer of all your connections, so each newcomer stops the pings of everyone before it.",
    ),
    heartbeat(
        "timer-restarts-with-every-newcomer",
        &[Twist::JoinPostponesPings],
        &[STEADY],
        "Your timer starts again whenever a client connects, so where many come and go nobody is ever pinged.",
    ),
    heartbeat(
        "leaver-stops-the-pings",
        &[Twist::LeaverStopsPings],
        &[STEADY],
        "The first client that leaves stops the timer for all; a timer that belongs to everyone outlives each.",
    ),
    heartbeat(
        "pings-ever-rarer",
        &[Twist::PingsEverRarer],
        &[STEADY],
        "Your pings come ever more rarely, each a quarter of an interval later than the one before.",
    ),
    heartbeat(
        "five-pings-and-no-more",
        &[Twist::PingsFive],
        &[STEADY],
        "Your server pings each client five times and then never again.",
    ),
    heartbeat(
        "two-beats-of-grace",
        &[Twist::DropsAfterTwoBeats],
        &[DEAD, RELAPSE, CHATTER],
        "Your server forgives one ping that stays unanswered, and drops a beat late.",
    ),
    heartbeat(
        "drop-stops-the-pings",
        &[Twist::DropStopsPings],
        &[NEIGHBOURS],
        "When one client is dropped, the timer of all stops: what belongs to everyone outlives each.",
    ),
    heartbeat(
        "pong-brings-the-next-ping",
        &[Twist::PongTriggersPing],
        &[STEADY],
        "Your server answers each pong with another ping, so the two never rest.",
    ),
    heartbeat(
        "a-beat-and-a-half",
        &[Twist::BeatAndAHalf],
        &[STEADY],
        "Your server pings every interval and a half: what is done between two beats belongs into the interval and not behind it.",
    ),
    heartbeat(
        "drops-half-a-beat-late",
        &[Twist::DropsHalfABeatLate],
        &[DEAD, RELAPSE, CHATTER],
        "Your server finds out at the beat that a client is dead, and gives it half an interval more.",
    ),
    heartbeat(
        "traffic-replaces-pings",
        &[Twist::TrafficReplacesPings],
        &[BUSY, CHATTER],
        "Your server leaves out the ping if the client has spoken since the last one; a message shows that it can send, \
         not that it hears you.",
    ),
    heartbeat(
        "timer-restarts-with-every-message",
        &[Twist::TrafficPostponesPings],
        &[BUSY, CHATTER],
        "Each message restarts your heartbeat's timer, as a `sleep` inside `select!` does, so a busy client is never \
         pinged; make the interval once, before the loop.",
    ),
    heartbeat(
        "timer-restarts-with-every-pong",
        &[Twist::PongPostponesPings],
        &[BUSY],
        "Your timer starts anew with every pong, so a client that answers late is pinged late, and one that sends pongs unasked never.",
    ),
    heartbeat(
        "pongs-echoed",
        &[Twist::EchoesPongs],
        &[BUSY, NEIGHBOURS, STALLED],
        "Your server answers whatever comes out of the stream, and since it pings, pongs come too: only text and binary are messages.",
    ),
    heartbeat(
        "ping-with-every-message",
        &[Twist::PingsPerMessage],
        &[BUSY],
        "Your server sends a ping with every message on top of the beat; the clock alone decides when to ping.",
    ),
    heartbeat(
        "drops-after-four-beats",
        &[Twist::DropsAfterFourBeats],
        &[ALIVE, STEADY, INTERVAL, BUSY, NEIGHBOURS],
        "Your server drops everybody after four beats, answered or not; who answers stays.",
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
        &[DEAD, RELAPSE, CHATTER, STALLED],
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
