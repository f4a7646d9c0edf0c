//! The one result model, from which all files and formats are written.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What became of one submission.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// Its name: that of its folder or archive.
    pub(crate) name: String,
    /// What tells its sources from all others; empty if there are none.
    pub(crate) content: String,
    /// The submission with the same sources that was graded in its stead.
    pub(crate) same_as: Option<String>,
    pub(crate) status: Status,
    /// Why it was not graded.
    pub(crate) reason: Option<String>,
    /// Under what it ran.
    pub(crate) sandbox: String,
    /// What all chance followed from.
    pub(crate) seed: u64,
    pub(crate) points: u32,
    pub(crate) max_points: u32,
    pub(crate) totals: Totals,
    pub(crate) exercises: Vec<Exercise>,
    /// Exercises of which nothing was submitted: graded as the untouched skeleton.
    pub(crate) missing: Vec<String>,
    /// What was not taken from the submission.
    pub(crate) left_out: Vec<String>,
    /// How long it took to build and to grade it, in milliseconds.
    pub(crate) millis: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// Every check has a verdict.
    Graded,
    /// There is nothing to grade in it.
    Unreadable,
    /// The grader itself did not finish; to be looked at by a person.
    Broken,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Graded => "graded",
            Status::Unreadable => "unreadable",
            Status::Broken => "broken",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) blocked: usize,
    pub(crate) unknown: usize,
}

impl Totals {
    pub(crate) fn all(self) -> usize {
        self.passed + self.failed + self.blocked + self.unknown
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Exercise {
    pub(crate) name: String,
    pub(crate) checks: Vec<Check>,
    /// The museum's mistake that fails in just this way.
    pub(crate) looks_like: Option<LooksLike>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LooksLike {
    pub(crate) name: String,
    pub(crate) sentence: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Check {
    pub(crate) id: String,
    /// `passed`, `failed`, `blocked` or `unknown`.
    pub(crate) outcome: String,
    pub(crate) millis: u64,
    pub(crate) summary: String,
    pub(crate) expected: Option<String>,
    pub(crate) got: Option<String>,
    pub(crate) transcript: Vec<Value>,
    pub(crate) hint: Option<String>,
    pub(crate) lesson: String,
    #[serde(default)]
    pub(crate) points: u32,
    #[serde(default)]
    pub(crate) max_points: u32,
}

impl Check {
    pub(crate) fn passed(&self) -> bool {
        self.outcome == "passed"
    }

    /// What to tell a student, in plain text.
    pub(crate) fn told(&self) -> String {
        let mut told = vec![self.summary.clone()];
        if let (Some(expected), Some(got)) = (&self.expected, &self.got) {
            told.push(format!("expected: {expected}\ngot: {got}"));
        }
        told.extend(self.hint.iter().map(|hint| format!("hint: {hint}")));
        if !self.passed() {
            told.push(format!("lesson: {}", self.lesson));
        }
        told.retain(|line| !line.is_empty());
        told.join("\n")
    }
}

/// What the checker says with `--format json`.
#[derive(Debug, Deserialize)]
pub(crate) struct Verdicts {
    pub(crate) seed: u64,
    pub(crate) exercises: Vec<Exercise>,
    pub(crate) totals: Totals,
}

impl Submission {
    /// A submission that is not graded, or not yet.
    pub(crate) fn ungraded(
        name: &str,
        status: Status,
        reason: Option<String>,
        weights: &Weights,
    ) -> Self {
        Submission {
            name: name.to_string(),
            content: String::new(),
            same_as: None,
            status,
            reason,
            sandbox: String::new(),
            seed: 0,
            points: 0,
            max_points: weights.sum(),
            totals: Totals::default(),
            exercises: Vec::new(),
            missing: Vec::new(),
            left_out: Vec::new(),
            millis: 0,
        }
    }

    /// Takes the verdicts, and counts their points.
    pub(crate) fn with(mut self, verdicts: Verdicts, weights: &Weights) -> Self {
        self.exercises = verdicts.exercises;
        (self.seed, self.totals, self.status) = (verdicts.seed, verdicts.totals, Status::Graded);
        (self.points, self.max_points) = (0, 0);
        for check in self.exercises.iter_mut().flat_map(|exercise| &mut exercise.checks) {
            check.max_points = weights.of(&check.id);
            check.points = if check.passed() { check.max_points } else { 0 };
            self.points += check.points;
            self.max_points += check.max_points;
        }
        self
    }

    pub(crate) fn checks(&self) -> impl Iterator<Item = &Check> {
        self.exercises.iter().flat_map(|exercise| &exercise.checks)
    }
}

/// What each check is worth.
#[derive(Debug, Clone, Default)]
pub(crate) struct Weights(std::collections::BTreeMap<String, u32>);

impl Weights {
    /// The repository's weights, with those of this file in their stead: a JSON object of ids and whole numbers.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn read(file: Option<&std::path::Path>) -> Result<Self, String> {
        let Some(file) = file else { return Ok(Weights::default()) };
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("cannot read {name}: {error}"))?;
        let weights: std::collections::BTreeMap<String, u32> = serde_json::from_str(&text).map_err(|error| {
            format!("{name} is no object of checks and whole points, as {{\"echo::reply\": 2}}: {error}")
        })?;
        match weights.keys().find(|id| checks::find(id).is_none()) {
            Some(id) => {
                Err(format!("{name}: there is no check `{id}`; checks are named like echo::reply"))
            }
            None => Ok(Weights(weights)),
        }
    }

    pub(crate) fn of(&self, id: &str) -> u32 {
        self.0.get(id).copied().unwrap_or_else(|| checks::find(id).map_or(0, checks::Check::points))
    }

    pub(crate) fn sum(&self) -> u32 {
        checks::all().iter().map(|check| self.of(check.id)).sum()
    }
}
