//! The faulty servers of the `broadcast` exercise, in the contract's order.

use super::{Exercise, Fault};
use crate::base::Twist;

const fn broadcast(
    name: &'static str,
    twists: &'static [Twist],
    violates: &'static [&'static str],
    sentence: &'static str,
) -> Fault {
    super::fault(Exercise::Broadcast, name, twists, violates, sentence)
}

const WELCOME: &str = "broadcast::welcome";
const EVERYONE: &str = "broadcast::everyone";
const ORDER: &str = "broadcast::order";
const AGREEMENT: &str = "broadcast::agreement";
const LATECOMER: &str = "broadcast::latecomer";
const LEAVER: &str = "broadcast::leaver";
const CROWD: &str = "broadcast::crowd";
const SLOW: &str = "broadcast::slow";
const HEARTBEAT: &str = "broadcast::heartbeat";
const PUSH: &str = "latency::push";

pub(super) const FAULTS: &[Fault] = &[
    broadcast(
        "welcome-to-all",
        &[Twist::WelcomeToAll],
        &[WELCOME],
        "Your server sends the welcome to everybody whenever somebody joins; it is for the newcomer alone.",
    ),
    broadcast(
        "join-notice",
        &[Twist::JoinNotice],
        &[WELCOME],
        "Your server tells everybody that a client joined; a kind thought, but clients get nothing that the contract \
         does not name.",
    ),
    broadcast(
        "joins-before-welcome",
        &[Twist::JoinsBeforeWelcome],
        &[WELCOME],
        "Your server puts a newcomer on the list and greets it afterwards, so in a busy room the first it hears is what \
         others say; greet it first, or in the same step.",
    ),
    broadcast(
        "broadcast-without-welcome",
        &[Twist::NoWelcome],
        &[WELCOME],
        "The welcome was lost on the way to broadcasting; a newcomer is still greeted, unasked.",
    ),
    broadcast(
        "broadcast-right-for-one-second",
        &[Twist::RightForOneSecond],
        &[EVERYONE, ORDER, AGREEMENT, LATECOMER, LEAVER, CROWD, SLOW, HEARTBEAT],
        "Your server broadcasts rightly for one second after its start, and then a text of its own; it has to be right for as long as it runs.",
    ),
    broadcast(
        "sender-left-out",
        &[Twist::SenderExcluded],
        &[EVERYONE],
        "Your server sends a message to everyone but its sender, who is one of everyone.",
    ),
    broadcast(
        "sender-gets-it-twice",
        &[Twist::SenderTwice],
        &[EVERYONE],
        "The sender gets its own message twice, once as the old echo and once as the broadcast.",
    ),
    broadcast(
        "still-an-echo",
        &[Twist::SenderOnly],
        &[EVERYONE],
        "Your server answers the sender alone; it is still an echo, and nobody else hears a word.",
    ),
    broadcast(
        "nobody-hears",
        &[Twist::NobodyHears],
        &[EVERYONE],
        "Your server sends what a client says into a channel, and no connection takes it out again: nobody hears a word.",
    ),
    broadcast(
        "others-get-it-bare",
        &[Twist::OthersGetItBare],
        &[EVERYONE],
        "The others get the message without `Server received: `; everyone gets the same text.",
    ),
    broadcast(
        "lost-while-another-joins",
        &[Twist::LostWhileJoining],
        &[EVERYONE],
        "Messages sent while another client joins are lost: your list of clients is taken away while it is changed.",
    ),
    broadcast(
        "broadcast-two-tasks-reorder",
        &[Twist::ReordersPairs],
        &[ORDER, CROWD],
        "Each message is broadcast from a task of its own, and the tasks overtake each other; one sender's messages \
         have to stay in order.",
    ),
    broadcast(
        "newest-first",
        &[Twist::NewestFirst],
        &[ORDER, CROWD],
        "Messages that wait together go out newest first, a stack where a queue belongs.",
    ),
    broadcast(
        "broadcast-first-ten-connections",
        &[Twist::FirstTenConnections],
        &[CROWD, AGREEMENT, EVERYONE, LEAVER],
        "Your server broadcasts what its first ten connections say, and of the eleventh a text of its own; whoever \
         comes is one of everyone.",
    ),
    broadcast(
        "own-message-first",
        &[Twist::OwnMessageFirst],
        &[AGREEMENT, CROWD],
        "Your server echoes to the sender at once and broadcasts to the others later, so everyone sees their own \
         message first and no two clients agree.",
    ),
    broadcast(
        "crossed-order",
        &[Twist::CrossedOrder],
        &[AGREEMENT, CROWD],
        "Messages reach different clients over different ways, one quicker than the other, so the clients see them in \
         different orders.",
    ),
    broadcast(
        "walks-a-copy-of-the-list",
        &[Twist::WalksACopyOfTheList],
        &[AGREEMENT],
        "Your server copies its list of clients, lets go of the lock and then sends, so two messages overtake each other \
         on their way down the list; let one lock or one channel decide which goes first.",
    ),
    broadcast(
        "history-replayed",
        &[Twist::History],
        &[LATECOMER],
        "A newcomer gets all that was said before it came; it joins now, and hears what is said from now on.",
    ),
    broadcast(
        "last-message-replayed",
        &[Twist::LastMessageReplayed],
        &[LATECOMER],
        "A newcomer gets the last message from before it joined, as a `watch` channel keeps it.",
    ),
    broadcast(
        "stops-at-first-failed-send",
        &[Twist::StopsAtLeaver],
        &[LEAVER],
        "Your loop over the clients ends at the first send that fails, so a client that has left silences those after it.",
    ),
    broadcast(
        "silent-after-a-leaver",
        &[Twist::SilentAfterALeaver],
        &[LEAVER],
        "Once a client has left, nobody hears anything more: its task took the lock on the list with it.",
    ),
    broadcast(
        "panics-at-a-leaver",
        &[Twist::PanicsAtLeaver],
        &[LEAVER],
        "Sending to a client that has left panics in your server, an `unwrap` on a channel whose receiver is gone, and \
         the sender is cut off.",
    ),
    broadcast(
        "half-a-frame-closes-the-room",
        &[Twist::ExitsOnHalfAFrame],
        &[LEAVER],
        "A client that goes in the middle of a frame ends your process; for everybody else that is a client that has left, \
         as any other.",
    ),
    broadcast(
        "thrown-out-with-all-others",
        &[Twist::ViolationEndsAll],
        &[LEAVER],
        "A client that is thrown out for a bad frame takes the whole room along; the error is its connection's alone.",
    ),
    broadcast(
        "leave-notice",
        &[Twist::LeaveNotice],
        &[LEAVER],
        "Your server tells everybody that a client left; leaving disturbs no one, so nobody is told.",
    ),
    broadcast(
        "leaver-takes-its-neighbour-along",
        &[Twist::LeaverTakesNextAlong],
        &[LEAVER],
        "When a client leaves, its neighbour in your list is taken off too and hears nothing more: an index is no name \
         once the list has shrunk.",
    ),
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
        "numbered-by-count",
        &[Twist::NumbersByCount],
        &[LEAVER],
        "Your server numbers its clients by how many there are, so after one has left, a newcomer takes another's place.",
    ),
    broadcast(
        "place-in-the-list-remembered",
        &[Twist::LeavesByIndex],
        &[LEAVER],
        "Your server looks up a leaver's place in the list and uses it a moment later; where several leave at once, those who stay are taken off.",
    ),
    broadcast(
        "last-words-lost",
        &[Twist::LastWordsLost],
        &[LEAVER],
        "What a client says just before it leaves is lost with it; it was said, and is owed to everyone.",
    ),
    broadcast(
        "empty-room-closes",
        &[Twist::EmptyRoomCloses],
        &[LEAVER],
        "When the last client has left, your room closes for good: whoever comes then is welcomed and hears nothing.",
    ),
    broadcast(
        "splits-lines",
        &[Twist::SplitsLines],
        &[EVERYONE],
        "What your clients say travels line by line, so a message with a line break arrives as two.",
    ),
    broadcast(
        "room-escapes-html",
        &[Twist::EscapesHtml],
        &[EVERYONE],
        "Your server escapes `<`, `>` and `&` for the pages that show a message; that is the page's business, the wire carries what was said.",
    ),
    broadcast(
        "room-with-commands",
        &[Twist::SlashIsACommand],
        &[EVERYONE],
        "Your server takes what begins with a slash for a command, as some chats do; here it is said to everyone, as anything else.",
    ),
    broadcast(
        "nobody-else-nothing-said",
        &[Twist::NobodyHearsItself],
        &[EVERYONE],
        "A client that is alone in the room hears nothing of what it says; everyone is everyone, sender included.",
    ),
    broadcast(
        "stalls-once-buffers-are-full",
        &[Twist::StallsWhenFull],
        &[SLOW],
        "All is well until a client that does not read has its buffers full; then your server waits for it, and nobody \
         hears anything any more.",
    ),
    broadcast(
        "broadcast-without-pings",
        &[Twist::NoPings],
        &[HEARTBEAT],
        "The heartbeat was lost on the way to broadcasting: nobody is pinged, and the dead stay.",
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
    broadcast(
        "combination-replay-and-notice",
        &[Twist::LastMessageReplayed, Twist::LeaveNotice],
        &[LATECOMER, LEAVER],
        "Two things at once: newcomers get an old message, and everybody hears of those who leave.",
    ),
    broadcast(
        "combination-unbounded-and-unchecked",
        &[Twist::UnboundedQueue, Twist::NeverDrops],
        &[SLOW, HEARTBEAT],
        "Two things at once: your queues have no bound, and dead clients are never dropped; together one dead client \
         is enough to run out of memory.",
    ),
];
