//! The faulty servers of the `echo` exercise whose mistake is in the handshake or in a message.

use super::{Exercise, Fault};
use crate::base::Twist;

pub(super) const fn echo(
    name: &'static str,
    twists: &'static [Twist],
    violates: &'static [&'static str],
    sentence: &'static str,
) -> Fault {
    super::fault(Exercise::Echo, name, twists, violates, sentence)
}

pub(super) const FAULTS: &[Fault] = &[
    echo(
        "accept-key-from-the-rfc",
        &[Twist::SampleAcceptKey],
        &["echo::handshake"],
        "Your server answers every handshake with the RFC's sample accept key, so only a client that happens to send \
         the RFC's sample key believes it.",
    ),
    echo(
        "accept-key-of-untrimmed-header",
        &[Twist::AcceptOfUntrimmedKey],
        &["echo::handshake"],
        "Your server hashes the client's key together with the line's trailing carriage return, so the accept key it \
         computes is one no client expects.",
    ),
    echo(
        "handshake-answers-200",
        &[Twist::Status200],
        &["echo::handshake"],
        "Your server answers the upgrade with 200 OK; only 101 Switching Protocols tells the client that the \
         connection now speaks WebSocket.",
    ),
    echo(
        "handshake-without-upgrade-header",
        &[Twist::NoUpgradeHeader],
        &["echo::handshake"],
        "Your 101 does not say `Upgrade: websocket`, so a careful client cannot know what you switched to, and hangs up.",
    ),
    echo(
        "connection-header-compared-whole",
        &[Twist::ConnectionExactly],
        &["echo::handshake"],
        "Your server upgrades only where the header is `Connection: Upgrade` and nothing else; Firefox writes \
         `keep-alive, Upgrade`, so look for the word in the list.",
    ),
    echo(
        "header-names-with-case",
        &[Twist::HeaderNamesExactly],
        &["echo::handshake"],
        "Your server looks for `Sec-WebSocket-Key` in just this case; header names have no case, and some clients \
         write them small.",
    ),
    echo(
        "upgrade-header-with-case",
        &[Twist::UpgradeExactly],
        &["echo::handshake"],
        "Your server takes `Upgrade: websocket` only in these small letters; the value has no case, and some clients write `WebSocket`.",
    ),
    echo(
        "short-heads-only",
        &[Twist::ShortHeads],
        &["echo::handshake"],
        "Your server gives up on a request of more than a kilobyte; a browser with cookies sends more.",
    ),
    echo(
        "request-in-one-read",
        &[Twist::RequestInOneRead],
        &["echo::handshake"],
        "Your server takes what one read brings for the whole request; TCP may bring it in pieces, so read on until \
         the empty line.",
    ),
    echo(
        "handshake-offers-deflate",
        &[Twist::UnaskedDeflate],
        &["echo::handshake"],
        "Your server agrees to permessage-deflate with clients that never offered it; a client has to refuse an \
         extension it did not ask for.",
    ),
    echo(
        "handshake-picks-subprotocol",
        &[Twist::UnaskedSubprotocol],
        &["echo::handshake"],
        "Your server picks the subprotocol `chat` though the client offered none; a browser closes such a connection \
         at once.",
    ),
    echo(
        "welcome-missing",
        &[Twist::NoWelcome],
        &["echo::welcome"],
        "Your server waits for the client to speak first, but the welcome is the server's own first word, unasked.",
    ),
    echo(
        "welcome-after-first-message",
        &[Twist::WelcomeAfterFirstMessage],
        &["echo::welcome"],
        "Your welcome comes only after the client's first message; a client that waits to be greeted waits for ever.",
    ),
    echo(
        "welcome-twice",
        &[Twist::WelcomeTwice],
        &["echo::welcome"],
        "Your server says welcome twice, so every client takes the second one for the answer to its first message.",
    ),
    echo(
        "welcome-without-full-stop",
        &[Twist::WelcomeOtherwise],
        &["echo::welcome"],
        "Your welcome lacks its full stop: a protocol's texts are compared byte for byte, not by their meaning.",
    ),
    echo(
        "welcome-as-binary",
        &[Twist::WelcomeAsBinary],
        &["echo::welcome"],
        "Your welcome has the right bytes in a binary message; a browser hands that to the page as a Blob, not as text.",
    ),
    echo(
        "welcome-only-once",
        &[Twist::WelcomeOnce],
        &["echo::welcome"],
        "Your server welcomes the first client of its life and nobody after: the greeting belongs to each connection, \
         not to the server.",
    ),
    echo(
        "trims-white-space",
        &[Twist::Trims],
        &["echo::reply", "echo::binary"],
        "Your server trims the message before it echoes it; white space at the ends is the client's data too.",
    ),
    echo(
        "lower-cases",
        &[Twist::LowerCases],
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your server changes the message's letters to lower case; an echo gives back what it got, unchanged.",
    ),
    echo(
        "misspells-reply",
        &[Twist::OtherPrefix],
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your reply begins `Server recieved: `; one letter off is as wrong to a client as any other text.",
    ),
    echo(
        "quotes-message",
        &[Twist::Debugs],
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your reply shows the message as Rust's debug format does, in quotes and with escapes, where its plain text is wanted.",
    ),
    echo(
        "only-hello",
        &[Twist::OnlyHello],
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your server answers every message as if it were `Hello`; it has to answer what was said, not what was expected.",
    ),
    echo(
        "wrong-under-ci",
        &[Twist::WrongUnderCi],
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your server answers differently when the environment has `CI` set; what it does must not depend on who is watching.",
    ),
    echo(
        "first-ten-connections",
        &[Twist::FirstTenConnections],
        &["echo::reply", "echo::concurrent", "echo::abrupt"],
        "Your server is right for its first ten connections and answers the eleventh with a text of its own; every \
         client is owed the same.",
    ),
    echo(
        "right-for-one-second",
        &[Twist::RightForOneSecond],
        &[
            "echo::reply",
            "echo::order",
            "echo::payloads",
            "echo::binary",
            "echo::concurrent",
            "echo::abrupt",
            "echo::violations",
        ],
        "Your server is right for one second after its start and then answers with a text of its own; it has to be right for as long as it runs.",
    ),
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
        "ping-forgets-fragments",
        &[Twist::PingResetsFragments],
        &["echo::payloads"],
        "A ping between two fragments makes your server forget the first one; control frames may come in the middle of \
         a message and leave it alone.",
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
        "binary-as-list-of-numbers",
        &[Twist::BinaryAsList],
        &["echo::binary"],
        "Your server shows a binary message as a list of numbers, as Rust prints a `Vec<u8>`; it is to be read as UTF-8.",
    ),
];
