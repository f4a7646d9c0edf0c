//! The faulty servers of the `broadcast` exercise whose mistake shows where many talk, where one does not read, and in how
//! soon a message is there.

use super::Fault;
use super::broadcast::{AGREEMENT, CROWD, HEARTBEAT, ORDER, PUSH, SLOW, broadcast};
use crate::base::Twist;

pub(super) const FAULTS: &[Fault] = &[
    broadcast(
        "first-fifteen-clients",
        &[Twist::FirstFifteenOnly],
        &[CROWD, AGREEMENT],
        "Only the first fifteen clients get anything from your server; the sixteenth is as connected as they are.",
    ),
    broadcast(
        "sixty-four-clients-at-most",
        &[Twist::SixtyFourAtMost],
        &[CROWD],
        "Your server turns away the sixty-fifth client; a hundred have to fit in.",
    ),
    broadcast(
        "queue-of-sixteen",
        &[Twist::QueueOfSixteen],
        &[CROWD, ORDER, AGREEMENT],
        "Each client has a short queue, and what does not fit is dropped without a word; a burst of a few messages is no \
         reason to lose any.",
    ),
    broadcast(
        "queue-of-256",
        &[Twist::QueueOf256],
        &[CROWD, ORDER, AGREEMENT],
        "Your channel holds 256 messages and skips what a client was too late for (`Lagged`); a client that keeps \
         reading may lose nothing.",
    ),
    broadcast(
        "queue-of-512",
        &[Twist::QueueOf512],
        &[CROWD],
        "Your queues hold 512 messages: enough at home, and on a bad line what comes after them is lost without a word.",
    ),
    broadcast(
        "drops-clients-at-256-pending",
        &[Twist::DropsAt256Pending],
        &[CROWD, ORDER, AGREEMENT],
        "Your server drops a client with 256 messages on their way to it; that is a burst, not a slow client.",
    ),
    broadcast(
        "unbounded-queue",
        &[Twist::UnboundedQueue],
        &[SLOW],
        "Your queues have no bound, so a single client that stops reading eats your server's memory, message by message.",
    ),
    broadcast(
        "queue-of-a-hundred-thousand",
        &[Twist::QueueOf100000],
        &[SLOW],
        "Your queues hold a hundred thousand messages: a bound in name, but at a kilobyte each it is 100 MB a client.",
    ),
    broadcast(
        "lagged-ignored",
        &[Twist::ForgetsTheOldest],
        &[SLOW],
        "Your server ignores `Lagged`: a client that was slow goes on with a gap in what it receives; end its connection.",
    ),
    broadcast(
        "skips-messages-for-the-slow",
        &[Twist::SkipsSlow],
        &[SLOW],
        "Your server leaves out messages for a slow client and keeps it connected; end its connection, so that it knows.",
    ),
    broadcast(
        "slow-client-delays-all",
        &[Twist::SlowDelaysAll],
        &[SLOW],
        "Your server waits a moment for a client that lags, with every message, and all the others wait along.",
    ),
    broadcast(
        "slow-client-keeps-newcomers-out",
        &[Twist::SlowDelaysNewcomers],
        &[SLOW],
        "While one client does not read, nobody else is let in.",
    ),
    broadcast(
        "slow-client-delays-all-once",
        &[Twist::SlowDelaysAllOnce],
        &[SLOW],
        "Your server gives a client that does not read a second before it drops it, and lets everybody else wait that long: one queue and one task for each, and nobody waits for another.",
    ),
    broadcast(
        "two-seconds-for-each-stalled-client",
        &[Twist::SlowDelaysAllTwoSeconds],
        &[SLOW],
        "Your server waits two seconds for each client that has stopped reading, and all other clients wait with it.",
    ),
    broadcast(
        "stalls-once-buffers-are-full",
        &[Twist::StallsWhenFull],
        &[SLOW],
        "All is well until a client that does not read has its buffers full; then your server waits for it, and nobody \
         hears anything any more.",
    ),
    broadcast(
        "combination-unbounded-and-unchecked",
        &[Twist::UnboundedQueue, Twist::NeverDrops],
        &[SLOW, HEARTBEAT],
        "Two things at once: your queues have no bound, and dead clients are never dropped; together one dead client \
         is enough to run out of memory.",
    ),
    broadcast(
        "delivers-in-batches-of-100-ms",
        &[Twist::BatchesEvery100],
        &[PUSH],
        "Your server collects messages and delivers every 100 ms, which is no faster than polling; push means at once.",
    ),
    broadcast(
        "delivers-on-a-60-ms-tick",
        &[Twist::PollsEvery60],
        &[PUSH],
        "Your server looks for new messages every 60 ms; let the message wake the task instead of the clock.",
    ),
];
