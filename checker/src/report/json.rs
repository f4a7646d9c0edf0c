//! Verdicts for programs: one JSON object.

use serde::Serialize;

use crate::grade::{Graded, Outcome};
use harness::exercise::Exercise;
use harness::wire::transcript::TranscriptLine;

/// The whole result.
#[derive(Debug, Serialize)]
pub struct Result<'a> {
    /// The seed of all random values; `--seed` repeats the run.
    pub seed: u64,
    /// The exercises that were graded, in the order of the day.
    pub exercises: Vec<ExerciseResult<'a>>,
    /// Sums over all of them.
    pub totals: Totals,
}

/// One exercise.
#[derive(Debug, Serialize)]
pub struct ExerciseResult<'a> {
    /// Its name.
    pub name: &'static str,
    /// Its checks, in the contract's order.
    pub checks: Vec<CheckRecord<'a>>,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct CheckRecord<'a> {
    /// Its id.
    pub id: &'static str,
    /// `passed`, `failed`, `blocked` or `unknown`.
    pub outcome: &'static str,
    /// Its duration in milliseconds.
    pub millis: u64,
    /// The headline of a failure, or the reason for `blocked` or `unknown`.
    pub summary: String,
    /// The requirement of the contract.
    pub expected: Option<&'a str>,
    /// The server's actual behaviour.
    pub got: Option<&'a str>,
    /// The conversation.
    pub transcript: &'a [TranscriptLine],
    /// A question that leads to the error, or the next step if the server did not run.
    pub hint: Option<&'a str>,
    /// The section to read: page and anchor.
    pub lesson: &'static str,
}

/// The number of checks with each outcome.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Blocked.
    pub blocked: usize,
    /// Without a verdict.
    pub unknown: usize,
}

impl Totals {
    /// Counts the outcomes.
    pub fn of(graded: &[Graded]) -> Self {
        let mut totals = Totals::default();
        for graded in graded {
            *match graded.outcome {
                Outcome::Passed => &mut totals.passed,
                Outcome::Failed(_) => &mut totals.failed,
                Outcome::Blocked(_) => &mut totals.blocked,
                Outcome::Inconclusive(_) => &mut totals.unknown,
            } += 1;
        }
        totals
    }

    /// Returns the number of all checks.
    pub fn all(self) -> usize {
        self.passed + self.failed + self.blocked + self.unknown
    }

    /// Returns the exit code: 0 all passed, 1 a check failed, 3 a check has no verdict.
    pub fn exit_code(self) -> u8 {
        match self {
            Totals { failed: 1.., .. } => 1,
            Totals { unknown: 1.., .. } => 3,
            // A check is blocked only if another failed. If not, it has not passed either.
            Totals { blocked: 1.., .. } => 1,
            _ => 0,
        }
    }
}

/// Builds the JSON result of these verdicts.
pub fn result(graded: &[Graded], seed: u64) -> Result<'_> {
    let exercises = Exercise::ALL.into_iter().filter_map(|exercise| {
        let checks: Vec<_> =
            graded.iter().filter(|graded| graded.check.exercise == exercise).map(check).collect();
        (!checks.is_empty()).then_some(ExerciseResult { name: exercise.name(), checks })
    });
    Result { seed, exercises: exercises.collect(), totals: Totals::of(graded) }
}

fn check(graded: &Graded) -> CheckRecord<'_> {
    let mut result = CheckRecord {
        id: graded.check.id,
        outcome: "passed",
        millis: graded.millis,
        summary: String::new(),
        expected: None,
        got: None,
        transcript: &[],
        hint: None,
        lesson: graded.check.lesson(),
    };
    match &graded.outcome {
        Outcome::Passed => {}
        Outcome::Failed(report) => {
            result.outcome = "failed";
            result.summary = report.words.headline.clone();
            result.expected = Some(&report.words.expected);
            result.got = Some(&report.words.got);
            result.transcript = &report.transcript;
            result.hint = Some(&report.next);
        }
        Outcome::Blocked(by) => {
            result.outcome = "blocked";
            result.summary = format!("blocked by {by}");
        }
        Outcome::Inconclusive(reason) => {
            result.outcome = "unknown";
            result.summary = reason.clone();
        }
    }
    result
}
