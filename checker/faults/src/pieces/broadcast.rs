//! The faulty servers of the `broadcast` exercise whose mistake is in who hears what, and in who comes and goes.

use super::{Exercise, Fault};
use crate::base::Twist;

pub(super) const fn broadcast(
    name: &'static str,
    twists: &'static [Twist],
    violates: &'static [&'static str],
    sentence: &'static str,
) -> Fault {
    super::fault(Exercise::Broadcast, name, twists, violates, sentence)
}

pub(super) const WELCOME: &str = "broadcast::welcome";
pub(super) const EVERYONE: &str = "broadcast::everyone";
pub(super) const ORDER: &str = "broadcast::order";
pub(super) const AGREEMENT: &str = "broadcast::agreement";
pub(super) const LATECOMER: &str = "broadcast::latecomer";
pub(super) const LEAVER: &str = "broadcast::leaver";
pub(super) const CROWD: &str = "broadcast::crowd";
pub(super) const SLOW: &str = "broadcast::slow";
pub(super) const HEARTBEAT: &str = "broadcast::heartbeat";
pub(super) const PUSH: &str = "latency::push";

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
        "room-drops-binary",
        &[Twist::BinaryDropped],
        &[EVERYONE],
        "Your server drops binary messages; each reaches every client, as text.",
    ),
    broadcast(
        "room-forwards-binary",
        &[Twist::BinaryAsBinary],
        &[EVERYONE],
        "Your server sends a binary message on as binary; clients receive it as text, with U+FFFD for invalid UTF-8.",
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
        "subscribes-before-the-handshake",
        &[Twist::JoinsBeforeHandshake],
        &[LATECOMER],
        "Your server subscribes a connection before its handshake, so the client gets messages from before it was one.",
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
        "room-hears-fragments-one-by-one",
        &[Twist::FragmentsOneByOne],
        &[EVERYONE],
        "Your room hears each fragment of a message as if it were one; a message ends with the frame that has FIN set.",
    ),
    broadcast(
        "room-ends-amid-a-write",
        &[Twist::ExitsAmidAWrite],
        &[LEAVER],
        "A client that is gone while your server writes to it ends the whole room: that write fails, and you unwrap it.",
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
        "room-parses-numbers",
        &[Twist::ParsesNumbers],
        &[EVERYONE],
        "Your server makes a number of what looks like one before everybody hears it; a text of digits is a text.",
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
        "combination-replay-and-notice",
        &[Twist::LastMessageReplayed, Twist::LeaveNotice],
        &[LATECOMER, LEAVER],
        "Two things at once: newcomers get an old message, and everybody hears of those who leave.",
    ),
];
