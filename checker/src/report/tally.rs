//! The failures of repeated gradings, counted for each check.

use std::fmt;

use crate::grade::{Graded, Outcome};

/// The most seeds shown of one check.
const SEEDS: usize = 5;

/// Counts outcomes over several gradings with different seeds.
#[derive(Debug, Default)]
pub struct Tally {
    rows: Vec<Row>,
    runs: usize,
    all_passed: usize,
    /// Arguments that select the servers again, each after a space.
    servers: String,
}

#[derive(Debug)]
struct Row {
    id: &'static str,
    /// The seeds of the runs in which it failed.
    failed: Vec<u64>,
    /// The number of runs in which it had no verdict.
    unknown: usize,
    headline: String,
}

impl Tally {
    /// Starts to count the outcomes of these checks. `servers` are the arguments that select the
    /// servers, each after a space.
    pub fn new(ids: impl Iterator<Item = &'static str>, servers: String) -> Self {
        let row = |id| Row { id, failed: Vec::new(), unknown: 0, headline: String::new() };
        Tally { rows: ids.map(row).collect(), servers, ..Tally::default() }
    }

    /// Adds the verdicts of one run.
    pub fn add(&mut self, graded: &[Graded], seed: u64) {
        self.runs += 1;
        self.all_passed +=
            usize::from(graded.iter().all(|graded| matches!(graded.outcome, Outcome::Passed)));
        for graded in graded {
            let Some(row) = self.rows.iter_mut().find(|row| row.id == graded.check.id) else {
                continue;
            };
            match &graded.outcome {
                Outcome::Failed(report) => {
                    row.failed.push(seed);
                    row.headline.clone_from(&report.words.headline);
                }
                Outcome::Inconclusive(_) => row.unknown += 1,
                Outcome::Passed | Outcome::Blocked(_) => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} of {} runs passed every check.", self.all_passed, self.runs)?;
        for row in &self.rows {
            if row.unknown > 0 {
                writeln!(f, "\n{}  no verdict in {} of {} runs", row.id, row.unknown, self.runs)?;
            }
            let Some(seed) = row.failed.first() else { continue };
            writeln!(f, "\n{}  failed in {} of {} runs", row.id, row.failed.len(), self.runs)?;
            writeln!(f, "  {}", row.headline)?;
            let seeds: Vec<String> = row.failed.iter().take(SEEDS).map(u64::to_string).collect();
            let more = if row.failed.len() > SEEDS { ", …" } else { "" };
            writeln!(f, "  seeds {}{more}", seeds.join(", "))?;
            writeln!(f, "  cargo checker grade {} --seed {seed}{}", row.id, self.servers)?;
        }
        Ok(())
    }
}
