//! The faulty servers of the `echo` exercise whose mistake is in how they treat connections, and combinations.

use super::Fault;
use super::echo::echo;
use crate::base::Twist;

pub(super) const FAULTS: &[Fault] = &[
    echo(
        "one-client-at-a-time",
        &[Twist::OneAtATime],
        &[
            "echo::concurrent",
            "echo::welcome",
            "echo::reply",
            "echo::abrupt",
            "echo::violations",
            "echo::log",
        ],
        "Your server finishes with one client before it accepts the next, so a single silent one locks everybody out.",
    ),
    echo(
        "handshake-in-accept-loop",
        &[Twist::HandshakeInAcceptLoop],
        &["echo::concurrent"],
        "Your accept loop waits for each handshake, so one client that opens TCP and says nothing keeps all others out.",
    ),
    echo(
        "pool-of-four",
        &[Twist::PoolOfFour],
        &["echo::concurrent"],
        "Your server has four workers and a connection holds one for as long as it lasts; the fifth client waits \
         until somebody leaves.",
    ),
    echo(
        "sixty-four-workers",
        &[Twist::PoolOfSixtyFour],
        &["echo::concurrent"],
        "Your server has 64 workers, one for each connection, and the next client waits until somebody leaves; a connection that is silent \
         costs next to nothing, so there can be many.",
    ),
    echo(
        "four-handshakes-at-a-time",
        &[Twist::FourHandshakesAtATime],
        &["echo::concurrent"],
        "Your server has four handshakes going at a time, so four who never finish theirs keep everybody else out.",
    ),
    echo(
        "sixty-four-handshakes-at-a-time",
        &[Twist::HandshakesUpTo64],
        &["echo::concurrent"],
        "Your server has 64 handshakes going at a time, so 64 connections that say nothing keep \
         all clients out; a handshake that waits costs next to nothing.",
    ),
    echo(
        "one-writes-at-a-time",
        &[Twist::WritesInTurn],
        &["echo::concurrent"],
        "One lock guards all your sockets, and whoever holds it waits for its write; a client that does not read its replies keeps it for ever.",
    ),
    echo(
        "ignores-pings",
        &[Twist::IgnoresPings],
        &["echo::ping"],
        "Your server does not answer pings, so a client that checks whether you are still there concludes you are not.",
    ),
    echo(
        "empty-pong",
        &[Twist::PongIsEmpty],
        &["echo::ping"],
        "Your pong is empty; it has to carry the ping's payload, by which the client knows which ping you answered.",
    ),
    echo(
        "ignores-pings-between-fragments",
        &[Twist::IgnoresPingsInMessages],
        &["echo::ping"],
        "Your server does not answer a ping that comes between two fragments of a message; a long message is just \
         when a client wants to know whether you are still there.",
    ),
    echo(
        "echoes-pongs",
        &[Twist::EchoesPongs],
        &["echo::ping"],
        "Your server echoes whatever comes out of the stream, pongs too; only text and binary are messages, and an \
         unasked pong is not answered at all.",
    ),
    echo(
        "pong-as-text",
        &[Twist::PongIsText],
        &["echo::ping", "echo::payloads"],
        "Your server answers a ping with the text message `pong`; a pong is a control frame with an opcode of its own.",
    ),
    echo(
        "close-code-always-1000",
        &[Twist::CloseIs1000],
        &["echo::close"],
        "Your server closes with 1000 whatever the client said; the answer to a close frame has the same code.",
    ),
    echo(
        "close-without-code",
        &[Twist::CloseIsEmpty],
        &["echo::close"],
        "Your close frame is empty, so the client sees code 1005, \"no status\"; the answer has the code of the frame it answers.",
    ),
    echo(
        "close-code-little-endian",
        &[Twist::CloseIsSwapped],
        &["echo::close"],
        "Your close code has its two bytes swapped; numbers on the wire have their big end first.",
    ),
    echo(
        "close-codes-of-the-rfc-only",
        &[Twist::ClosesAreWellKnown],
        &["echo::close"],
        "Your server knows the close codes of the RFC, and answers those of libraries, 3000 to 3999, with 1000; the answer has the code that came, whatever it means.",
    ),
    echo(
        "close-code-1005",
        &[Twist::CloseIs1005],
        &["echo::close"],
        "Your server answers a close frame that has no code with 1005; that number is for programs to say that there was none, and never on the wire.",
    ),
    echo(
        "close-unanswered",
        &[Twist::CloseUnanswered],
        &["echo::close"],
        "Your server hangs up when it sees a close frame, without one of its own; to the client that looks like a \
         crash, code 1006.",
    ),
    echo(
        "close-ignored-amid-a-message",
        &[Twist::IgnoresCloseInMessages],
        &["echo::close"],
        "Your server does not answer a close frame that comes between two fragments of a message; \
         the client may have changed its mind, and waits.",
    ),
    echo(
        "close-says-more",
        &[Twist::CloseSaysMore],
        &["echo::close"],
        "Your server puts words of its own before the reason it repeats, and a long reason makes \
         the close frame longer than the 125 bytes of a control frame.",
    ),
    echo(
        "close-needs-a-code",
        &[Twist::CloseNeedsACode],
        &["echo::close"],
        "Your server takes a close frame without a code for an error and answers with 1002; the \
         code may be left out.",
    ),
    echo(
        "tcp-left-open",
        &[Twist::TcpLeftOpen],
        &["echo::close"],
        "Your server answers the close frame and then keeps the TCP connection; ending it is the server's part, and \
         each one left open is a file handle lost.",
    ),
    echo(
        "goodbye-after-the-close-frame",
        &[Twist::GoodbyeAfterClose],
        &["echo::close"],
        "Your server still says goodbye after its close frame, which is the last a side may send; say it before, or not at all.",
    ),
    echo(
        "accept-loop-ends-after-error",
        &[Twist::AcceptLoopEnds],
        &["echo::abrupt"],
        "One client that vanishes ends your accept loop, a `?` too far out: those connected stay, and nobody new gets in.",
    ),
    echo(
        "panics-on-reset",
        &[Twist::PanicsOnReset],
        &["echo::abrupt"],
        "A client's TCP reset panics your main task and takes every other client along; a lost connection is daily \
         business, not a bug.",
    ),
    echo(
        "hang-up-before-request-ends-process",
        &[Twist::HangUpEndsProcess],
        &["echo::abrupt"],
        "Your whole server ends when a client hangs up before its handshake is over.",
    ),
    echo(
        "exits-on-half-a-frame",
        &[Twist::ExitsOnHalfAFrame],
        &["echo::abrupt"],
        "A client that vanishes in the middle of a frame ends your whole process; its error concerns its connection alone.",
    ),
    echo(
        "half-a-message-ends-process",
        &[Twist::ExitsOnHalfAMessage],
        &["echo::abrupt"],
        "A client that vanishes between two fragments of a message ends your whole process: the next fragment was taken for granted.",
    ),
    echo(
        "gone-amid-a-write-ends-process",
        &[Twist::ExitsAmidAWrite],
        &["echo::abrupt"],
        "A client that is gone while your server writes to it ends your whole process: that write fails, and you unwrap it.",
    ),
    echo(
        "lock-poisoned-by-vanishing",
        &[Twist::PoisonsLockOnVanish],
        &["echo::abrupt"],
        "When a client vanishes, its task panics with the shared lock in its hand; the lock is poisoned, and the next \
         message of anybody else fails.",
    ),
    echo(
        "vanishing-ends-all",
        &[Twist::VanishEndsAll],
        &["echo::abrupt"],
        "One client that vanishes ends all connections, as when the first task that fails ends the whole set.",
    ),
    echo(
        "believes-the-length",
        &[Twist::BelievesTheLength],
        &["echo::abrupt"],
        "Your server sets aside as much memory as a frame's head announces; a head can announce exabytes, and then there \
         is no server any more. Have a limit, and fill a buffer as bytes arrive.",
    ),
    echo(
        "upgrades-plain-http",
        &[Twist::UpgradesPlainHttp],
        &["echo::violations"],
        "Your server answers a plain HTTP request with 101; a browser that only wanted a page gets frames. Look for the \
         upgrade headers first.",
    ),
    echo(
        "accepts-unmasked-pings",
        &[Twist::AcceptsUnmaskedControl],
        &["echo::violations"],
        "Your server answers pings that are not masked; every frame of a client's has to be, control frames too.",
    ),
    echo(
        "upgrades-without-a-key",
        &[Twist::UpgradesWithoutKey],
        &["echo::violations"],
        "Your server upgrades a request that has no `Sec-WebSocket-Key`, and answers a question that nobody asked.",
    ),
    echo(
        "upgrades-to-anything",
        &[Twist::AnyUpgrade],
        &["echo::violations"],
        "Your server takes any `Connection: Upgrade` for a WebSocket's; `curl --http2` asks for an upgrade as well, and means another.",
    ),
    echo(
        "plain-http-ends-process",
        &[Twist::PlainHttpEndsProcess],
        &["echo::violations"],
        "Your whole server ends at a request that is no upgrade.",
    ),
    echo(
        "garbage-ends-process",
        &[Twist::GarbageEndsProcess],
        &["echo::violations"],
        "Your whole server ends when somebody speaks anything but HTTP to it, TLS for instance.",
    ),
    echo(
        "accepts-unmasked-frames",
        &[Twist::AcceptsUnmasked],
        &["echo::violations"],
        "Your server accepts unmasked frames; a client has to mask, and a server has to hang up on one that does not.",
    ),
    echo(
        "mask-looked-for-once",
        &[Twist::MaskOfFirstOnly],
        &["echo::violations"],
        "Your server looks for the mask in a client's first frame only; each frame has one, or the connection ends.",
    ),
    echo(
        "skips-reserved-opcodes",
        &[Twist::SkipsReserved],
        &["echo::violations"],
        "Your server skips frames with a reserved opcode and goes on; whoever sends one speaks another protocol, so the \
         connection has to end.",
    ),
    echo(
        "echoes-invalid-utf-8",
        &[Twist::EchoesInvalidText],
        &["echo::violations"],
        "Your server mends a text message that is not UTF-8 and echoes it; text has to be UTF-8, and the connection \
         ends where it is not.",
    ),
    echo(
        "fragments-not-validated",
        &[Twist::FragmentsUnchecked],
        &["echo::violations"],
        "Your server checks that a text is UTF-8 where it comes in one frame, and mends it where it comes in several; the rule is the message's.",
    ),
    echo(
        "awaits-the-rest-of-a-character",
        &[Twist::AwaitsRestOfCharacter],
        &["echo::violations"],
        "At a text message's end your decoder still waits for the rest of a character, as one for streams does; no rest \
         comes after the last fragment, so the message is not UTF-8.",
    ),
    echo(
        "lax-utf-8",
        &[Twist::LaxUtf8],
        &["echo::violations"],
        "Your decoder looks at the form of UTF-8 only: it takes characters written longer than need be, and some beyond the last one there is.",
    ),
    echo(
        "ignores-invalid-utf-8",
        &[Twist::IgnoresInvalidText],
        &["echo::violations"],
        "Your server swallows a text message that is not UTF-8 and carries on; the client never learns that its \
         encoder is broken.",
    ),
    echo(
        "skips-garbage",
        &[Twist::SkipsGarbage],
        &["echo::violations"],
        "Your server throws away bytes it cannot read and goes on; after one bad frame nobody knows where the next \
         begins, so the connection has to end.",
    ),
    echo(
        "reserved-bits-pass",
        &[Twist::ReservedBitsPass],
        &["echo::violations"],
        "Your server does not look at the reserved bits; where no extension was agreed on, one \
         that is set ends the connection.",
    ),
    echo(
        "control-frames-in-fragments",
        &[Twist::FragmentedControlPasses],
        &["echo::violations"],
        "Your server takes a ping without FIN for a ping; a control frame can't be a fragment, \
         and one that is ends the connection.",
    ),
    echo(
        "control-frames-of-any-length",
        &[Twist::LongControlPasses],
        &["echo::violations"],
        "Your server answers pings of more than 125 bytes; a control frame that long ends the \
         connection.",
    ),
    echo(
        "violation-ends-process",
        &[Twist::ViolationEndsProcess],
        &["echo::violations", "echo::abrupt"],
        "One client's bad frame ends your whole process; anybody with a socket can switch off your service.",
    ),
    echo(
        "violation-ends-all",
        &[Twist::ViolationEndsAll],
        &["echo::violations", "echo::abrupt"],
        "One client's bad frame ends everybody's connection; a breach ends the connection it came on and no other.",
    ),
    echo(
        "combination-pong-and-close",
        &[Twist::PongIsEmpty, Twist::CloseIs1000],
        &["echo::ping", "echo::close"],
        "Two things at once: your pong is empty, and your close code is always 1000; in both, the answer repeats what \
         it answers.",
    ),
    echo(
        "combination-empty-and-binary",
        &[Twist::IgnoresEmpty, Twist::BinaryDropped],
        &["echo::payloads", "echo::binary"],
        "Two things at once: your server ignores empty messages and binary ones; every message gets its reply.",
    ),
    echo(
        "combination-reset-and-violation",
        &[Twist::PanicsOnReset, Twist::ViolationEndsAll],
        &["echo::abrupt", "echo::violations"],
        "Two things at once: a reset ends your process, and a bad frame ends all connections; one client's trouble \
         must stay its own.",
    ),
];
