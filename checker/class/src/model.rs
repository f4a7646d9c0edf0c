//! The one result model, from which all files and formats are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::adjust::Manual;
use crate::roster::Person;
use crate::text::{block, line};
use crate::weights::Weights;

/// The result of one submission.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// The name of its folder or archive.
    pub(crate) name: String,
    /// The name of its file or folder as it was handed in.
    #[serde(default)]
    pub(crate) hand_in: String,
    /// The person of the roster to which it belongs.
    #[serde(default)]
    pub(crate) person: Option<Person>,
    /// When it was handed in: by the roster, else when its newest file was changed.
    #[serde(default)]
    pub(crate) submitted: Option<String>,
    /// True if it came after `--due`; `None` if that is unknown.
    #[serde(default)]
    pub(crate) late: Option<bool>,
    #[serde(default)]
    pub(crate) manual: Manual,
    /// A hash of its sources; empty if there are none.
    pub(crate) content: String,
    /// The submission with the same sources that was graded instead.
    pub(crate) same_as: Option<String>,
    pub(crate) status: Status,
    /// The reason why it was not graded.
    pub(crate) reason: Option<String>,
    /// The sandbox that it ran in.
    pub(crate) sandbox: String,
    /// The ABI of Landlock, where the sandbox has it.
    #[serde(default)]
    pub(crate) landlock_abi: Option<i32>,
    /// The limit on the memory of all processes together: `cgroup` or `watchdog`.
    #[serde(default)]
    pub(crate) memory_limit: String,
    /// The seed of all random choices.
    pub(crate) seed: u64,
    pub(crate) points: u32,
    pub(crate) max_points: u32,
    pub(crate) totals: Totals,
    pub(crate) exercises: Vec<Exercise>,
    /// Exercises of which nothing was submitted: graded as the untouched skeleton.
    pub(crate) missing: Vec<String>,
    /// The entries of the submission that were not read, with reasons.
    pub(crate) left_out: Vec<String>,
    /// Notes for the instructor besides the verdicts.
    #[serde(default)]
    pub(crate) notes: Vec<String>,
    /// How long it took to build and to grade it, in milliseconds.
    pub(crate) millis: u64,
    #[serde(default)]
    pub(crate) steps: Steps,
}

/// How long each step took, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steps {
    /// Waiting until other submissions were built.
    pub(crate) wait: u64,
    pub(crate) build: u64,
    pub(crate) grade: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// Every check has a verdict.
    Graded,
    /// There is nothing to grade in it.
    Unreadable,
    /// A process of the grader did not finish. A person has to look at it.
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

/// How far an exercise came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Its server was started and its checks have verdicts.
    #[default]
    Graded,
    /// It is the untouched skeleton, or stops at the first TODO.
    NotStarted,
    DoesNotCompile,
    NotSubmitted,
    /// The machine kept it from being compiled.
    NotJudged,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Exercise {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) state: State,
    pub(crate) checks: Vec<Check>,
}

impl Exercise {
    pub(crate) fn points(&self) -> u32 {
        self.checks.iter().map(|check| check.points).sum()
    }

    pub(crate) fn max_points(&self) -> u32 {
        self.checks.iter().map(|check| check.max_points).sum()
    }
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

    /// The verdict for a student, in plain text.
    pub(crate) fn describe(&self) -> String {
        let mut lines = vec![self.summary.clone()];
        if let (Some(expected), Some(got)) = (&self.expected, &self.got) {
            lines.push(format!("expected: {expected}\ngot: {got}"));
        }
        lines.extend(self.hint.iter().map(|hint| format!("hint: {hint}")));
        if !self.passed() {
            lines.push(format!("lesson: {}", self.lesson));
        }
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}

/// The output of the checker with `--format json`, and what a worker adds.
#[derive(Debug, Deserialize)]
pub(crate) struct Verdicts {
    /// The exercises that are not [`State::Graded`], by name.
    #[serde(default)]
    pub(crate) states: BTreeMap<String, State>,
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
            hand_in: name.to_string(),
            person: None,
            submitted: None,
            late: None,
            manual: Manual::default(),
            content: String::new(),
            same_as: None,
            status,
            reason,
            sandbox: String::new(),
            landlock_abi: None,
            memory_limit: String::new(),
            seed: 0,
            points: 0,
            max_points: weights.sum(),
            totals: Totals::default(),
            exercises: Vec::new(),
            missing: Vec::new(),
            left_out: Vec::new(),
            notes: Vec::new(),
            millis: 0,
            steps: Steps::default(),
        }
    }

    /// Takes over the verdicts and counts their points.
    pub(crate) fn with(mut self, verdicts: Verdicts, weights: &Weights) -> Self {
        self.exercises = verdicts.exercises;
        (self.seed, self.totals, self.status) = (verdicts.seed, verdicts.totals, Status::Graded);
        for exercise in &mut self.exercises {
            exercise.state = verdicts.states.get(&exercise.name).copied().unwrap_or_default();
        }
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

    /// The points that count: the manual ones, if there are any.
    pub(crate) fn final_points(&self) -> u32 {
        self.manual.points.unwrap_or(self.points)
    }

    /// The points for a gradebook; `None` where a person has to decide first.
    pub(crate) fn gradebook_points(&self) -> Option<u32> {
        let is_final = self.status == Status::Graded && !self.is_open();
        self.manual.points.or(is_final.then_some(self.points))
    }

    /// The points that each exercise lost because it does not compile, in a sentence.
    pub(crate) fn costs(&self) -> Vec<String> {
        let lost = self.exercises.iter().filter(|one| one.state == State::DoesNotCompile);
        let sentence = |exercise: &Exercise| {
            format!(
                "Exercise {} does not compile: its {} checks count 0 of {} points.",
                exercise.name,
                exercise.checks.len(),
                exercise.max_points()
            )
        };
        lost.map(sentence).collect()
    }

    /// The sandbox with the ABI of Landlock.
    pub(crate) fn sandbox_label(&self) -> String {
        let abi = self.landlock_abi.map_or(String::new(), |abi| format!(" (Landlock ABI {abi})"));
        format!("{}{abi}", self.sandbox)
    }

    /// Returns whether an instructor has to look at it, or the machine has to grade it again.
    pub(crate) fn is_open(&self) -> bool {
        self.status == Status::Broken || self.totals.unknown > 0
    }

    /// Makes every check that did not pass unknown, for this reason: the machine may be the cause.
    pub(crate) fn withdraw_verdicts(&mut self, reason: &str) {
        for check in self.exercises.iter_mut().flat_map(|exercise| &mut exercise.checks) {
            if !check.passed() {
                check.outcome = "unknown".to_string();
                check.summary = reason.to_string();
                (check.expected, check.got, check.hint) = (None, None, None);
            }
        }
        let count = |outcome: &str| self.checks().filter(|check| check.outcome == outcome).count();
        self.totals = Totals {
            passed: count("passed"),
            failed: count("failed"),
            blocked: count("blocked"),
            unknown: count("unknown"),
        };
    }

    /// Cleans all text that a submission can choose.
    pub(crate) fn clean(mut self) -> Self {
        let optional = |text: &mut Option<String>, limit| {
            *text = text.as_deref().map(|text| block(text, limit));
        };
        let lines = |texts: &mut Vec<String>| {
            texts.iter_mut().for_each(|text| *text = line(text, LINE));
        };
        self.name = line(&self.name, LINE);
        self.hand_in = line(&self.hand_in, LINE);
        self.reason = self.reason.as_deref().map(|reason| line(reason, 4 * LINE));
        lines(&mut self.left_out);
        lines(&mut self.notes);
        for check in self.exercises.iter_mut().flat_map(|exercise| &mut exercise.checks) {
            check.summary = line(&check.summary, 4 * LINE);
            optional(&mut check.expected, BLOCK);
            optional(&mut check.got, BLOCK);
            optional(&mut check.hint, BLOCK);
            let mut room = TRANSCRIPT;
            check.transcript.retain_mut(|entry| {
                clean_value(entry);
                room = room.saturating_sub(entry.to_string().len());
                room > 0
            });
        }
        self
    }
}

/// Characters of a text on one line.
const LINE: usize = 500;
/// Characters of a text of several lines.
const BLOCK: usize = 8 << 10;
/// Bytes of the transcript of one check.
const TRANSCRIPT: usize = 256 << 10;

fn clean_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = block(text, BLOCK),
        Value::Array(values) => values.iter_mut().for_each(clean_value),
        Value::Object(fields) => fields.values_mut().for_each(clean_value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
