//! The museum: servers with one known fault each, and whether the checks find it.
//!
//! The crate `faults` contains the servers and names the checks that each violates. This module
//! grades them and compares the verdicts.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc};

use crate::grade::{self, Graded, Outcome};
use crate::plan::Plan;
use harness::exercise::Exercise;
use harness::server::Program;
use harness::server::build::{CargoError, CompileError, build, workspace};

/// The package of the program that contains all servers of the museum.
const PACKAGE: &str = "faults";
/// The least number of faults that each check must catch.
const CATCHES: usize = 2;

/// The output of `faults --list`.
#[derive(Debug, Deserialize)]
pub struct Catalogue {
    /// Servers with one fault each.
    pub faults: Vec<Fault>,
    /// Right servers, built differently from the reference.
    pub right: Vec<Right>,
}

/// A server with one fault.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// The exercise that it would solve without the fault.
    pub exercise: String,
    /// A teacher's explanation of the fault.
    pub sentence: String,
    /// The ids of the checks it violates; the first must catch it.
    pub violates: Vec<String>,
}

/// A right server.
#[derive(Debug, Clone, Deserialize)]
pub struct Right {
    /// Its name.
    pub name: String,
    /// The exercise that it solves.
    pub exercise: String,
    /// How it differs from the solution.
    pub sentence: String,
}

/// The verdicts on one fault.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// The outcome of each check: `caught`, `blocked`, `passed` or `unknown`.
    pub outcomes: BTreeMap<&'static str, &'static str>,
    /// Errors of the checks that this row shows.
    #[serde(skip)]
    pub complaints: Vec<String>,
}

/// The kill matrix.
#[derive(Debug, Serialize)]
pub struct Matrix {
    /// One row for each fault.
    pub faults: Vec<Row>,
}

/// Why the museum cannot be graded.
#[derive(Debug, Error)]
pub enum MuseumError {
    /// Cargo cannot be run.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// The museum does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Cargo reported neither a program nor an error.
    #[error("cargo built no program of the museum")]
    NotBuilt,
    /// The museum's program cannot be run.
    #[error("cannot run {}: {error}", program.display())]
    Run {
        /// Its path.
        program: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The catalogue is not valid.
    #[error("cannot read the museum's catalogue: {0}")]
    Catalogue(#[from] serde_json::Error),
    /// A server names an exercise that does not exist.
    #[error("{server}: there is no exercise `{exercise}`")]
    UnknownExercise {
        /// The server's name.
        server: String,
        /// The exercise's name.
        exercise: String,
    },
}

/// Builds the museum and reads its catalogue.
pub async fn open() -> Result<(PathBuf, Catalogue), MuseumError> {
    let mut built = build(&[PACKAGE]).await?;
    let program = built.remove(PACKAGE).ok_or(MuseumError::NotBuilt)??;
    let list = tokio::process::Command::new(&program).arg("--list").output().await;
    let list = match list {
        Ok(list) => list,
        Err(error) => return Err(MuseumError::Run { program, error }),
    };
    let catalogue = serde_json::from_slice(&list.stdout)?;
    Ok((program, catalogue))
}

/// Finds the exercise of one of the museum's servers.
pub(crate) fn exercise_of(server: &str, exercise: &str) -> Result<Exercise, MuseumError> {
    Exercise::named(exercise).ok_or_else(|| MuseumError::UnknownExercise {
        server: server.to_string(),
        exercise: exercise.to_string(),
    })
}

/// Grades one of the museum's servers; `option` is `--fault` or `--right`.
pub async fn grade_server(
    program: &std::path::Path,
    option: &str,
    name: &str,
    exercise: &str,
    seed: u64,
) -> Result<Vec<Graded>, MuseumError> {
    let exercise = exercise_of(name, exercise)?;
    let argv = vec![program.to_string_lossy().into_owned(), option.to_string(), name.to_string()];
    Ok(grade::grade_all(Plan::of(exercise, Program::new(argv, workspace()), seed)).await)
}

/// Grades these faults, `jobs` at a time, and sends the name of each to `done`.
pub async fn matrix(
    program: PathBuf,
    faults: Vec<Fault>,
    jobs: usize,
    seed: u64,
    done: mpsc::UnboundedSender<String>,
) -> Matrix {
    let permits = Arc::new(Semaphore::new(jobs));
    if jobs > 1 {
        grade::allow_another_heavy_check();
    }
    let grading: Vec<_> = faults
        .into_iter()
        .map(|fault| {
            let (permits, program, done) = (permits.clone(), program.clone(), done.clone());
            tokio::spawn(async move {
                let _permit = permits.acquire().await;
                let graded =
                    grade_server(&program, "--fault", &fault.name, &fault.exercise, seed).await;
                let _ = done.send(fault.name.clone());
                row(fault, graded)
            })
        })
        .collect();
    let mut rows = Vec::new();
    for row in grading {
        rows.push(row.await.expect("a row does not panic"));
    }
    for row in
        rows.iter_mut().filter(|row| row.outcomes.values().any(|outcome| *outcome == "unknown"))
    {
        // The machine was too busy. Repeat it with no other server beside it.
        let fault = row.fault.clone();
        let graded = grade_server(&program, "--fault", &fault.name, &fault.exercise, seed).await;
        *row = self::row(fault, graded);
    }
    Matrix { faults: rows }
}

fn row(fault: Fault, graded: Result<Vec<Graded>, MuseumError>) -> Row {
    let mut row = Row { fault, outcomes: BTreeMap::new(), complaints: Vec::new() };
    let graded = match graded {
        Ok(graded) => graded,
        Err(error) => {
            row.complaints.push(error.to_string());
            return row;
        }
    };
    for graded in graded {
        let id = graded.check.id;
        let outcome = match &graded.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(report) => {
                if !row.fault.violates.iter().any(|violated| violated == id) {
                    row.complaints.push(format!(
                        "{id} fails, but is not violated: {}",
                        report.words.headline
                    ));
                }
                "caught"
            }
            Outcome::Blocked(_) => "blocked",
            Outcome::Inconclusive(reason) => {
                row.complaints.push(format!("{id} could not be judged: {reason}"));
                "unknown"
            }
        };
        row.outcomes.insert(id, outcome);
    }
    for id in &row.fault.violates {
        if checks::find(id).is_none() {
            row.complaints.push(format!("there is no check {id}"));
        }
    }
    match row.fault.violates.first() {
        Some(named) if row.outcomes.get(named.as_str()) == Some(&"caught") => {}
        Some(named) => row.complaints.push(format!("{named} does not catch it")),
        None => row.complaints.push("it names no check that it violates".to_string()),
    }
    row
}

impl Matrix {
    /// Counts the faults that each check catches.
    pub fn catches(&self) -> BTreeMap<&'static str, usize> {
        let mut catches: BTreeMap<&'static str, usize> =
            checks::all().iter().map(|check| (check.id, 0)).collect();
        for row in &self.faults {
            for (id, outcome) in &row.outcomes {
                *catches.entry(id).or_default() += usize::from(*outcome == "caught");
            }
        }
        catches
    }

    /// Lists the errors of the checks; empty if the matrix holds.
    ///
    /// Only the whole museum can show that a check catches too few faults.
    pub fn complaints(&self, whole: bool) -> Vec<String> {
        let rows = self.faults.iter().flat_map(|row| {
            row.complaints.iter().map(|complaint| format!("{}: {complaint}", row.fault.name))
        });
        let idle = self.catches().into_iter().filter(|(_, catches)| whole && *catches < CATCHES);
        rows.chain(
            idle.map(|(id, catches)| {
                format!("{id} catches {catches} faults, of at least {CATCHES}")
            }),
        )
        .collect()
    }
}
