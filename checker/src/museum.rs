//! The museum: servers with one known mistake each, and whether the checks find it.
//!
//! The servers live in `selftest`, which also says of each what it violates. Here they are graded, and what came
//! out is held against that.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};

use crate::grade::{self, Graded, Outcome};
use crate::known_mistakes::{KnownMistake, Signature, signature};
use crate::plan::Plan;
use harness::exercise::Exercise;
use harness::server::Program;
use harness::server::build::{build, workspace};

/// The package whose program is all of the museum's servers.
const PACKAGE: &str = "selftest";
/// How many checks must catch how many faults at least.
const CATCHES: usize = 2;

/// What `selftest --list` says.
#[derive(Debug, Deserialize)]
pub struct Catalogue {
    /// Servers with one mistake each.
    pub faults: Vec<Fault>,
    /// Right servers, built differently from the reference.
    pub right: Vec<Right>,
}

/// A server with a mistake.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// Its name.
    pub name: String,
    /// Which exercise it would solve but for the mistake.
    pub exercise: String,
    /// What a teacher would say.
    pub sentence: String,
    /// The ids of the checks it violates; the first must catch it.
    pub violates: Vec<String>,
}

/// A right server.
#[derive(Debug, Clone, Deserialize)]
pub struct Right {
    /// Its name.
    pub name: String,
    /// Which exercise it solves.
    pub exercise: String,
    /// In what it differs.
    pub sentence: String,
}

/// What came out for one fault.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Which one.
    #[serde(flatten)]
    pub fault: Fault,
    /// What each check made of it: `caught`, `blocked`, `passed` or `unknown`.
    pub outcomes: BTreeMap<&'static str, &'static str>,
    /// How it fails, if all of its checks could be judged.
    pub signature: Option<Signature>,
    /// What is wrong with the checks, going by this row.
    #[serde(skip)]
    pub complaints: Vec<String>,
}

/// The kill matrix.
#[derive(Debug, Serialize)]
pub struct Matrix {
    /// A row a fault.
    pub faults: Vec<Row>,
}

/// Builds the museum and reads its catalogue.
///
/// # Errors
/// When it can't be built or read.
pub async fn open() -> Result<(PathBuf, Catalogue), String> {
    let mut built = build(&[PACKAGE]).await.map_err(|error| error.to_string())?;
    let program = built.remove(PACKAGE).ok_or("cargo said nothing about it")?;
    let program = program.map_err(|error| error.to_string())?;
    let list = tokio::process::Command::new(&program).arg("--list").output().await;
    let list = list.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let catalogue = serde_json::from_slice(&list.stdout)
        .map_err(|error| format!("the museum's catalogue can't be read: {error}"))?;
    Ok((program, catalogue))
}

/// Grades one of the museum's servers; `option` is `--fault` or `--right`.
///
/// # Errors
/// When its exercise is none.
pub async fn grade_server(
    program: &std::path::Path,
    option: &str,
    name: &str,
    exercise: &str,
    seed: u64,
) -> Result<Vec<Graded>, String> {
    let exercise = Exercise::named(exercise)
        .ok_or_else(|| format!("{name}: there is no exercise `{exercise}`"))?;
    let argv = vec![program.to_string_lossy().into_owned(), option.to_string(), name.to_string()];
    Ok(grade::grade_all(Plan::of(exercise, Program::new(argv, workspace()), seed)).await)
}

/// Grades these faults, so many at a time; each row goes to `done` as soon as it is there.
pub async fn matrix(
    program: PathBuf,
    faults: Vec<Fault>,
    jobs: usize,
    seed: u64,
    done: mpsc::UnboundedSender<String>,
) -> Matrix {
    let seats = Arc::new(Semaphore::new(jobs));
    if jobs > 1 {
        grade::allow_another_heavy_check();
    }
    let grading: Vec<_> = faults
        .into_iter()
        .map(|fault| {
            let (seats, program, done) = (seats.clone(), program.clone(), done.clone());
            tokio::spawn(async move {
                let _seat = seats.acquire().await;
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
        // Too much at a time for this machine: a last time, and alone.
        let fault = row.fault.clone();
        let graded = grade_server(&program, "--fault", &fault.name, &fault.exercise, seed).await;
        *row = self::row(fault, graded);
    }
    Matrix { faults: rows }
}

fn row(fault: Fault, graded: Result<Vec<Graded>, String>) -> Row {
    let mut row = Row { fault, outcomes: BTreeMap::new(), signature: None, complaints: Vec::new() };
    let graded = match graded {
        Ok(graded) => graded,
        Err(complaint) => {
            row.complaints.push(complaint);
            return row;
        }
    };
    row.signature =
        Exercise::named(&row.fault.exercise).and_then(|exercise| signature(&graded, exercise));
    for graded in graded {
        let id = graded.check.id;
        let outcome = match &graded.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(report) => {
                if !row.fault.violates.iter().any(|violated| violated == id) {
                    row.complaints
                        .push(format!("{id} fails, and is innocent: {}", report.words.headline));
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
        None => row.complaints.push("it says of no check that it violates it".to_string()),
    }
    row
}

impl Row {
    /// What a student's failure can be compared with, if it fails and could be judged.
    pub fn familiar(&self) -> Option<KnownMistake> {
        let Fault { name, exercise, sentence, .. } = self.fault.clone();
        self.signature.clone().map(|signature| KnownMistake { name, exercise, sentence, signature })
    }
}

impl Matrix {
    /// How many faults each check catches that names it first.
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

    /// What speaks against the checks; nothing if the matrix holds. Of a part of the museum it can't be said that
    /// a check catches too little.
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
