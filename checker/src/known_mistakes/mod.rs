//! Recognises known mistakes: exercises that fail exactly as one fault of the museum does.
//!
//! The report then shows the teacher's explanation of that fault. It must never mislead. So a
//! mistake is recognised only if every check of the exercise has a verdict, exactly the fault's
//! checks failed, each in the same way, and no other fault of the museum fails in that way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::grade::{Graded, Outcome};
use crate::report::words::words;
use harness::exercise::Exercise;
use harness::verdict::{Failure, FailureKind};

/// A description of each failure, by the check's id.
pub type Signature = BTreeMap<String, String>;

/// A fault of the museum and how it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMistake {
    /// The fault's name.
    pub name: String,
    /// The exercise that it would solve without the fault.
    pub exercise: String,
    /// A teacher's explanation of the fault.
    pub sentence: String,
    /// How it fails.
    pub signature: Signature,
}

static TABLE: LazyLock<Vec<KnownMistake>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("signatures.json")).expect("the table was written as JSON")
});

/// Returns all known mistakes, as measured by `cargo checker museum --signatures`.
pub fn table() -> &'static [KnownMistake] {
    &TABLE
}

/// Describes a failure by its kind, headline and result, without the parts that vary between runs.
fn describe(failure: &Failure) -> String {
    let words = words(failure);
    let got = if words.literal {
        difference(&words.expected, &words.got)
    } else {
        remove_variable_parts(&words.got)
    };
    format!("{:?}: {} ({got})", failure.kind, remove_variable_parts(&words.headline))
}

/// Removes quotations, measurements and the numbers of messages out of order, which are chance.
///
/// Other numbers stay: a 404 is not a 200.
fn remove_variable_parts(sentence: &str) -> String {
    let unquoted: String = sentence.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    let words: Vec<&str> = unquoted.split(' ').collect();
    let measured = |n: usize| {
        words.get(n + 1).is_some_and(|unit| {
            let unit = unit.trim_end_matches(|c: char| !c.is_alphabetic());
            ["ms", "s", "MiB", "KiB", "intervals", "messages", "bytes"].contains(&unit)
        })
    };
    // "message 65 of 130" shows the length of a queue. Two messages that changed places show
    // nothing.
    let out_of_order =
        |n: usize| n > 0 && words[n - 1] == "message" && words.get(n + 1) != Some(&"of");
    let number =
        |word: &str| word.trim_start_matches('(').starts_with(|c: char| c.is_ascii_digit());
    let chance = |n: usize| measured(n) || out_of_order(n);
    let stable = words
        .iter()
        .enumerate()
        .map(|(n, word)| if number(word) && chance(n) { "#" } else { *word });
    stable.collect::<Vec<_>>().join(" ")
}

/// A difference without a more precise description.
const OTHER: &str = "other words";

/// Describes how two texts differ.
fn difference(expected: &str, got: &str) -> String {
    if expected.starts_with(got) {
        format!("cut after {} bytes", got.len())
    } else if expected.trim() == got.trim()
        || expected.split_whitespace().eq(got.split_whitespace())
    {
        "other white space".to_string()
    } else if expected.to_lowercase() == got.to_lowercase() {
        "other case".to_string()
    } else if got.contains(expected) {
        "more than expected".to_string()
    } else if expected.replace('\u{FEFF}', "") == got {
        "without U+FEFF".to_string()
    } else if expected.ends_with(got) {
        "without its beginning".to_string()
    } else if count_replacements(got) > count_replacements(expected) {
        "more U+FFFD".to_string()
    } else {
        OTHER.to_string()
    }
}

fn count_replacements(text: &str) -> usize {
    text.matches(char::REPLACEMENT_CHARACTER).count()
}

/// Returns how this exercise fails; `None` if it passes or a check of it has no verdict.
pub fn signature(graded: &[Graded], exercise: Exercise) -> Option<Signature> {
    let of_exercise: Vec<&Graded> =
        graded.iter().filter(|graded| graded.check.exercise == exercise).collect();
    let all: BTreeSet<&str> = checks::all()
        .iter()
        .filter(|check| check.exercise == exercise)
        .map(|check| check.id)
        .collect();
    let run: BTreeSet<&str> = of_exercise.iter().map(|graded| graded.check.id).collect();
    if run != all {
        return None;
    }
    let mut signature = Signature::new();
    for graded in of_exercise {
        match &graded.outcome {
            Outcome::Failed(report) if report.failure.kind == FailureKind::NotStarted => {
                return None;
            }
            Outcome::Failed(report) => {
                signature.insert(graded.check.id.to_string(), describe(&report.failure));
            }
            Outcome::Inconclusive(_) => return None,
            Outcome::Passed | Outcome::Blocked(_) => {}
        }
    }
    (!signature.is_empty()).then_some(signature)
}

/// Returns the known mistake that fails exactly as this exercise does, if there is just one.
pub fn looks_like(graded: &[Graded], exercise: Exercise) -> Option<&'static KnownMistake> {
    with_signature(&signature(graded, exercise)?, exercise)
}

/// Returns the known mistake with this signature, if there is just one.
pub fn with_signature(signature: &Signature, exercise: Exercise) -> Option<&'static KnownMistake> {
    let mut matching = table()
        .iter()
        .filter(|known| known.exercise == exercise.name() && known.signature == *signature);
    matching.next().filter(|_| matching.next().is_none())
}

/// Selects the faults that failed in the same way in each round, and in a way that no other did.
pub(crate) fn unique(rounds: &[Vec<KnownMistake>]) -> Vec<KnownMistake> {
    let Some(first) = rounds.first() else { return Vec::new() };
    let mut selected: Vec<KnownMistake> = Vec::new();
    for fault in first {
        let stable = rounds.iter().all(|round| round.contains(fault));
        let unique = rounds.iter().flatten().all(|other| {
            other.name == fault.name
                || other.exercise != fault.exercise
                || other.signature != fault.signature
        });
        // A message that comes too early, too late or too often has many possible causes.
        let timed = fault
            .signature
            .values()
            .any(|failure| failure.starts_with(&format!("{:?}", FailureKind::WrongTiming)));
        // A text that differs in no known way has many possible causes, too.
        let vague = fault.signature.values().any(|failure| {
            failure.contains(" differs from ") && failure.ends_with(&format!("({OTHER})"))
        });
        if stable && unique && !timed && !vague {
            selected.push(fault.clone());
        }
    }
    selected
}

/// Returns each signature of a fault with the names of all faults that share it.
pub(crate) fn lookalikes<'a>(
    rounds: &'a [Vec<KnownMistake>],
    fault: &KnownMistake,
) -> BTreeMap<&'a Signature, BTreeSet<&'a str>> {
    let of_exercise = || rounds.iter().flatten().filter(|other| other.exercise == fault.exercise);
    let mut names_by_signature: BTreeMap<&Signature, BTreeSet<&str>> = of_exercise()
        .filter(|other| other.name == fault.name)
        .map(|other| (&other.signature, BTreeSet::new()))
        .collect();
    for other in of_exercise() {
        if let Some(names) = names_by_signature.get_mut(&other.signature) {
            names.insert(&other.name);
        }
    }
    names_by_signature
}
