//! Familiar mistakes: when an exercise fails in just the way in which one piece of the museum fails, the report says
//! what a teacher says about that piece.
//!
//! It must never mislead. So it speaks only when all checks of the exercise were judged, those that failed are exactly
//! those of the piece, each failed in the same manner, and no other piece fails in that way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::grade::{Graded, Outcome};
use crate::report::words::words;
use harness::exercise::Exercise;
use harness::verdict::{Failure, FailureKind};

/// How each failed check failed, by its id.
pub type Signature = BTreeMap<String, String>;

/// A piece of the museum and how it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownMistake {
    /// The fault's name.
    pub name: String,
    /// The exercise that it would solve but for the mistake.
    pub exercise: String,
    /// What a teacher would say.
    pub sentence: String,
    /// How it fails.
    pub signature: Signature,
}

static TABLE: LazyLock<Vec<KnownMistake>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("signatures.json")).expect("the table was written as JSON")
});

/// All familiar mistakes; `cargo checker museum --signatures` measured them.
pub fn table() -> &'static [KnownMistake] {
    &TABLE
}

/// The manner of a failure: its kind, what is wrong and what came, without what differs from run to run.
fn manner(failure: &Failure) -> String {
    let words = words(failure);
    let came =
        if words.literal { difference(&words.expected, &words.got) } else { steady(&words.got) };
    format!("{:?}: {} ({came})", failure.kind, steady(&words.headline))
}

/// A sentence without what is quoted in it, without its measurements, and without which messages fell out of order, which
/// is chance. Other numbers stay: a 404 is not a 200.
fn steady(sentence: &str) -> String {
    let unquoted: String = sentence.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    let words: Vec<&str> = unquoted.split(' ').collect();
    let measured = |n: usize| {
        words.get(n + 1).is_some_and(|unit| {
            let unit = unit.trim_end_matches(|c: char| !c.is_alphabetic());
            ["ms", "s", "MiB", "KiB", "intervals", "messages", "bytes"].contains(&unit)
        })
    };
    // The first that is missing tells how long a queue is; of two that changed places neither tells anything.
    let out_of_order =
        |n: usize| n > 0 && words[n - 1] == "message" && words.get(n + 1) != Some(&"of");
    let number =
        |word: &str| word.trim_start_matches('(').starts_with(|c: char| c.is_ascii_digit());
    let chance = |n: usize| measured(n) || out_of_order(n);
    let told = words
        .iter()
        .enumerate()
        .map(|(n, word)| if number(word) && chance(n) { "#" } else { *word });
    told.collect::<Vec<_>>().join(" ")
}

/// The difference about which nothing more can be said.
const OTHER: &str = "other words";

/// In what one text differs from the other.
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
    } else if replaced(got) > replaced(expected) {
        "more U+FFFD".to_string()
    } else {
        OTHER.to_string()
    }
}

fn replaced(text: &str) -> usize {
    text.matches(char::REPLACEMENT_CHARACTER).count()
}

/// How this exercise fails; `None` if it doesn't, or if not all of its checks were run and judged.
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
                signature.insert(graded.check.id.to_string(), manner(&report.failure));
            }
            Outcome::Inconclusive(_) => return None,
            Outcome::Passed | Outcome::Blocked(_) => {}
        }
    }
    (!signature.is_empty()).then_some(signature)
}

/// The piece of the museum that fails just as this exercise does, if there is one and no other.
pub fn looks_like(graded: &[Graded], exercise: Exercise) -> Option<&'static KnownMistake> {
    failing_so(&signature(graded, exercise)?, exercise)
}

/// The piece of the museum that fails in this way, if there is one and no other.
pub fn failing_so(signature: &Signature, exercise: Exercise) -> Option<&'static KnownMistake> {
    let mut alike = table()
        .iter()
        .filter(|piece| piece.exercise == exercise.name() && piece.signature == *signature);
    alike.next().filter(|_| alike.next().is_none())
}

/// Of pieces that were graded several times, those that failed in the same way each time, and in their own.
pub fn telling(rounds: &[Vec<KnownMistake>]) -> Vec<KnownMistake> {
    let Some(first) = rounds.first() else { return Vec::new() };
    let everywhere = || rounds.iter().flatten();
    let mut telling: Vec<KnownMistake> = Vec::new();
    for piece in first {
        let steady = rounds.iter().all(|round| round.contains(piece));
        let own = everywhere().all(|other| {
            other.name == piece.name
                || other.exercise != piece.exercise
                || other.signature != piece.signature
        });
        // Different clocks may strike alike: what came too early, too late or too often has many causes.
        let timed = piece
            .signature
            .values()
            .any(|manner| manner.starts_with(&format!("{:?}", FailureKind::WrongTiming)));
        // And so has a text of which nothing more is known than that it is another.
        let vague = piece.signature.values().any(|manner| {
            manner.contains(" differs from ") && manner.ends_with(&format!("({OTHER})"))
        });
        if steady && own && !timed && !vague {
            telling.push(piece.clone());
        }
    }
    telling
}

/// In which ways a piece failed, and who failed likewise: why it is not telling.
pub fn ways<'a>(
    rounds: &'a [Vec<KnownMistake>],
    piece: &KnownMistake,
) -> BTreeMap<&'a Signature, BTreeSet<&'a str>> {
    let of_exercise = || rounds.iter().flatten().filter(|other| other.exercise == piece.exercise);
    let mut ways: BTreeMap<&Signature, BTreeSet<&str>> = of_exercise()
        .filter(|way| way.name == piece.name)
        .map(|way| (&way.signature, BTreeSet::new()))
        .collect();
    for other in of_exercise() {
        if let Some(names) = ways.get_mut(&other.signature) {
            names.insert(&other.name);
        }
    }
    ways
}
