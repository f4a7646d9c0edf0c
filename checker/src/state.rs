//! What the student's tools remember from one call to the next, under `target/checker/`.
//!
//! It is a convenience: what can't be read is taken for forgotten, and `cargo clean` forgets everything.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use harness::store::{read, write};
use serde::{Deserialize, Serialize};

use crate::grade::{Graded, Outcome};
use harness::exercise::{Exercise, Target};
use harness::server::build::workspace;

/// What the last grade said of one exercise.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Remembered {
    /// A fingerprint of the source that was graded.
    pub source: u64,
    /// `passed`, `failed`, `blocked` or `unknown`, by the check's id.
    pub checks: BTreeMap<String, String>,
}

/// The last grades of `day1/`, by the exercise's name.
pub fn grades() -> BTreeMap<String, Remembered> {
    read("grades.json")
}

/// Remembers these verdicts on `day1/`. Those of the same source that were not graded this time stay.
///
/// # Errors
/// When `target/checker/` can't be written.
pub fn remember(graded: &[Graded]) -> io::Result<()> {
    let mut grades = grades();
    for exercise in Exercise::ALL {
        let verdicts: Vec<&Graded> =
            graded.iter().filter(|graded| graded.check.exercise == exercise).collect();
        if verdicts.is_empty() {
            continue;
        }
        let source = fingerprint(exercise);
        let remembered = grades.entry(exercise.name().to_string()).or_default();
        if remembered.source != source {
            *remembered = Remembered { source, checks: BTreeMap::new() };
        }
        remembered.checks.extend(
            verdicts
                .iter()
                .map(|graded| (graded.check.id.to_string(), word(&graded.outcome).into())),
        );
    }
    write("grades.json", &grades)
}

/// A fingerprint of the student's source, 0 if there is none.
pub fn fingerprint(exercise: Exercise) -> u64 {
    let Ok(source) = fs::read(workspace().join(exercise.source(Target::Day1))) else { return 0 };
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    hasher.finish()
}

/// How many rungs of each check's ladder of hints have been shown.
pub fn rungs() -> BTreeMap<String, usize> {
    read("hints.json")
}

/// Remembers how many have.
///
/// # Errors
/// When `target/checker/` can't be written.
pub fn remember_rungs(rungs: &BTreeMap<String, usize>) -> io::Result<()> {
    write("hints.json", rungs)
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::Blocked(_) => "blocked",
        Outcome::Inconclusive(_) => "unknown",
    }
}
