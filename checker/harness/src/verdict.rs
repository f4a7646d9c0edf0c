//! What a check may find: a failure of the server, or that it could not be judged.

use std::borrow::Cow;

use crate::failure::Cause;
use crate::server::files;
use crate::wire::recorder::{Event, Recorder};
use crate::wire::transcript::Highlight;

/// Why a check did not pass.
#[derive(Debug, Clone)]
pub enum CheckError {
    /// The server broke its contract.
    Failed(Box<Failure>),
    /// Nobody is to blame: the check could not be carried out, for the reason given.
    Inconclusive(String),
    /// As `Unknown`, but with more time it may be judged.
    HostBusy(String),
}

impl CheckError {
    /// Says of a failure in what circumstances it came about.
    pub fn context(mut self, circumstances: &str) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            if failure.cause.is_some() {
                failure
                    .when
                    .insert(0, circumstances.trim_end_matches([' ', ',', ':']).to_string().into());
            } else {
                failure.summary = format!("{circumstances}{}", failure.summary);
            }
        }
        self
    }

    /// Changes the failure, if it is one.
    pub fn map_failure(mut self, change: impl FnOnce(&mut Failure)) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            change(failure);
        }
        self
    }

    /// Gives a failure this headline; what was expected and what came stay.
    pub fn headed(mut self, headline: impl Into<String>) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            failure.summary = headline.into();
        }
        self
    }

    /// Whether it is a failure of this kind.
    pub fn is(&self, kind: FailureKind) -> bool {
        matches!(self, CheckError::Failed(failure) if failure.kind == kind)
    }

    /// Gives advice for a failure of this kind.
    pub fn hint_for(self, kind: FailureKind, hint: &str) -> Self {
        match self {
            CheckError::Failed(failure) if failure.kind == kind => failure.hint(hint).into(),
            other => other,
        }
    }

    /// Gives advice for a failure of any kind.
    pub fn hinted(mut self, hint: &str) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            failure.hint = Some(hint.to_string());
        }
        self
    }

    /// Shows everybody's conversation and not only that of the client that noticed.
    pub fn show_all_clients(mut self) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            failure.clients = Vec::new();
        }
        self
    }

    /// Takes the conversation of a failure from this tap, which is not that of the check's own server.
    pub fn recorded_by(mut self, recorder: &Recorder) -> Self {
        if let CheckError::Failed(failure) = &mut self {
            failure.events = Some(recorder.events());
        }
        self
    }
}

/// What a check returns.
pub type CheckResult<T = ()> = Result<T, CheckError>;

/// How far a check has come, as those that stand on it need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is not known yet whether what others stand on is sound.
    Pending,
    /// It is sound; the check goes on to finer points.
    GatePassed,
    /// It passed.
    Passed,
    /// It failed, on a finer point or on one that everything stands on.
    Failed {
        /// Whether everything stands on it.
        fundamental: bool,
    },
    /// It did not run to a verdict because of the check named.
    Blocked(&'static str),
    /// It could not be judged.
    Inconclusive,
}

impl Progress {
    /// Whether there is a verdict.
    pub fn is_over(&self) -> bool {
        !matches!(self, Progress::Pending | Progress::GatePassed)
    }
}

/// The sort of a failure; part of the signature by which a familiar mistake is recognised.
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
    /// A message came that nobody expected.
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

/// A failure of the server, told so that its author can mend it.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The sort of failure.
    pub kind: FailureKind,
    /// What the server did, as data; the words below are empty then.
    pub cause: Option<Cause>,
    /// The circumstances, outermost first: "while other clients join and leave".
    pub when: Vec<Cow<'static, str>>,
    /// Whether every client of a group found the same.
    pub every_client: bool,
    /// One sentence that says what is wrong.
    pub summary: String,
    /// What the contract wants; exact text where there is one.
    pub expected: String,
    /// What came instead.
    pub got: String,
    /// Whether `expected` and `got` are texts to be compared character by character.
    pub literal: bool,
    /// Which clients the conversation is about, by number; empty for all.
    pub clients: Vec<usize>,
    /// Which event of the conversation is the offending one.
    pub mark: Option<Highlight>,
    /// Whether everything that stands on this check must fail with it.
    pub fundamental: bool,
    /// The conversation, where it is not that of the check's own server.
    pub events: Option<Vec<Event>>,
    /// Advice for this very failure, where the check's own hint would miss.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: FailureKind, summary: impl Into<String>) -> Self {
        Failure {
            kind,
            cause: None,
            when: Vec::new(),
            every_client: false,
            summary: summary.into(),
            expected: String::new(),
            got: String::new(),
            literal: false,
            clients: Vec::new(),
            mark: None,
            fundamental: false,
            events: None,
            hint: None,
        }
    }

    /// A failure with this cause.
    pub fn caused(cause: Cause) -> Self {
        Failure { cause: Some(cause.clone()), ..Failure::new(cause.kind(), "") }
    }

    /// What was expected and what came, in words.
    pub fn expected(mut self, expected: impl Into<String>, got: impl Into<String>) -> Self {
        (self.expected, self.got) = (expected.into(), got.into());
        self
    }

    /// What was expected and what came, as texts to compare.
    pub fn literally(mut self, expected: impl Into<String>, got: impl Into<String>) -> Self {
        self.literal = true;
        self.expected(expected, got)
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

    /// Gives advice for this very failure.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
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

/// Says of a failure that everything which stands on this check falls with it.
pub trait Fundamental {
    /// The same, with the failure marked as fundamental.
    fn fundamental(self) -> Self;
}

impl<T> Fundamental for CheckResult<T> {
    fn fundamental(self) -> Self {
        self.map_err(|error| match error {
            CheckError::Failed(mut failure) => {
                failure.fundamental = true;
                CheckError::Failed(failure)
            }
            unknown => unknown,
        })
    }
}

/// Words that a check adds to a failure.
pub trait ResultExt: Sized {
    /// Adds a circumstance: "while other clients join and leave".
    fn context(self, circumstance: impl Into<Cow<'static, str>>) -> Self;
}

impl<T> ResultExt for CheckResult<T> {
    fn context(self, circumstance: impl Into<Cow<'static, str>>) -> Self {
        self.map_err(|error| error.context(&circumstance.into()))
    }
}

/// The result of something that another check judges. `None` if the server failed it: this check
/// then has nothing to say about it.
pub fn judged_elsewhere<T>(result: CheckResult<T>) -> CheckResult<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(CheckError::Failed(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
