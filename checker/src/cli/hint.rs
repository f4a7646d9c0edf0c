//! `cargo checker hint`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::{USAGE, complain};
use crate::journal::{self, Event};
use crate::state;
use crate::terminal;
use checks::{self, Check};
use harness::exercise::Target;

/// The number of columns of a hint.
const WIDTH: usize = 80;

#[derive(Args)]
pub(super) struct HintArgs {
    /// The check (echo::close); without one, the first that the last grade left unfinished
    #[arg(value_name = "CHECK")]
    check: Option<String>,
    /// Start again with the first hint
    #[arg(long)]
    again: bool,
}

/// Prints the hints of a check up to the next one.
pub(super) fn run(args: HintArgs) -> ExitCode {
    let check = match &args.check {
        Some(id) => match super::check(id) {
            Ok(check) => check,
            Err(message) => return complain(USAGE, &message),
        },
        None => match first_unfinished() {
            Some(check) => check,
            None => {
                println!(
                    "The last grade left nothing unfinished. \
                     `cargo checker hint CHECK` helps with any check."
                );
                return ExitCode::SUCCESS;
            }
        },
    };
    let mut out = terminal::stdout();
    let _ = write!(out, "{}{}", stale(check), next_hint(check, args.again, WIDTH));
    ExitCode::SUCCESS
}

/// Says that the exercise was saved after it had been graded; empty if it was not.
fn stale(check: &Check) -> String {
    let exercise = check.exercise;
    let graded = state::grades().remove(exercise.name());
    match graded.filter(|grade| grade.source != state::fingerprint(exercise)) {
        Some(_) => format!(
            "{} has changed since it was graded.\n\
             `cargo checker grade {exercise}` grades it again.\n\n",
            exercise.source(Target::Day1)
        ),
        None => String::new(),
    }
}

/// Returns the first check that did not pass when it was last graded.
fn first_unfinished() -> Option<&'static Check> {
    let grades = state::grades();
    let passed = |check: &Check| {
        let grade = grades.get(check.exercise.name());
        grade
            .and_then(|grade| grade.checks.get(check.id))
            .is_some_and(|outcome| outcome == "passed")
    };
    checks::all().into_iter().find(|check| !passed(check))
}

/// Renders the hints shown so far and the next one, and stores how many were shown.
pub fn next_hint(check: &Check, again: bool, width: usize) -> String {
    let hints = check.hints();
    let mut counts = state::hints_shown();
    let before = if again { 0 } else { counts.get(check.id).copied().unwrap_or_default() };
    let shown = (before + 1).min(hints.len());
    counts.insert(check.id.to_string(), shown);
    let store_error = state::remember_hints_shown(&counts).err();
    // A journal that cannot be written must not keep a hint back.
    let _ = journal::note(Event::Hint(check.id.to_string()));
    let mut text = format!("{}: hint {shown} of {}\n\n", check.id, hints.len());
    for (number, hint) in hints.iter().enumerate().take(shown) {
        let options = textwrap::Options::new(width)
            .subsequent_indent("   ")
            // A link that is broken at a hyphen cannot be copied.
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        text.push_str(&textwrap::fill(&format!("{}. {hint}", number + 1), options));
        text.push('\n');
    }
    text.push('\n');
    match store_error {
        Some(error) => text.push_str(&format!(
            "Cannot write to target/checker ({error}), so the next call shows the same hint.\n"
        )),
        None if shown < hints.len() => text.push_str("Ask again for the next one.\n"),
        None => {
            let lesson = check.lesson();
            text.push_str(&format!(
                "This was the last. Read {lesson}, or `cargo checker explain {}`.\n",
                check.id
            ));
        }
    }
    text
}
