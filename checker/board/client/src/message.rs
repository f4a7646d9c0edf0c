//! The messages between a student and the board. Each is a JSON object in a text message.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of these messages. The board refuses another one.
pub const VERSION: u32 = 1;
/// The most characters of a name.
pub const LONGEST_NAME: usize = 40;

/// A message of a student.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromStudent {
    /// The first message of a connection.
    Hello(Hello),
    /// A check has another outcome.
    Verdict(Verdict),
}

/// The student, and all verdicts so far.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u32,
    /// A random number in hexadecimal, by which the board knows a student that comes back.
    pub student: String,
    /// The name to show.
    pub name: Name,
    /// The verdicts so far.
    pub verdicts: Vec<Verdict>,
}

/// The verdict on one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The id of the check.
    pub check: String,
    /// The outcome.
    pub outcome: Outcome,
    /// How long the check has had this outcome, in milliseconds.
    pub age_ms: u64,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The server follows the contract.
    Passed,
    /// The server violates the contract.
    Failed,
    /// Another check has to pass first.
    Blocked,
    /// There is no verdict.
    Unknown,
    /// The exercise is not started yet.
    NotStarted,
}

/// A message of the board.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToStudent {
    /// The answer to [`Hello`].
    Welcome {
        /// The board's heartbeat interval in milliseconds.
        heartbeat_ms: u64,
    },
}

/// A name as a student chooses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// A name that the board does not show.
#[derive(Debug, Error)]
pub enum NameError {
    /// There is none.
    #[error("a name needs at least one character")]
    Empty,
    /// It is too long.
    #[error("a name may have {LONGEST_NAME} characters; this one has {0}")]
    TooLong(usize),
    /// It contains a line break or another control character.
    #[error("a name may not contain control characters, such as a line break")]
    Control,
}

impl Name {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        let name = text.trim();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        let length = name.chars().count();
        if length > LONGEST_NAME {
            return Err(NameError::TooLong(length));
        }
        Ok(Name(name.to_string()))
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}
