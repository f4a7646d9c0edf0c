//! Grades the solutions with a mistake.

use std::collections::BTreeSet;
use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use checker::grade::{self, Graded, Outcome};
use checker::plan::{self, Plan};
use checker::report::human;
use checks::{self, Check};
use harness::exercise::Exercise;
use harness::server::Program;
use harness::server::build::{build, workspace};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::catalogue::{Chapter, Mistake};

/// The program that contains all servers, beside the package's own.
const SERVERS: &str = "mistaken-servers";

/// The first failure of one grading, in the contract's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A check failed.
    Failure {
        /// Its id.
        check: &'static str,
        /// Its headline.
        headline: String,
        /// The whole report on it, without colours.
        report: String,
    },
    /// All checks of the exercise passed.
    Nothing,
    /// A check could not be judged, and none before it failed.
    Unknown(String),
}

/// One mistake and what its gradings found.
#[derive(Debug, Clone)]
pub struct Row {
    /// The exercise's name.
    pub exercise: &'static str,
    /// The mistake.
    pub mistake: Mistake,
    /// One entry a run.
    pub found: Vec<Found>,
}

impl Row {
    /// Returns true if the check named in the catalogue failed first.
    pub fn is_expected(&self, found: &Found) -> bool {
        matches!(found, Found::Failure { check, .. } if *check == self.mistake.caught_by)
    }

    /// Returns true if the check named in the catalogue failed first in every run.
    pub fn holds(&self) -> bool {
        self.found.iter().all(|found| self.is_expected(found))
    }
}

/// How to grade.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often each mistake is graded.
    pub runs: u16,
    /// How many servers are graded at a time.
    pub jobs: u16,
    /// All chance follows from it; each run adds one.
    pub seed: u64,
}

/// Builds the servers.
pub async fn servers() -> Result<PathBuf, String> {
    let package = env!("CARGO_PKG_NAME");
    let mut built = build(&[package]).await.map_err(|error| error.to_string())?;
    let own = built.remove(package).ok_or_else(|| format!("cargo built no {package}"))?;
    let own = own.map_err(|error| error.to_string())?;
    Ok(own.with_file_name(format!("{SERVERS}{EXE_SUFFIX}")))
}

/// Grades all mistakes of these chapters. The name of a mistake goes to `done` after each run.
pub async fn grade(
    servers: &Path,
    chapters: &[Chapter],
    settings: Settings,
    done: mpsc::UnboundedSender<String>,
) -> Vec<Row> {
    let mut rows: Vec<Row> = chapters.iter().flat_map(rows).collect();
    if settings.jobs > 1 {
        grade::allow_another_heavy_check();
    }
    let jobs = Arc::new(Semaphore::new(settings.jobs.into()));
    let mut gradings = JoinSet::new();
    for run in 0..settings.runs {
        for (index, row) in rows.iter().enumerate() {
            let (jobs, done, row) = (jobs.clone(), done.clone(), row.clone());
            let (servers, seed) = (servers.to_path_buf(), settings.seed.wrapping_add(run.into()));
            gradings.spawn(async move {
                let _job = jobs.acquire().await;
                let found = first_failure(&servers, &row, seed).await;
                let _ = done.send(row.mistake.name);
                (index, seed, found)
            });
        }
    }
    let mut found = gradings.join_all().await;
    found.sort_by_key(|(index, seed, _)| (*index, *seed));
    for (index, seed, mut found) in found {
        if matches!(found, Found::Unknown(_)) {
            // The machine was too busy. Repeat it with no other server beside it.
            found = first_failure(servers, &rows[index], seed).await;
        }
        rows[index].found.push(found);
    }
    rows
}

fn rows(chapter: &Chapter) -> impl Iterator<Item = Row> {
    let row = |mistake: &Mistake| Row {
        exercise: chapter.exercise,
        mistake: mistake.clone(),
        found: Vec::new(),
    };
    chapter.mistakes.iter().map(row)
}

/// Grades one server until its first failure is known.
///
/// If the named check fails, and none before it, no later check matters.
async fn first_failure(servers: &Path, row: &Row, seed: u64) -> Found {
    let Some(exercise) = Exercise::named(row.exercise) else {
        return Found::Unknown(format!("there is no exercise `{}`", row.exercise));
    };
    let checks: Vec<&'static Check> =
        checks::all().into_iter().filter(|check| check.exercise == exercise).collect();
    let named = checks.iter().position(|check| check.id == row.mistake.caught_by);
    let until_named: BTreeSet<&str> =
        checks.iter().take(named.map_or(0, |named| named + 1)).map(|check| check.id).collect();
    let program = || program(servers, &row.mistake);
    let plan = Plan::of(exercise, program(), seed);
    let found =
        first(&grade::grade_all(Plan { checks: plan::with_needs(until_named), ..plan }).await);
    match found {
        Found::Nothing => first(&grade::grade_all(Plan::of(exercise, program(), seed)).await),
        found => found,
    }
}

/// The program of one mistake.
pub(crate) fn program(servers: &Path, mistake: &Mistake) -> Program {
    let argv = vec![servers.to_string_lossy().into_owned(), mistake.name.clone()];
    Program::new(argv, workspace())
}

/// The first check that failed or could not be judged.
fn first(graded: &[Graded]) -> Found {
    let found = graded.iter().find_map(|graded| match &graded.outcome {
        Outcome::Failed(report) => Some(Found::Failure {
            check: graded.check.id,
            headline: report.words.headline.clone(),
            report: anstream::adapter::strip_str(&human::failure(graded, report)).to_string(),
        }),
        Outcome::Inconclusive(reason) => {
            Some(Found::Unknown(format!("{}: {reason}", graded.check.id)))
        }
        Outcome::Passed | Outcome::Blocked(_) => None,
    });
    found.unwrap_or(Found::Nothing)
}
