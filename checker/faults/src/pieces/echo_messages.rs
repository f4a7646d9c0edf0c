//! The faulty servers of the `echo` exercise whose mistake is in what becomes of a message.

use super::Fault;
use super::echo::echo;
use crate::base::Twist;

pub(super) const FAULTS: &[Fault] = &[
    echo(
        "two-tasks-reorder",
        &[Twist::ReordersPairs],
        &["echo::order"],
        "Your server answers each message from a task of its own, and the tasks overtake each other: replies must \
         leave in the order the messages came.",
    ),
    echo(
        "one-variable-for-all-messages",
        &[Twist::SharedMessage],
        &["echo::concurrent"],
        "Your clients share one variable for the message in hand, so who speaks at the same time gets another's reply.",
    ),
    echo(
        "long-messages-aside",
        &[Twist::LongAside],
        &["echo::payloads"],
        "Your server works on long messages aside, so shorter ones overtake them: replies leave in the order the messages came, whatever each of them takes.",
    ),
    echo(
        "one-buffer-for-all-fragments",
        &[Twist::SharedFragments],
        &["echo::payloads"],
        "Your clients share one buffer for the fragments of a message, so two that send in pieces get each other's.",
    ),
    echo(
        "one-message-a-read",
        &[Twist::AnswersFirstOfABatch],
        &["echo::order"],
        "Your server handles the first message that a read brings and forgets those right behind it; TCP is a stream \
         and does not keep messages apart.",
    ),
    echo(
        "answers-twice-under-load",
        &[Twist::AnswersTwiceUnderLoad],
        &["echo::order"],
        "Your server answers a message twice if the next one is already there: each message gets one reply, however \
         fast they come.",
    ),
    echo(
        "small-queue-drops-replies",
        &[Twist::QueueOfSixteen],
        &["echo::order"],
        "Your replies go through a queue of sixteen, and what does not fit is dropped without a word; a full queue \
         should make the reader wait.",
    ),
    echo(
        "queue-of-256-drops-replies",
        &[Twist::QueueOf256],
        &["echo::order"],
        "Your replies go through a queue of 256, and what does not fit is dropped without a word; a client that sends \
         a thousand messages at once is owed a thousand replies.",
    ),
    echo(
        "ignores-empty-message",
        &[Twist::IgnoresEmpty],
        &["echo::payloads", "echo::binary"],
        "Your server ignores an empty message; nothing is a message too, and its sender waits for the reply.",
    ),
    echo(
        "cut-at-125-bytes",
        &[Twist::CutAt(125)],
        &["echo::payloads", "echo::reply", "echo::order", "echo::binary"],
        "Your server keeps only a message's first 125 bytes: that is as much as a frame's seven-bit length can say, \
         not as much as a message may have.",
    ),
    echo(
        "cut-at-126-bytes",
        &[Twist::CutAt(126)],
        &["echo::payloads", "echo::reply", "echo::order", "echo::binary"],
        "Your server takes 126 for a length and cuts messages there; in a frame's head, 126 means that the length \
         comes in the next two bytes.",
    ),
    echo(
        "cut-at-65535-bytes",
        &[Twist::CutAt(65_535)],
        &["echo::payloads"],
        "Your server cuts messages at 65,535 bytes, the most that a sixteen-bit length can say; longer messages have \
         a length of eight bytes.",
    ),
    echo(
        "cut-at-65536-bytes",
        &[Twist::CutAt(65_536)],
        &["echo::payloads"],
        "Your server reads into a buffer of 64 KiB and answers with what fitted; the rest of a longer message is lost.",
    ),
    echo(
        "character-split-at-buffer-edge",
        &[Twist::SplitsCharacters],
        &["echo::payloads", "echo::order"],
        "Your server turns each buffer into text on its own, so a character whose bytes lie across a buffer's edge \
         becomes replacement characters.",
    ),
    echo(
        "fragments-one-by-one",
        &[Twist::FragmentsOneByOne],
        &["echo::payloads"],
        "Your server answers each fragment as if it were a message; a message ends with the frame that has FIN set.",
    ),
    echo(
        "last-fragment-only",
        &[Twist::LastFragmentOnly],
        &["echo::payloads"],
        "Your server answers only the last fragment of a message; the ones before it belong to the message too.",
    ),
    echo(
        "fragments-of-4-kib-at-most",
        &[Twist::FragmentsOf4KiB],
        &["echo::payloads"],
        "Your server puts fragments together in a buffer of 4 KiB; a message may have as many of them as its sender likes.",
    ),
    echo(
        "frame-header-in-one-read",
        &[Twist::FrameInOneRead],
        &["echo::payloads", "echo::abrupt"],
        "Your server expects a frame's header in one read and hangs up on the beginning of one; TCP may bring it byte by byte.",
    ),
    echo(
        "ping-forgets-fragments",
        &[Twist::PingResetsFragments],
        &["echo::payloads"],
        "A ping between two fragments makes your server forget the first one; control frames may come in the middle of \
         a message and leave it alone.",
    ),
    echo(
        "pong-forgets-fragments",
        &[Twist::PongResetsFragments],
        &["echo::payloads"],
        "A pong between two fragments makes your server forget the first one; nobody asked for it, and it is legal.",
    ),
    echo(
        "sixty-four-fragments-at-most",
        &[Twist::FragmentsUpTo64],
        &["echo::payloads"],
        "Your server hangs up at the 65th fragment of a message; its length is what may have a limit, not their number.",
    ),
    echo(
        "empty-fragments-skipped",
        &[Twist::EmptyFragmentsSkipped],
        &["echo::payloads"],
        "Your server passes over empty fragments, and misses the end of a message whose last one is empty; FIN counts \
         however little comes with it.",
    ),
    echo(
        "html-escaped",
        &[Twist::EscapesHtml],
        &["echo::payloads", "echo::binary"],
        "Your server escapes `<`, `>` and `&` in the message; escaping is for whoever puts text into a page, the wire \
         carries it as it is.",
    ),
    echo(
        "json-reserialised",
        &[Twist::Reserialises],
        &["echo::payloads"],
        "Your server parses messages that look like JSON and writes them anew, so spacing and key order change; an echo \
         does not read what it carries.",
    ),
    echo(
        "json-string-unquoted",
        &[Twist::UnquotesJson],
        &["echo::payloads"],
        "Your server takes a message in quotes for a JSON string, and answers with what is between them; an echo does not read what it carries.",
    ),
    echo(
        "answers-pings-in-json",
        &[Twist::AnswersJsonPings],
        &["echo::payloads"],
        "Your server answers {\"type\":\"ping\"} with a pong in JSON; pings are control frames, and this is a message like any other.",
    ),
    echo(
        "numbers-parsed",
        &[Twist::ParsesNumbers],
        &["echo::payloads"],
        "Your server makes a number of what looks like one, so `007` comes back as `7`; a text of digits is a text.",
    ),
    echo(
        "null-is-nothing",
        &[Twist::NullIsNothing],
        &["echo::payloads"],
        "Your server takes `null`, `false` or `0` for no message at all; they are texts, and their sender waits for the reply.",
    ),
    echo(
        "percent-decoded",
        &[Twist::DecodesPercent],
        &["echo::payloads"],
        "Your server decodes `%20` and its like, as is done with what comes from a form; a WebSocket message is not encoded that way.",
    ),
    echo(
        "dollar-signs-replaced",
        &[Twist::ReplacesDollars],
        &["echo::payloads"],
        "Your server puts the message into a template by replacing, where `$$` and `$1` have a meaning of their own; put the two strings together instead.",
    ),
    echo(
        "byte-order-mark-lost",
        &[Twist::TextLosesMark],
        &["echo::payloads"],
        "Your server takes a U+FEFF at the beginning of a message for a byte order mark and leaves it out; in a \
         WebSocket message it is a character like any other.",
    ),
    echo(
        "half-a-mebibyte-at-most",
        &[Twist::LimitOfHalfAMebibyte],
        &["echo::payloads"],
        "Your server hangs up on messages of more than 512 KiB; a limit is a good thing, but it has to let 1 MiB through.",
    ),
    echo(
        "grants-deflate-it-does-not-speak",
        &[Twist::CopiesExtensions],
        &["echo::payloads"],
        "Your server copies the client's `Sec-WebSocket-Extensions` into its answer; a browser \
         takes that for a yes, compresses what it sends, and is thrown out.",
    ),
    echo(
        "three-mebibytes-in-all",
        &[Twist::ThreeMebibytesInAll],
        &["echo::payloads"],
        "Your server counts the bytes of a connection where it should count those of a message, \
         and hangs up after 3 MiB in all.",
    ),
    echo(
        "property-names-looked-up",
        &[Twist::LooksUpProperties],
        &["echo::payloads"],
        "Your server looks the message up in a table of commands, where `constructor` and \
         `toString` are found though they were never put in; a message is no key.",
    ),
    echo(
        "binary-as-binary",
        &[Twist::BinaryAsBinary],
        &["echo::binary"],
        "Your server answers a binary message with a binary one; the reply is always text.",
    ),
    echo(
        "binary-dropped",
        &[Twist::BinaryDropped],
        &["echo::binary"],
        "Your server ignores binary messages, probably in a match arm `_ => {}`; their sender waits for a reply.",
    ),
    echo(
        "invalid-bytes-end-connection",
        &[Twist::BinaryKills],
        &["echo::binary"],
        "A binary message that is not UTF-8 ends the connection in your server; in binary any byte is allowed, and what \
         is no text becomes U+FFFD.",
    ),
    echo(
        "invalid-bytes-stripped",
        &[Twist::BinaryStripped],
        &["echo::binary"],
        "Your server leaves out the bytes of a binary message that are not UTF-8; put U+FFFD in their place, so that \
         the loss can be seen.",
    ),
    echo(
        "question-marks",
        &[Twist::BinaryQuestionMarks],
        &["echo::binary"],
        "Your server puts `?` where bytes are not UTF-8; a question mark could have been meant, U+FFFD could not.",
    ),
    echo(
        "binary-byte-order-mark-lost",
        &[Twist::BinaryLosesMark],
        &["echo::binary"],
        "Your decoder takes the bytes EF BB BF at the beginning of a binary message for a byte order mark and leaves \
         them out; they are U+FEFF, and belong in the reply.",
    ),
    echo(
        "binary-decoded-buffer-by-buffer",
        &[Twist::BinaryInBuffers],
        &["echo::binary"],
        "Your server decodes a long binary message 8 KiB at a time, so a character that lies across two of these \
         becomes replacement characters.",
    ),
    echo(
        "binary-decoded-fragment-by-fragment",
        &[Twist::BinaryFragmentsAlone],
        &["echo::binary"],
        "Your server turns each fragment of a binary message into text on its own; a fragment may end in the middle \
         of a character, so decode the message once it is whole.",
    ),
    echo(
        "binary-aside",
        &[Twist::BinaryAside],
        &["echo::binary"],
        "Your server turns binary messages into text in a task of their own, and the texts behind them overtake them; one order holds for all messages.",
    ),
    echo(
        "binary-as-list-of-numbers",
        &[Twist::BinaryAsList],
        &["echo::binary"],
        "Your server shows a binary message as a list of numbers, as Rust prints a `Vec<u8>`; it is to be read as UTF-8.",
    ),
];
