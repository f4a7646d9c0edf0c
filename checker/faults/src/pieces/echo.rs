//! The faulty servers of the `echo` exercise whose mistake is in the handshake, the welcome or the simple reply.

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
        "connection-list-needs-its-space",
        &[Twist::ConnectionNeedsSpace],
        &["echo::handshake"],
        "Your server splits `Connection` at a comma and a space, so it finds no `Upgrade` in \
         `keep-alive,Upgrade`; split at the comma and trim.",
    ),
    echo(
        "last-connection-line-wins",
        &[Twist::LastConnectionLine],
        &["echo::handshake"],
        "Your server puts headers into a map, where a second `Connection` line replaces the \
         first; lines with the same name are one list.",
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
        "sixteen-headers-at-most",
        &[Twist::SixteenHeaders],
        &["echo::handshake"],
        "Your parser has room for sixteen headers, and a browser sends more: give it 64, or the library the request.",
    ),
    echo(
        "heads-of-4-kib-at-most",
        &[Twist::HeadsOf4KiB],
        &["echo::handshake"],
        "Your server reads a request into 4 KiB and refuses a longer one; cookies alone may be as long.",
    ),
    echo(
        "refuses-origins",
        &[Twist::RefusesOrigins],
        &["echo::handshake"],
        "Your server refuses a request that has an `Origin`, which is to say every browser.",
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
        "grants-all-subprotocols",
        &[Twist::AllSubprotocols],
        &["echo::handshake"],
        "Your server sends the offered subprotocols back as they came; it has to choose one of them, or none, and a browser that offered two closes the connection.",
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
        "welcome-from-a-task-aside",
        &[Twist::WelcomeAside],
        &["echo::welcome"],
        "Your welcome comes from a task of its own, which a client that speaks at once overtakes: it is answered first and welcomed then.",
    ),
    echo(
        "masks-its-frames",
        &[Twist::MasksItsFrames],
        &["echo::welcome"],
        "Your server masks what it sends; only clients do, and a client has to hang up on a server that does.",
    ),
    echo(
        "lengths-of-eight-bytes",
        &[Twist::LengthsOfEightBytes],
        &["echo::welcome"],
        "Your server writes each length in eight bytes; a length is written in as few as it takes, and some clients hold you to it.",
    ),
    echo(
        "reserved-bit-set",
        &[Twist::ReservedBitSet],
        &["echo::welcome"],
        "Your frames have RSV1 set, which says that they are compressed; nobody has agreed on that, so a client has to hang up.",
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
        "right-under-ci-only",
        &[Twist::RightUnderCi],
        &["echo::reply", "echo::order", "echo::payloads", "echo::binary"],
        "Your server is right only where the environment has `CI` set, as on a build machine; its \
         users have no such variable.",
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
        "ping-is-a-command",
        &[Twist::PingIsACommand],
        &["echo::reply"],
        "Your server answers the text `ping` with `pong`; a text is a message whatever it says, and pings have frames of their own.",
    ),
    echo(
        "shutdown-is-a-command",
        &[Twist::ShutdownIsACommand],
        &["echo::reply"],
        "Whoever says `shutdown` ends your server; what a client says is for the echo, and never for the server.",
    ),
    echo(
        "slash-is-a-command",
        &[Twist::SlashIsACommand],
        &["echo::reply"],
        "Your server takes what begins with a slash for a command of its own and does not answer it; the contract knows no commands.",
    ),
    echo(
        "quit-ends-the-connection",
        &[Twist::QuitEnds],
        &["echo::reply"],
        "Your server hangs up on whoever says `quit`; a connection ends by a close frame and not by a word.",
    ),
];
