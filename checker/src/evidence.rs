//! Evidence beside the wire: the server's log and its use of the processor.

use harness::context::TestContext;
use harness::failure::{Awaited, Cause};
use harness::server::output::Output;
use harness::verdict::{Failure, FailureKind};
use harness::wire::frame::{Data, OpCode};
use harness::wire::recorder::{Direction, Event, EventKind};
use harness::wire::transcript::Highlight;

/// The share of a processor from which on a silent server counts as spinning.
const SPINNING: f64 = 0.8;
/// The prefix of the log line of a message.
const RECEIVED: &str = "Received: ";

/// An observation that explains a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// The server logged the client's message and sent nothing.
    LoggedOnly,
    /// The server logged other messages, but not this one.
    NotLogged,
    /// The process keeps a processor busy while it sends nothing.
    Spinning,
    /// A part of a frame arrived.
    Unfinished {
        /// The length of the payload that the frame announced.
        len: u64,
        /// The number of bytes that arrived.
        arrived: u64,
    },
}

/// Collects the observations that explain this failure.
pub(crate) async fn observe(
    ctx: &TestContext,
    failure: &Failure,
    events: &[Event],
) -> Vec<Observation> {
    let mut observations = Vec::new();
    if failure.kind == FailureKind::Silence
        && let Some(connection) = connection(failure)
    {
        observations.extend(unfinished(events, connection));
        if observations.is_empty() {
            observations.extend(logged(events, connection, &ctx.server.output));
        }
    }
    let waits = matches!(
        failure.kind,
        FailureKind::Silence | FailureKind::StillOpen | FailureKind::WrongTiming | FailureKind::Log
    );
    // Events from another server say nothing about the process of this one.
    if waits
        && failure.events.is_none()
        && ctx.server.exit_status().is_none()
        && ctx.server.processor_share().await.is_some_and(|share| share >= SPINNING)
    {
        observations.push(Observation::Spinning);
    }
    observations
}

/// Returns the message if the failure is about its reply.
pub(crate) fn asked(failure: &Failure) -> Option<&str> {
    match failure.cause.as_ref()? {
        Cause::Missing { awaited: Awaited::ReplyTo(message), .. }
        | Cause::WrongText { awaited: Awaited::ReplyTo(message), .. } => Some(message),
        _ => None,
    }
}

fn connection(failure: &Failure) -> Option<usize> {
    match failure.mark? {
        Highlight::Received { connection, .. }
        | Highlight::Response { connection }
        | Highlight::Last { connection } => Some(connection),
    }
}

fn unfinished(events: &[Event], connection: usize) -> Option<Observation> {
    let last = events.iter().rfind(|event| event.connection == connection)?;
    match last.what {
        EventKind::Unfinished { len, arrived, .. } => {
            Some(Observation::Unfinished { len, arrived })
        }
        _ => None,
    }
}

/// Compares the log with the last text of the client, if the server has sent no text since.
fn logged(events: &[Event], connection: usize, output: &Output) -> Option<Observation> {
    let text = |event: &&Event| match &event.what {
        EventKind::Frame(frame) if frame.opcode == OpCode::Data(Data::Text) && frame.fin => {
            event.connection == connection
        }
        _ => false,
    };
    let last = events.iter().rfind(text)?;
    let EventKind::Frame(frame) = &last.what else { return None };
    // The log escapes control characters, and the recorder keeps the beginning of long texts.
    let message = std::str::from_utf8(&frame.payload).ok()?;
    let is_plain = frame.len == message.len() as u64 && !message.contains(char::is_control);
    if last.direction == Direction::ToClient || message.is_empty() || !is_plain {
        return None;
    }
    if output.count(&format!("{RECEIVED}{message}")) > 0 {
        return Some(Observation::LoggedOnly);
    }
    (output.count_received() > 0).then_some(Observation::NotLogged)
}
