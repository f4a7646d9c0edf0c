//! State that is kept between calls, under `target/checker/`: the last grades, the hints shown, and
//! the answers to the quizzes.
//!
//! A file that cannot be read counts as empty. `cargo clean` removes everything.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use harness::store::{read, write};
use serde::{Deserialize, Serialize};

use crate::grade::{Graded, Outcome};
use crate::journal::{self, Event};
use harness::exercise::{Exercise, Target};
use harness::server::build::workspace;

/// The last verdicts on one exercise.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Remembered {
    /// A fingerprint of the source that was graded.
    pub source: u64,
    /// `passed`, `failed`, `blocked` or `unknown`, by the check's id.
    pub checks: BTreeMap<String, String>,
}

/// Returns the last verdicts on `day1/`, by the exercise's name.
pub fn grades() -> BTreeMap<String, Remembered> {
    read("grades.json")
}

/// Stores these verdicts on `day1/`. Earlier verdicts on the same source are kept.
pub fn remember(graded: &[Graded]) -> io::Result<()> {
    let ids = |word: &str| -> Vec<String> {
        let graded = graded.iter().filter(|graded| self::word(&graded.outcome) == word);
        graded.map(|graded| graded.check.id.to_string()).collect()
    };
    journal::note(Event::Graded { passed: ids("passed"), failed: ids("failed") })?;
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

/// Returns a fingerprint of the student's source, or 0 if there is none.
pub fn fingerprint(exercise: Exercise) -> u64 {
    let Ok(source) = fs::read(workspace().join(exercise.source(Target::Day1))) else { return 0 };
    let mut hasher = DefaultHasher::new();
    source.hash(&mut hasher);
    hasher.finish()
}

/// Returns the number of hints shown for each check.
pub fn hints_shown() -> BTreeMap<String, usize> {
    read("hints.json")
}

/// Stores the number of hints shown for each check.
pub fn remember_hints_shown(counts: &BTreeMap<String, usize>) -> io::Result<()> {
    write("hints.json", counts)
}

/// A student's answers to one question of a quiz.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Answered {
    /// All answers, the last one included.
    pub tries: Vec<String>,
    /// True if the last answer is right. Otherwise the question was skipped.
    pub right: bool,
}

/// Returns the answers to the quizzes, by the question's id.
pub fn quiz_answers() -> BTreeMap<String, Answered> {
    read("quiz.json")
}

/// Stores the answers to the quizzes.
pub fn remember_quiz_answers(answers: &BTreeMap<String, Answered>) -> io::Result<()> {
    write("quiz.json", answers)
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::Blocked(_) => "blocked",
        Outcome::Inconclusive(_) => "unknown",
    }
}
