//! Causes of a server that does not run.

use crate::exercise::{Exercise, Target};
use crate::server::StartError;
use crate::verdict::FailureKind;

/// The reason why the server of an exercise does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartCause {
    /// The skeleton is untouched.
    NotStarted {
        /// The exercise.
        exercise: Exercise,
        /// The folder of the source, if the checker built it.
        target: Option<Target>,
        /// The TODO at which the skeleton panicked: its number and title.
        todo: String,
    },
    /// The exercise was not submitted.
    NotSubmitted(Exercise),
    /// The exercise does not compile.
    DoesNotCompile {
        /// The exercise.
        exercise: Exercise,
        /// The folder of the source.
        target: Target,
        /// The compiler's messages.
        errors: String,
    },
    /// The exercise needs crates that a class does not allow.
    NotAllowed {
        /// The exercise.
        exercise: Exercise,
        /// The folder of the source.
        target: Target,
        /// The names of the crates.
        crates: Vec<String>,
        /// The compiler's messages.
        errors: String,
    },
    /// The server did not come up.
    Server(StartError),
}

impl StartCause {
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            StartCause::NotStarted { .. } | StartCause::NotSubmitted(_) => FailureKind::NotStarted,
            StartCause::DoesNotCompile { .. } | StartCause::NotAllowed { .. } => {
                FailureKind::DoesNotCompile
            }
            StartCause::Server(_) => FailureKind::DoesNotStart,
        }
    }
}
