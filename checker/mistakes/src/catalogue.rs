//! The catalogue: each mistake is an edit of a solution. The build script reads it, too.

use std::fmt;

use serde::Deserialize;

/// Each exercise with its solution and its part of the catalogue, in the order of the day.
const EXERCISES: [(&str, &str, &str); 3] = [
    (
        "echo",
        include_str!("../../../solutions/echo/src/main.rs"),
        include_str!("../catalogue/echo.toml"),
    ),
    (
        "heartbeat",
        include_str!("../../../solutions/heartbeat/src/main.rs"),
        include_str!("../catalogue/heartbeat.toml"),
    ),
    (
        "broadcast",
        include_str!("../../../solutions/broadcast/src/main.rs"),
        include_str!("../catalogue/broadcast.toml"),
    ),
];

/// How a TODO was mistaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing of the TODO was done.
    LeftOut,
    /// A part of it is missing.
    HalfDone,
    /// All of it is there, and stands where it does not belong.
    WrongPlace,
    /// Something else.
    Other,
}

/// One exercise's part of the catalogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chapter {
    /// The exercise's name.
    #[serde(skip)]
    pub exercise: &'static str,
    /// The exercise's solution, which the mistakes edit.
    #[serde(skip)]
    pub solution: &'static str,
    /// The mistakes that a check must catch.
    #[serde(rename = "mistake")]
    pub mistakes: Vec<Mistake>,
    /// Variants that look like mistakes, but that the contract allows.
    #[serde(default)]
    pub allowed: Vec<Allowed>,
}

/// One mistake.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mistake {
    /// Its name, unique in the catalogue.
    pub name: String,
    /// The number of the TODO.
    pub todo: u8,
    /// How the TODO was mistaken.
    pub kind: Kind,
    /// The check that must be the first to fail, in the contract's order.
    pub caught_by: String,
    /// A teacher's explanation.
    pub sentence: String,
    /// A diff against the solution without line numbers; `@@` stands between two hunks.
    pub edit: String,
}

/// A variant that the contract allows, so that no check can catch it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// The number of the TODO.
    pub todo: u8,
    /// How the TODO was mistaken.
    pub kind: Kind,
    /// The student's code, in words.
    pub what: String,
    /// Why the contract allows it, or why it cannot be written.
    pub reason: String,
}

/// Why an edit cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// The solution does not contain these lines.
    Missing(String),
    /// The solution contains these lines more than once.
    Ambiguous(String),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (problem, lines) = match self {
            EditError::Missing(lines) => ("the solution does not contain", lines),
            EditError::Ambiguous(lines) => ("the solution contains more than once", lines),
        };
        write!(f, "{problem}:\n{lines}")
    }
}

impl std::error::Error for EditError {}

/// Reads the whole catalogue.
pub fn chapters() -> Result<Vec<Chapter>, toml::de::Error> {
    let chapters = EXERCISES.into_iter().map(|(exercise, solution, text)| {
        Ok(Chapter { exercise, solution, ..toml::from_str(text)? })
    });
    chapters.collect()
}

impl Chapter {
    /// Returns the solution's source with this mistake.
    pub fn source(&self, mistake: &Mistake) -> Result<String, EditError> {
        apply(self.solution, &mistake.edit)
    }
}

/// Applies a diff without line numbers.
fn apply(solution: &str, edit: &str) -> Result<String, EditError> {
    let mut source = solution.to_string();
    for hunk in edit.split("@@\n") {
        let side = |other: char| -> String {
            let lines = hunk.lines().filter(|line| !line.starts_with(other));
            lines.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect()
        };
        let (before, after) = (side('+'), side('-'));
        // A match counts only at the beginning of a line.
        let places: Vec<usize> = source
            .match_indices(&before)
            .map(|(place, _)| place)
            .filter(|place| *place == 0 || source[..*place].ends_with('\n'))
            .collect();
        match places[..] {
            [place] => source.replace_range(place..place + before.len(), &after),
            [] => return Err(EditError::Missing(before)),
            _ => return Err(EditError::Ambiguous(before)),
        }
    }
    Ok(source)
}
