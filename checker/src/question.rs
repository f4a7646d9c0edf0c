//! The question of a first report: it leads to the cause and does not name it.

use checks::Check;
use harness::failure::Cause;
use harness::failure::echo::{EchoCause, LogLine};
use harness::failure::heartbeat::HeartbeatCause;
use harness::server::build::UNUSED_MUST_USE;
use harness::verdict::FailureKind;
use harness::wire::transcript::TranscriptLine;

use crate::evidence::Observation;
use crate::grade::Report;
use crate::report::words::hint;

/// Selects the question of a first report.
pub(crate) fn question(check: &Check, report: &Report) -> String {
    let does_not_run = matches!(
        report.failure.kind,
        FailureKind::NotStarted | FailureKind::DoesNotCompile | FailureKind::DoesNotStart
    );
    if does_not_run {
        return report.failure.cause.as_ref().and_then(hint).unwrap_or_default();
    }
    if !report.panic.is_empty() {
        return "The panic names a file and a line. Which value made that line fail, and when does \
                it get such a value?"
            .to_string();
    }
    if report.observations.contains(&Observation::Spinning) {
        return "Which loop of your program goes on without waiting for anything?".to_string();
    }
    let first_hint = || check.hints().into_iter().next().unwrap_or_default();
    let sees = |observation| report.observations.contains(&observation);
    let unused = report.warnings.iter().any(|warning| warning.lint == UNUSED_MUST_USE);
    // A server that has sent a text has reached its loop.
    let talked = |line: &TranscriptLine| line.direction == "to-client" && line.kind == "text";
    let ended = |line: &TranscriptLine| line.marked && line.kind == "end";
    let question = match report.failure.kind {
        FailureKind::Silence if unused => {
            "rustc warns about a value that is not used. What does it say about that line?"
        }
        FailureKind::Silence if sees(Observation::LoggedOnly) => {
            "What happens to the reply between the line that logs the message and the wire?"
        }
        FailureKind::Silence if sees(Observation::NotLogged) => {
            "What was your server waiting for when this message arrived?"
        }
        // In the other checks the text is another message, not a changed one.
        FailureKind::WrongMessage
            if report.words.literal
                && matches!(check.id, "echo::welcome" | "echo::reply" | "echo::payloads") =>
        {
            "What is missing, added or changed in the text that came, and where does that happen?"
        }
        FailureKind::EndedEarly
            if matches!(
                report.failure.cause,
                Some(Cause::Heartbeat(HeartbeatCause::DroppedUnpinged))
            ) =>
        {
            "Which line drops this client, and which ping should it have answered by then?"
        }
        FailureKind::Log => match log_question(report) {
            Some(question) => question,
            None => return first_hint(),
        },
        // In these checks the size or the number of messages makes a difference.
        FailureKind::EndedEarly
            if !matches!(check.id, "echo::payloads" | "broadcast::order" | "broadcast::crowd")
                && report.transcript.iter().any(talked)
                && report.transcript.iter().any(ended) =>
        {
            "Your server ended this connection. Which line leaves the loop, or is there no loop?"
        }
        _ => return first_hint(),
    };
    question.to_string()
}

/// Asks about a wrong log line. The check's first hint is about `Client disconnected`.
fn log_question(report: &Report) -> Option<&'static str> {
    let (line, expected, got) = match &report.failure.cause {
        Some(Cause::Echo(EchoCause::WrongLog { line, expected, got })) => (line, *expected, *got),
        Some(Cause::Echo(EchoCause::TooManyReceived { .. })) => {
            return Some("Which frames reach the line that prints `Received`, besides messages?");
        }
        _ => return None,
    };
    if got == 0 && report.printed.contains(&line.text()) {
        return Some("Your server prints this line, but not on stdout. What prints it?");
    }
    match line {
        _ if got > expected => Some("Which lines of your code print this, and at which events?"),
        LogLine::Connected => Some("Which line of your code runs once for each new client?"),
        LogLine::Received(_) => Some("Which messages reach the line that logs what was received?"),
        LogLine::Disconnected => None,
    }
}
