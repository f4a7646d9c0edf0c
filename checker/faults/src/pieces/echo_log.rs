//! The faulty servers of the `echo` exercise whose mistake is in their log.

use super::Fault;
use super::echo::echo;
use crate::base::Twist;

pub(super) const FAULTS: &[Fault] = &[
    echo(
        "connect-not-logged",
        &[Twist::LogsNoConnect],
        &["echo::log"],
        "Your log has no `Client connected`; when something goes wrong at night, the log is all there is.",
    ),
    echo(
        "logs-other-words",
        &[Twist::LogsOtherWords],
        &["echo::log"],
        "Your log lines say the same in other words; somebody's script looks for exactly `Client connected`, \
         `Received: …` and `Client disconnected`.",
    ),
    echo(
        "logs-to-stderr",
        &[Twist::LogsToStderr],
        &["echo::log"],
        "Your log lines go to standard error; the contract wants them on standard output, where the ready line is.",
    ),
    echo(
        "logs-without-message",
        &[Twist::LogsWithoutMessage],
        &["echo::log"],
        "Your log says that a message was received but not which; the line is `Received: ` and the message.",
    ),
    echo(
        "logs-debug-form",
        &[Twist::LogsDebug],
        &["echo::log"],
        "Your log shows the message as `{:?}` does, in quotes and with escapes; the line is `Received: ` and the \
         message as it came.",
    ),
    echo(
        "logs-the-first-80-characters",
        &[Twist::LogsFirst80],
        &["echo::log"],
        "Your log cuts a message after 80 characters; what was sent is all of it.",
    ),
    echo(
        "logs-in-two-writes",
        &[Twist::LogsInTwoWrites],
        &["echo::log"],
        "Your log prints a line's beginning and its message one after the other, so lines of several clients get mixed up: print a line at once.",
    ),
    echo(
        "logs-control-frames",
        &[Twist::LogsControlFrames],
        &["echo::log"],
        "Your log has a `Received: ` for every frame that comes out of the stream; pings, pongs and close frames are no messages.",
    ),
    echo(
        "logs-trimmed",
        &[Twist::LogsTrimmed],
        &["echo::log"],
        "Your log leaves out the spaces at the beginning of a message; what somebody sent should be found in it as it \
         was sent.",
    ),
    echo(
        "logs-only-polite-leave",
        &[Twist::LogsOnlyPoliteLeave],
        &["echo::log"],
        "Your server logs `Client disconnected` only after a close frame; most clients leave without one, and the log \
         has them connected for ever.",
    ),
    echo(
        "throwing-out-not-logged",
        &[Twist::LogsNoThrowingOut],
        &["echo::log"],
        "A client that your server throws out has left, too, and its line is missing from the log.",
    ),
    echo(
        "logs-leave-twice",
        &[Twist::LogsLeaveTwice],
        &["echo::log"],
        "Your log says `Client disconnected` twice for one client, once for its close frame and once for the end of \
         the stream.",
    ),
    echo(
        "log-kept-in-buffer",
        &[Twist::LogIsBuffered],
        &["echo::log"],
        "Your log lines wait in a buffer until it is full; a log that nobody can read while the server runs is none.",
    ),
];
