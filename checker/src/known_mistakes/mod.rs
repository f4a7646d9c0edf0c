//! Recognises known mistakes: exercises that fail exactly as one server of the museum or of the
//! catalogue of mistakes does.
//!
//! The report then shows the explanation of that server's fault. A wrong explanation costs more
//! than none. So a mistake is recognised only if every check of the exercise has a verdict, exactly
//! the same checks failed with the same causes, and no other server fails in that way.
//! `cargo checker mistakes --signatures` measures the table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::grade::{Graded, Outcome};
use harness::exercise::Exercise;
use harness::failure::Cause;
use harness::verdict::{Failure, FailureKind};

/// A description of each failure, by the check's id.
pub type Signature = BTreeMap<String, String>;

/// A wrong server and how it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMistake {
    /// Its name.
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

/// Returns all known mistakes.
pub fn table() -> &'static [KnownMistake] {
    &TABLE
}

/// Describes a failure by its kind, and by the variants and fields of its cause, without the parts
/// that vary between runs. Returns `None` if the server does not run.
fn fingerprint(failure: &Failure) -> Option<String> {
    let every = if failure.every_client { " for every client" } else { "" };
    let fields = match failure.cause.as_ref()? {
        Cause::Start(_) => return None,
        Cause::WrongText { awaited, expected, got } => {
            let awaited = stable_fields(&format!("{awaited:?}"));
            format!("WrongText of {awaited} ({})", difference(expected, got))
        }
        cause => stable_fields(&format!("{cause:?}")),
    };
    Some(format!("{:?} {fields}{every}", failure.kind))
}

/// Removes texts, payloads, times and counts from the `Debug` output of a cause.
///
/// The number in `Some(1000)` stays: a close code is no chance.
fn stable_fields(debug: &str) -> String {
    let mut out = String::new();
    let mut chars = debug.chars().peekable();
    let mut in_list = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                let mut is_escaped = false;
                let empty = chars.peek() == Some(&'"');
                for c in chars.by_ref() {
                    if c == '"' && !is_escaped {
                        break;
                    }
                    is_escaped = c == '\\' && !is_escaped;
                }
                out.push_str(if empty { "\"\"" } else { "\"…\"" });
            }
            '[' => {
                in_list = true;
                out.push_str(if chars.peek() == Some(&']') { "[" } else { "[…" });
            }
            ']' => {
                in_list = false;
                out.push(']');
            }
            _ if in_list => {}
            c if c.is_ascii_digit() && !out.ends_with(char::is_alphanumeric) => {
                let mut number = c.to_string();
                while let Some(more) = chars.next_if(|c| c.is_ascii_digit() || ".µ".contains(*c)) {
                    number.push(more);
                }
                out.push_str(if out.ends_with("Some(") { &number } else { "#" });
            }
            c => out.push(c),
        }
    }
    out
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
            // A panic explains more than any resemblance.
            Outcome::Failed(report) if !report.panic.is_empty() => return None,
            Outcome::Failed(report) => {
                signature.insert(graded.check.id.to_string(), fingerprint(&report.failure)?);
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
pub fn unique(rounds: &[Vec<KnownMistake>]) -> Vec<KnownMistake> {
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
        let vague = fault.signature.values().any(|failure| failure.contains(&format!("({OTHER})")));
        if stable && unique && !timed && !vague {
            selected.push(fault.clone());
        }
    }
    selected
}

/// Returns each signature of a fault with the names of all faults that share it.
pub fn lookalikes<'a>(
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
