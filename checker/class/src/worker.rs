//! Grades the programs of one submission, in a process of its own and outside of their walls.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use checker::grade::{self, Graded, Outcome};
use checker::interrupt::{INTERRUPTED, interrupted};
use checker::plan::Plan;
use checker::report::{human, json};
use harness::exercise::{Exercise, Target};
use harness::failure::start::StartCause;
use harness::server::Program;
use harness::verdict::{Failure, FailureKind};
use serde::{Deserialize, Serialize};

use crate::model::State;

/// The task of a worker.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    /// The names of the exercises that are graded.
    pub(crate) graded: Vec<String>,
    /// The submitted exercises by name.
    pub(crate) exercises: BTreeMap<String, Submitted>,
    /// Where servers run.
    pub(crate) directory: PathBuf,
    pub(crate) seed: u64,
    /// Where to put the verdicts: a file that no server sees.
    pub(crate) verdicts: PathBuf,
    /// Where to put the report.
    pub(crate) report: PathBuf,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Submitted {
    /// The command line that starts its server.
    Program(Vec<String>),
    /// It does not compile; the compiler's words.
    Rejected(String),
    /// It needs crates that the class does not allow; the compiler's words.
    NotAllowed { crates: Vec<String>, words: String },
    /// It could not be compiled, for a reason that is not the submission's.
    Unknown(String),
}

/// The verdicts as the checker prints them, and the exercises without a server that ran.
#[derive(Serialize)]
struct Written<'a> {
    states: BTreeMap<&'static str, State>,
    #[serde(flatten)]
    verdicts: json::Result<'a>,
}

/// Carries out the task in this file.
pub(crate) fn run(task: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read(task).with_context(|| task.display().to_string())?;
    let task: Task = serde_json::from_slice(&text).with_context(|| task.display().to_string())?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime does not start")?;
    let code = runtime.block_on(async {
        tokio::select! {
            written = grade(task) => written.map(|()| ExitCode::SUCCESS),
            () = interrupted() => Ok(ExitCode::from(INTERRUPTED)),
        }
    });
    runtime.shutdown_background();
    code
}

async fn grade(task: Task) -> anyhow::Result<()> {
    let fail = |cause: StartCause| Err(Box::new(Failure::caused(cause)));
    let program = |exercise: Exercise| match task.exercises.get(exercise.name()) {
        Some(Submitted::Program(argv)) => Ok(Program::new(argv.clone(), task.directory.clone())),
        Some(Submitted::Rejected(words)) => fail(does_not_compile(exercise, words)),
        Some(Submitted::NotAllowed { crates, words }) => fail(StartCause::NotAllowed {
            exercise,
            target: Target::Day1,
            crates: crates.clone(),
            errors: words.clone(),
        }),
        // The verdicts that follow from this are replaced below.
        Some(Submitted::Unknown(reason)) => fail(does_not_compile(exercise, reason)),
        None => fail(StartCause::NotSubmitted(exercise)),
    };
    let exercises: Vec<Exercise> =
        task.graded.iter().filter_map(|name| Exercise::named(name)).collect();
    let programs = exercises.iter().map(|exercise| (*exercise, program(*exercise))).collect();
    let checks = checks::all().into_iter().filter(|check| exercises.contains(&check.exercise));
    let (checks, target) = (checks.collect(), Some(Target::Day1));
    let plan = Plan { checks, programs, target, seed: task.seed };
    let mut graded = grade::grade_all(plan).await;
    graded.iter_mut().for_each(|graded| mark_unknown(graded, &task.exercises));
    let states = exercises.iter().map(|one| (one.name(), state(*one, &graded, &task.exercises)));
    let verdicts = json::result(&graded, task.seed);
    let verdicts = serde_json::to_vec_pretty(&Written { states: states.collect(), verdicts })?;
    std::fs::write(&task.report, report(&graded, task.seed)).context("the report")?;
    std::fs::write(&task.verdicts, verdicts).context("the verdicts")
}

/// Returns how far an exercise came.
fn state(exercise: Exercise, graded: &[Graded], submitted: &BTreeMap<String, Submitted>) -> State {
    let is_skeleton = |graded: &Graded| match &graded.outcome {
        Outcome::Failed(report) => report.failure.kind == FailureKind::NotStarted,
        _ => false,
    };
    match submitted.get(exercise.name()) {
        None => State::NotSubmitted,
        Some(Submitted::Rejected(_) | Submitted::NotAllowed { .. }) => State::DoesNotCompile,
        Some(Submitted::Unknown(_)) => State::NotJudged,
        Some(Submitted::Program(_)) => {
            let mut own = graded.iter().filter(|graded| graded.check.exercise == exercise);
            if own.any(is_skeleton) { State::NotStarted } else { State::Graded }
        }
    }
}

/// Makes the verdict unknown if it follows from an exercise that could not be compiled.
fn mark_unknown(graded: &mut Graded, exercises: &BTreeMap<String, Submitted>) {
    let unknown = |exercise: Exercise| match exercises.get(exercise.name()) {
        Some(Submitted::Unknown(reason)) => Some(reason.clone()),
        _ => None,
    };
    let cause = match &graded.outcome {
        Outcome::Blocked(by) => checks::find(by).and_then(|check| unknown(check.exercise)),
        _ => None,
    };
    if let Some(reason) = unknown(graded.check.exercise).or(cause) {
        graded.outcome = Outcome::Inconclusive(reason);
    }
}

fn does_not_compile(exercise: Exercise, errors: &str) -> StartCause {
    StartCause::DoesNotCompile { exercise, target: Target::Day1, errors: errors.to_string() }
}

/// The report as a student reads it, without colours, with the failures before the table.
fn report(graded: &[Graded], seed: u64) -> String {
    let mut text = String::new();
    for graded in graded {
        if let Outcome::Failed(report) = &graded.outcome {
            text += &human::failure(graded, report);
            text.push('\n');
        }
    }
    text += &human::overview(graded);
    text += &human::next_step(graded, Some(Target::Day1), seed);
    anstream::adapter::strip_str(&text).to_string()
}
