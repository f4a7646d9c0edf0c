//! Grades right servers repeatedly, each time with another seed. A failure here is a fault of the
//! checker.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::foreign::{self, Language};
use crate::grade::{self, Graded, Outcome};
use crate::museum::{self, MuseumError};
use crate::plan::{self, Plan};
use crate::report::words::{Words, words};
use checks::Check;
use harness::exercise::{Exercise, Target};
use harness::server::Program;
use harness::server::build::{CargoError, workspace};

/// A right server that is graded.
#[derive(Clone)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    program: Program,
    exercise: Exercise,
    checks: Vec<&'static Check>,
}

impl Candidate {
    /// Returns `None` if none of the checks is for this exercise.
    fn new(
        name: String,
        exercise: Exercise,
        program: Program,
        checks: &[&'static Check],
    ) -> Option<Self> {
        let checks: Vec<_> =
            checks.iter().copied().filter(|check| check.exercise == exercise).collect();
        (!checks.is_empty()).then_some(Candidate { name, program, exercise, checks })
    }
}

/// A check that did not pass.
#[derive(Debug)]
pub struct FlakyVerdict {
    /// The check's id.
    pub check: &'static str,
    /// The server that was graded.
    pub candidate: String,
    /// The seed that repeats it.
    pub seed: u64,
    /// `failed` or `unknown`.
    pub outcome: &'static str,
    /// The failure, with expected and got, or the reason.
    pub said: String,
}

/// The result of one grading.
pub struct Round {
    /// The number of verdicts.
    pub verdicts: usize,
    /// The verdicts other than `passed`.
    pub mishaps: Vec<FlakyVerdict>,
}

/// Why the right servers cannot be built.
#[derive(Debug, Error)]
pub enum CandidatesError {
    /// Cargo cannot be run.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// A solution does not compile; the compiler's messages.
    #[error("{0}")]
    Solution(String),
    /// The museum cannot be built.
    #[error(transparent)]
    Museum(#[from] MuseumError),
}

/// Builds the solutions and every right server that these checks are for.
///
/// Also returns why servers in another language are missing. Fails if a Rust server cannot be
/// built.
pub async fn candidates(
    checks: &[&'static Check],
) -> Result<(Vec<Candidate>, Vec<String>), CandidatesError> {
    let plan = plan::build_plan(checks.to_vec(), Target::Solutions, 0).await?;
    let mut candidates = Vec::new();
    for (exercise, program) in plan.programs {
        let program = program.map_err(|failure| CandidatesError::Solution(words(&failure).got))?;
        candidates.extend(Candidate::new(
            exercise.package(Target::Solutions).to_string(),
            exercise,
            program,
            checks,
        ));
    }
    let (path, catalogue): (PathBuf, _) = museum::open().await?;
    for right in catalogue.right {
        let exercise = museum::exercise_of(&right.name, &right.exercise)?;
        let argv =
            vec![path.to_string_lossy().into_owned(), "--right".to_string(), right.name.clone()];
        candidates.extend(Candidate::new(
            right.name,
            exercise,
            Program::new(argv, workspace()),
            checks,
        ));
    }
    let mut missing = Vec::new();
    for language in Language::ALL {
        match foreign::servers(language) {
            Ok(servers) => candidates.extend(servers.into_iter().filter_map(|server| {
                let program = server.program();
                Candidate::new(server.name, server.exercise, program, checks)
            })),
            Err(why) => missing.push(format!("without the servers in {}: {why}", language.name())),
        }
    }
    Ok((candidates, missing))
}

/// Grades each candidate `runs` times, `jobs` at a time, and sends each result to `done`.
pub async fn soak(
    candidates: Vec<Candidate>,
    runs: u32,
    jobs: usize,
    seed: u64,
    done: mpsc::UnboundedSender<Round>,
) {
    let permits = Arc::new(Semaphore::new(jobs));
    let mut rounds = JoinSet::new();
    for run in 0..u64::from(runs) {
        for candidate in &candidates {
            // Spawned in order, so that an interrupted run has graded all servers about equally
            // often.
            let permit = permits.clone().acquire_owned().await;
            let (candidate, done) = (candidate.clone(), done.clone());
            rounds.spawn(async move {
                let _permit = permit;
                let _ = done.send(round(candidate, seed.wrapping_add(run)).await);
            });
        }
    }
    while rounds.join_next().await.is_some() {}
}

async fn round(candidate: Candidate, seed: u64) -> Round {
    let Candidate { name, program, exercise, checks } = candidate;
    let graded = grade::grade_all(Plan { checks, ..Plan::of(exercise, program, seed) }).await;
    let mishap = |graded: &Graded| {
        let (outcome, said) = match &graded.outcome {
            Outcome::Passed | Outcome::Blocked(_) => return None,
            Outcome::Failed(report) => {
                let Words { headline, expected, got, .. } = &report.words;
                ("failed", format!("{headline} expected {expected}, got {got}"))
            }
            Outcome::Inconclusive(reason) => ("unknown", reason.clone()),
        };
        Some(FlakyVerdict { check: graded.check.id, candidate: name.clone(), seed, outcome, said })
    };
    Round { verdicts: graded.len(), mishaps: graded.iter().filter_map(mishap).collect() }
}

/// Threads that keep every core busy until this is dropped.
pub struct Load {
    over: Arc<AtomicBool>,
}

impl Load {
    /// Starts one busy loop for each core.
    pub fn start() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            let over = over.clone();
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Load { over }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
