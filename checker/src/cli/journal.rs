//! `cargo checker journal` and `cargo checker report`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{UNKNOWN, complain};
use crate::journal::{self, Event, Journal};
use crate::state;

#[derive(Args)]
pub(super) struct JournalArgs {
    /// The action; without it, the journal is shown
    #[arg(value_enum)]
    action: Option<Action>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Action {
    /// Add an entry for each grade and each hint from now on
    On,
    /// Add no more entries
    Off,
    /// Delete all entries
    Delete,
}

/// Shows, switches or deletes the journal.
pub(super) fn run(args: JournalArgs) -> ExitCode {
    let mut journal = journal::read();
    match args.action {
        None => {
            print!("{}", entries(&journal));
            return ExitCode::SUCCESS;
        }
        Some(Action::On) => journal.on = true,
        Some(Action::Off) => journal.on = false,
        Some(Action::Delete) => journal.entries.clear(),
    }
    if let Err(error) = journal::write(&journal) {
        return complain(UNKNOWN, format!("cannot write to target/checker: {error}"));
    }
    println!("{}", status(&journal));
    ExitCode::SUCCESS
}

fn status(journal: &Journal) -> String {
    let state = if journal.on { "on" } else { "off" };
    format!(
        "The journal is {state} and has {} entries. It stays on this machine, in \
         target/checker/journal.json.",
        journal.entries.len()
    )
}

fn entries(journal: &Journal) -> String {
    let mut text = status(journal) + "\n";
    let start = journal.entries.first().map_or(0, |entry| entry.at);
    for entry in &journal.entries {
        let what = match &entry.event {
            Event::Graded { passed, failed } => {
                let first = failed.first().map(|id| format!(", first {id}")).unwrap_or_default();
                format!("graded: {} passed, {} failed{first}", passed.len(), failed.len())
            }
            Event::Hint(id) => format!("a hint for {id}"),
        };
        let _ = writeln!(text, "{:>6}  {what}", minutes(entry.at.saturating_sub(start)));
    }
    text
}

/// Summarises the journal and the answers to the quizzes.
pub(super) fn report() -> ExitCode {
    let journal = journal::read();
    if journal.entries.is_empty() {
        println!("The journal is empty. `cargo checker journal on` begins one.");
    } else {
        println!("Minutes since the journal began; took: since the TODO that was done before.\n");
        println!("TODO           first red   green    took   hints");
        for row in journal.progress() {
            let time = |time: Option<u64>| time.map_or("-".to_string(), minutes);
            println!(
                "{:<12} {:>11} {:>7} {:>7} {:>7}",
                format!("{} {}", row.exercise, row.todo),
                time(row.first_red),
                time(row.green),
                time(row.took),
                row.hints
            );
        }
    }
    let mut quizzes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (id, answered) in state::quiz_answers() {
        let lesson = id.split('-').next().unwrap_or_default().trim_start_matches('0');
        let (at_once, all) = quizzes.entry(lesson.to_string()).or_default();
        *at_once += usize::from(answered.right && answered.tries.len() == 1);
        *all += 1;
    }
    for (lesson, (at_once, all)) in quizzes {
        println!("\nQuiz {lesson}: {at_once} of {all} right at the first try.");
    }
    ExitCode::SUCCESS
}

fn minutes(seconds: u64) -> String {
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
