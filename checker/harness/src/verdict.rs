//! The results of a check: a failure of the server, or a reason why it could not be judged.

use std::borrow::Cow;

use crate::failure::Cause;
use crate::failure::heartbeat::HeartbeatCause;
use crate::server::files;
use crate::wire::recorder::{Event, Recorder};
use crate::wire::transcript::Highlight;

/// Why a check did not pass.
#[derive(Debug, Clone)]
pub enum CheckError {
    /// The server broke its contract.
    Failed(Box<Failure>),
    /// The check could not be carried out, for this reason.
    Inconclusive(String),
    /// The host was too busy to judge. A repetition may succeed.
    HostBusy(String),
}

impl CheckError {
    /// Adds a circumstance to a failure.
    pub fn context(mut self, circumstances: &str) -> Self {
        let circumstances = circumstances.trim_end_matches([' ', ',', ':']);
        if let CheckError::Failed(failure) = &mut self
            && !circumstances.is_empty()
        {
            failure.when.insert(0, circumstances.to_string().into());
        }
        self
    }

    /// Names the cause of a failure of this kind more exactly.
    pub fn refine(self, kind: FailureKind, cause: impl Into<Cause>) -> Self {
        self.map_failure(|failure| {
            if failure.kind == kind {
                let cause = cause.into();
                (failure.kind, failure.certain) = (cause.kind(), cause.is_certain());
                failure.cause = Some(cause);
            }
        })
    }

    /// Changes the failure, if it is one.
    pub fn map_failure(mut self, change: impl FnOnce(&mut Failure)) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            change(failure);
        }
        self
    }

    /// Replaces the cause of a failure by one that explains it.
    pub fn explain<C: Into<Cause>>(self, explain: impl FnOnce(Cause) -> C) -> Self {
        self.map_failure(|failure| {
            failure.cause = failure.cause.take().map(|cause| explain(cause).into());
            if let Some(cause) = &failure.cause {
                failure.kind = cause.kind();
            }
        })
    }

    /// Returns the cause of a failure.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            CheckError::Failed(failure) => failure.cause.as_ref(),
            _ => None,
        }
    }

    /// Returns whether this is a failure of this kind.
    pub fn is(&self, kind: FailureKind) -> bool {
        matches!(self, CheckError::Failed(failure) if failure.kind == kind)
    }

    /// Shows the conversation of all clients, not only of the one that saw the failure.
    pub fn show_all_clients(mut self) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            failure.clients = Vec::new();
        }
        self
    }

    /// Shows the conversation from this recorder instead of the one of the check's own server.
    pub fn recorded_by(mut self, recorder: &Recorder) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            failure.events = Some(recorder.events());
        }
        self
    }
}

/// The result of a check.
pub type CheckResult<T = ()> = Result<T, CheckError>;

/// The progress of a check, for the checks that depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The gate has not been passed yet: dependent checks wait.
    Pending,
    /// The gate is passed: dependent checks may start. The check goes on with details.
    GatePassed,
    /// It passed.
    Passed,
    /// It failed.
    Failed {
        /// Every dependent check must fail with it.
        fundamental: bool,
    },
    /// It has no verdict because this other check failed.
    Blocked(&'static str),
    /// It could not be judged.
    Inconclusive,
}

impl Progress {
    /// Returns whether the check has ended.
    pub fn is_over(&self) -> bool {
        !matches!(self, Progress::Pending | Progress::GatePassed)
    }
}

/// The kind of a failure. Known mistakes are recognised by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// The skeleton is untouched.
    NotStarted,
    /// It doesn't compile.
    DoesNotCompile,
    /// It doesn't come up.
    DoesNotStart,
    /// The upgrade was refused or answered wrongly.
    Handshake,
    /// A message came that differs from the one expected.
    WrongMessage,
    /// Nothing came.
    Silence,
    /// An unexpected message came.
    Unexpected,
    /// The connection ended too early.
    EndedEarly,
    /// The connection did not end.
    StillOpen,
    /// The close frame is wrong or missing.
    WrongClose,
    /// Something came too early, too late, too often or too seldom.
    WrongTiming,
    /// The server broke the rules for frames (RFC 6455).
    Protocol,
    /// The process ended.
    Died,
    /// It takes too much memory.
    Memory,
    /// The log lines on stdout are wrong.
    Log,
}

/// A failure of the server, with the evidence that its author needs to fix it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// The server's fault as data. `summary` is empty then.
    pub cause: Option<Cause>,
    /// The circumstances, outermost first: "while other clients join and leave".
    pub when: Vec<Cow<'static, str>>,
    /// Every client of a group saw the same kind of failure.
    pub every_client: bool,
    /// One sentence that names the fault.
    pub summary: String,
    /// The numbers of the clients to show; empty for all.
    pub clients: Vec<usize>,
    /// The offending event.
    pub mark: Option<Highlight>,
    /// Every check that depends on this one must fail with it.
    pub fundamental: bool,
    /// No delay of a busy host can explain it.
    pub certain: bool,
    /// The conversation, if it is not the one of the check's own server.
    pub events: Option<Vec<Event>>,
}

impl Failure {
    /// Makes a failure of this kind.
    pub fn new(kind: FailureKind, summary: impl Into<String>) -> Self {
        Failure {
            kind,
            cause: None,
            when: Vec::new(),
            every_client: false,
            summary: summary.into(),
            clients: Vec::new(),
            mark: None,
            fundamental: false,
            certain: false,
            events: None,
        }
    }

    /// Makes a failure with this cause. It is fundamental if the server does not run.
    pub fn caused(cause: impl Into<Cause>) -> Self {
        let cause = cause.into();
        let (kind, certain) = (cause.kind(), cause.is_certain());
        let fundamental = matches!(cause, Cause::Start(_));
        Failure { cause: Some(cause), certain, fundamental, ..Failure::new(kind, "") }
    }

    /// Returns true if a stall of this machine may have delayed an event of a right server.
    pub fn may_be_a_delay(&self) -> bool {
        // A typical delay does not explain these gaps, but several stalls may.
        let irregular =
            matches!(self.cause, Some(Cause::Heartbeat(HeartbeatCause::IrregularGaps { .. })));
        self.kind == FailureKind::WrongTiming && (irregular || !self.certain)
    }

    /// Shows the conversation of these clients only.
    pub fn about(mut self, clients: impl Into<Vec<usize>>) -> Self {
        self.clients = clients.into();
        self
    }

    /// Marks the offending event.
    pub fn at(mut self, mark: Highlight) -> Self {
        self.mark = Some(mark);
        self
    }
}

impl From<Failure> for CheckError {
    fn from(failure: Failure) -> Self {
        CheckError::Failed(Box::new(failure))
    }
}

impl From<Box<Failure>> for CheckError {
    fn from(failure: Box<Failure>) -> Self {
        CheckError::Failed(failure)
    }
}

impl From<std::io::Error> for CheckError {
    fn from(error: std::io::Error) -> Self {
        CheckError::Inconclusive(format!(
            "this machine does not let the checker work: {}",
            files::explained(&error)
        ))
    }
}

/// Adds circumstances to the failure in a result.
pub trait ResultExt: Sized {
    /// Adds a circumstance: "while other clients join and leave".
    fn context(self, circumstance: impl Into<Cow<'static, str>>) -> Self;
    /// Replaces the cause of a failure by one that explains it.
    fn explain<C: Into<Cause>>(self, explain: impl FnOnce(Cause) -> C) -> Self;
    /// Shows the conversation of all clients.
    fn show_all_clients(self) -> Self;
}

impl<T> ResultExt for CheckResult<T> {
    fn context(self, circumstance: impl Into<Cow<'static, str>>) -> Self {
        self.map_err(|error| error.context(&circumstance.into()))
    }

    fn explain<C: Into<Cause>>(self, explain: impl FnOnce(Cause) -> C) -> Self {
        self.map_err(|error| error.explain(explain))
    }

    fn show_all_clients(self) -> Self {
        self.map_err(CheckError::show_all_clients)
    }
}

/// Drops a failure that another check judges: returns `None` in its place.
pub fn judged_elsewhere<T>(result: CheckResult<T>) -> CheckResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(CheckError::Failed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
