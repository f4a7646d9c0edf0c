//! `cargo checker hint`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::{USAGE, complain};
use crate::skeleton;
use crate::state;
use checks::{self, Check};

#[derive(Args)]
pub(super) struct HintArgs {
    /// The check (echo::close); without one, the first that the last grade left unfinished
    #[arg(value_name = "CHECK")]
    check: Option<String>,
    /// Begin again with the first rung
    #[arg(long)]
    again: bool,
}

/// Shows the ladder up to the next rung.
pub(super) fn run(args: HintArgs) -> ExitCode {
    let check = match &args.check {
        Some(id) => match super::check(id) {
            Ok(check) => check,
            Err(message) => return complain(USAGE, &message),
        },
        None => match stuck_at() {
            Some(check) => check,
            None => {
                println!(
                    "The last grade left nothing unfinished. `cargo checker hint CHECK` helps with any check."
                );
                return ExitCode::SUCCESS;
            }
        },
    };
    let mut out = anstream::stdout().lock();
    let _ = write!(out, "{}", next_rung(check, args.again));
    ExitCode::SUCCESS
}

/// The first check that did not pass when it was last graded.
pub(super) fn stuck_at() -> Option<&'static Check> {
    let grades = state::grades();
    let passed = |check: &Check| {
        let grade = grades.get(check.exercise.name());
        grade
            .and_then(|grade| grade.checks.get(check.id))
            .is_some_and(|outcome| outcome == "passed")
    };
    checks::all().into_iter().find(|check| !passed(check))
}

/// The rungs of the check's ladder that have been asked for, one more than the last time.
pub fn next_rung(check: &Check, again: bool) -> String {
    let ladder = check.hints();
    let mut rungs = state::rungs();
    let before = if again { 0 } else { rungs.get(check.id).copied().unwrap_or_default() };
    let shown = (before + 1).min(ladder.len());
    rungs.insert(check.id.to_string(), shown);
    let forgetful = state::remember_rungs(&rungs).err();
    let mut text = format!("{}: hint {shown} of {}\n\n", check.id, ladder.len());
    for (number, rung) in ladder.iter().enumerate().take(shown) {
        let options = textwrap::Options::new(80)
            .subsequent_indent("   ")
            // A link that is broken at a hyphen can't be copied.
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        text.push_str(&textwrap::fill(&format!("{}. {rung}", number + 1), options));
        text.push('\n');
    }
    text.push('\n');
    match forgetful {
        Some(error) => text.push_str(&format!(
            "There is no more until target/checker can be written ({error}).\n"
        )),
        None if shown < ladder.len() => text.push_str("Ask again for the next one.\n"),
        None => {
            let lesson = skeleton::lesson(check.id).unwrap_or_default();
            text.push_str(&format!(
                "This was the last. Read {lesson}, or `cargo checker explain {}`.\n",
                check.id
            ));
        }
    }
    text
}
