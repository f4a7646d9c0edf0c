//! The faulty servers of the `heartbeat` exercise whose mistake is in what they say, and in when they ping.

use super::{Exercise, Fault};
use crate::base::Twist;

pub(super) const fn heartbeat(
    name: &'static str,
    twists: &'static [Twist],
    violates: &'static [&'static str],
    sentence: &'static str,
) -> Fault {
    super::fault(Exercise::Heartbeat, name, twists, violates, sentence)
}

pub(super) const ECHO: &str = "heartbeat::echo";
pub(super) const PINGS: &str = "heartbeat::pings";
pub(super) const STEADY: &str = "heartbeat::steady";
pub(super) const INTERVAL: &str = "heartbeat::interval";
pub(super) const BUSY: &str = "heartbeat::busy";
pub(super) const ALIVE: &str = "heartbeat::alive";
pub(super) const DEAD: &str = "heartbeat::dead";
pub(super) const RELAPSE: &str = "heartbeat::relapse";
pub(super) const CHATTER: &str = "heartbeat::chatter";
pub(super) const NEIGHBOURS: &str = "heartbeat::neighbours";
pub(super) const STALLED: &str = "heartbeat::stalled";

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
        "hard-coded-200-ms",
        &[Twist::HardCoded200],
        &[INTERVAL, PINGS, STEADY, BUSY, ALIVE, DEAD, RELAPSE, CHATTER, NEIGHBOURS, STALLED],
        "Your server pings every 200 ms, as in the example, whatever HEARTBEAT_INTERVAL_MS says.",
    ),
    heartbeat(
        "interval-in-sixteen-bits",
        &[Twist::IntervalInSixteenBits],
        &[INTERVAL],
        "Your server keeps the interval in sixteen bits, so one of more than 65 seconds becomes a short one.",
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
        "timer-ends-with-the-last-client",
        &[Twist::TimerEndsWithLastClient],
        &[PINGS],
        "Your timer stops when the last client leaves and never starts again, so the next client gets no ping.",
    ),
    heartbeat(
        "timer-ends-at-a-tick-without-clients",
        &[Twist::TimerEndsInEmptyRoom],
        &[PINGS],
        "Your timer ends at the first tick that finds no client, so a client that comes later gets no ping.",
    ),
    heartbeat(
        "late-arrivals-skip-a-beat",
        &[Twist::LateArrivalsSkipABeat],
        &[PINGS],
        "One timer pings all your clients and skips one that joined less than half an interval before; its first ping \
         comes after up to an interval and a half.",
    ),
    heartbeat(
        "pings-with-jitter",
        &[Twist::Jitter],
        &[STEADY],
        "The intervals of your pings vary by 30 % either way; a ping comes one interval after the other.",
    ),
    heartbeat(
        "one-timer-with-jitter",
        &[Twist::SharedJitter],
        &[STEADY],
        "One timer pings all your clients, and its intervals vary by 30 % either way.",
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
        &[PINGS, STEADY],
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
        "timer-restarts-with-every-ping",
        &[Twist::ClientsPingsPostponePings],
        &[BUSY, CHATTER],
        "Your timer starts anew with every ping of the client's, so who pings you is never pinged.",
    ),
    heartbeat(
        "timer-restarts-with-every-binary-message",
        &[Twist::BinaryPostponesPings],
        &[BUSY, CHATTER],
        "Your timer starts anew with every binary message; no message sets it back, of whatever kind.",
    ),
    heartbeat(
        "no-pings-amid-fragments",
        &[Twist::NoPingsInMessages],
        &[BUSY],
        "Your server waits for the last fragment of a message before it looks at the clock again; a ping may go between fragments, and the beat goes on.",
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
];
