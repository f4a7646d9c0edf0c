//! The default report: the first failure of the first unfinished exercise, and one line for the
//! rest.

use std::fmt::Write;

use super::human::{self, BAD, DIM, GOOD, Layout, STRONG, write_row};
use super::json::Totals;
use crate::grade::{Graded, Outcome, Report};
use harness::exercise::{Exercise, Target};
use harness::verdict::FailureKind;

/// The width of an exercise's bar, in characters.
const BAR: usize = 12;

/// The verdicts on one exercise.
fn of(graded: &[Graded], exercise: Exercise) -> Vec<&Graded> {
    graded.iter().filter(|graded| graded.check.exercise == exercise).collect()
}

fn passed(graded: &Graded) -> bool {
    matches!(graded.outcome, Outcome::Passed)
}

fn failed(graded: &Graded) -> Option<(&Graded, &Report)> {
    match &graded.outcome {
        Outcome::Failed(report) => Some((graded, report)),
        _ => None,
    }
}

/// Selects failures of an exercise that has been started.
fn failed_after_start(graded: &Graded) -> Option<&Graded> {
    failed(graded)
        .filter(|(_, report)| report.failure.kind != FailureKind::NotStarted)
        .map(|(graded, _)| graded)
}

/// Returns the first exercise with a check that did not pass.
pub fn unfinished(graded: &[Graded]) -> Option<Exercise> {
    graded.iter().find(|graded| !passed(graded)).map(|graded| graded.check.exercise)
}

/// Returns the first failure of the first unfinished exercise, or else the first of all failures.
pub fn first_failure(graded: &[Graded]) -> Option<(&Graded, &Report)> {
    let exercise = unfinished(graded)?;
    of(graded, exercise).into_iter().find_map(failed).or_else(|| graded.iter().find_map(failed))
}

/// Renders the progress of each exercise in one line.
pub fn bars(graded: &[Graded]) -> String {
    Exercise::ALL.into_iter().map(|exercise| bar(exercise, &of(graded, exercise))).collect()
}

fn bar(exercise: Exercise, verdicts: &[&Graded]) -> String {
    if verdicts.is_empty() {
        return String::new();
    }
    let (count, total) = (verdicts.iter().filter(|graded| passed(graded)).count(), verdicts.len());
    let full = count * BAR / total;
    let (done, open) = ("█".repeat(full), "░".repeat(BAR - full));
    let remark = match not_running(verdicts) {
        _ if count == total => format!("  {GOOD}done{GOOD:#}"),
        Some(FailureKind::NotStarted) => format!("  {DIM}not started{DIM:#}"),
        Some(_) => format!("  {BAD}does not compile{BAD:#}"),
        None => String::new(),
    };
    let name = exercise.name();
    format!(
        "{STRONG}{name:<10}{STRONG:#} {GOOD}{done}{GOOD:#}{DIM}{open}{DIM:#} \
         {count:>2} of {total}{remark}\n"
    )
}

/// Returns why no check of the exercise could run.
fn not_running(verdicts: &[&Graded]) -> Option<FailureKind> {
    let kinds =
        verdicts.iter().filter_map(|graded| failed(graded)).map(|(_, report)| report.failure.kind);
    kinds
        .into_iter()
        .find(|kind| matches!(kind, FailureKind::NotStarted | FailureKind::DoesNotCompile))
}

/// Renders a line for each exercise, and for each check of the first unfinished exercise.
pub fn overview(graded: &[Graded]) -> String {
    let mut out = String::new();
    let unfinished = unfinished(graded);
    for exercise in Exercise::ALL {
        let verdicts = of(graded, exercise);
        out.push_str(&bar(exercise, &verdicts));
        if unfinished == Some(exercise) && not_running(&verdicts).is_none() {
            for graded in verdicts {
                let _ = writeln!(out, "{}", human::line(graded));
            }
        }
    }
    out.push('\n');
    out
}

/// Renders the whole report.
pub fn report(graded: &[Graded], target: Option<Target>, seed: u64, layout: Layout) -> String {
    let mut out = overview(graded);
    let Some((failed, report)) = first_failure(graded) else {
        return out + &human::next_step(graded, target, seed);
    };
    out.push_str(&human::failure_in(failed, report, layout));
    out.push('\n');
    out + &closing(graded, failed, target, seed)
}

fn closing(graded: &[Graded], failed: &Graded, target: Option<Target>, seed: u64) -> String {
    let totals = Totals::of(graded);
    let (id, exercise) = (failed.check.id, failed.check.exercise);
    let mut out = String::new();
    let others =
        graded.iter().filter_map(failed_after_start).filter(|other| other.check.id != id).count();
    let _ = write!(out, "{STRONG}{} of {} checks passed", totals.passed, totals.all());
    if others > 0 {
        let _ = write!(out, ", {others} more failed");
    }
    if totals.blocked > 0 {
        let _ = write!(out, ", {} wait for those that failed", totals.blocked);
    }
    let _ = writeln!(out, ".{STRONG:#} {DIM}(seed {seed}){DIM:#}\n");
    if let Some(target) = target {
        write_row(&mut out, "edit", &exercise.source(target));
    }
    if others > 0 {
        let command = match target {
            Some(Target::Day1) => "cargo checker grade --all",
            Some(Target::Solutions) => "cargo checker grade --target solutions --all",
            None => "the same command with --all",
        };
        write_row(&mut out, "all of it", command);
    }
    out
}
