//! The table of mistakes, for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::catalogue::{Chapter, Kind};
use crate::grading::{Found, Row};

/// Renders one line a mistake, by exercise and TODO, with its first failure.
pub fn table(rows: &[Row]) -> String {
    let mut out = String::new();
    let width = rows.iter().map(|row| row.mistake.name.len()).max().unwrap_or_default();
    let mut exercise = "";
    for row in rows {
        if row.exercise != exercise {
            exercise = row.exercise;
            let _ = writeln!(out, "\n{exercise}");
        }
        let mistake = &row.mistake;
        let head = format!("{} {:<11} {:<width$}", mistake.todo, kind(mistake.kind), mistake.name);
        let results = count_results(row);
        for (line, (found, runs)) in results.iter().enumerate() {
            let head = if line == 0 { head.clone() } else { " ".repeat(head.len()) };
            let runs = if row.found.len() > 1 { format!("{runs:>3}×") } else { String::new() };
            let _ = writeln!(out, "{head} {runs} {}", found_line(row, found));
        }
    }
    out
}

/// Counts the distinct results, the most frequent first.
fn count_results(row: &Row) -> Vec<(&Found, usize)> {
    let mut ways: BTreeMap<&str, (&Found, usize)> = BTreeMap::new();
    for found in &row.found {
        let key = match found {
            Found::Failure { check, .. } => check,
            Found::Nothing => "",
            Found::Unknown(reason) => reason,
        };
        ways.entry(key).or_insert((found, 0)).1 += 1;
    }
    let mut ways: Vec<_> = ways.into_values().collect();
    ways.sort_by_key(|(_, runs)| std::cmp::Reverse(*runs));
    ways
}

fn found_line(row: &Row, found: &Found) -> String {
    let expected = &row.mistake.caught_by;
    let found_line = match found {
        Found::Failure { check, headline, .. } => format!("{check}  {headline}"),
        Found::Nothing => "PASSED".to_string(),
        Found::Unknown(reason) => format!("UNKNOWN  {reason}"),
    };
    if row.is_expected(found) { found_line } else { format!("! {expected} expected  {found_line}") }
}

/// Renders the totals.
pub fn summary(rows: &[Row]) -> String {
    let runs: usize = rows.iter().map(|row| row.found.len()).sum();
    let passes = rows.iter().flat_map(|row| &row.found).filter(|found| **found == Found::Nothing);
    let wrong = rows.iter().filter(|row| !row.holds()).count();
    format!(
        "{} mistakes, {runs} gradings: {} passed, {wrong} mistakes were not always caught first by \
         the check named.",
        rows.len(),
        passes.count()
    )
}

/// Renders the variants that the contract allows.
pub fn allowed(chapters: &[Chapter]) -> String {
    let mut out = String::new();
    for chapter in chapters {
        for allowed in &chapter.allowed {
            let kind = kind(allowed.kind);
            let _ = writeln!(
                out,
                "{:<9} {} {kind:<11} {}\n{:24}{}",
                chapter.exercise, allowed.todo, allowed.what, "", allowed.reason
            );
        }
    }
    out
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::LeftOut => "left out",
        Kind::HalfDone => "half done",
        Kind::WrongPlace => "wrong place",
        Kind::Other => "other",
    }
}
