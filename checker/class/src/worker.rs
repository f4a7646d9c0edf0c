//! Grades the programs of one submission, in a process of its own and outside of their sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use checker::grade::{self, Graded, Outcome};
use checker::interrupt::{INTERRUPTED, interrupted};
use checker::plan::Plan;
use checker::report::{human, json};
use harness::exercise::{Exercise, Target};
use harness::server::Program;
use harness::verdict::{Failure, FailureKind};
use serde::{Deserialize, Serialize};

/// What the class asks of a worker.
#[derive(Serialize, Deserialize)]
pub(crate) struct Task {
    /// How to start each exercise's server, or the compiler's words; an exercise that is missing was not submitted.
    pub(crate) programs: BTreeMap<String, Result<Vec<String>, String>>,
    /// Where servers run.
    pub(crate) directory: PathBuf,
    pub(crate) seed: u64,
    /// Where to put the verdicts: a file that no server sees.
    pub(crate) verdicts: PathBuf,
    /// Where to put the report.
    pub(crate) report: PathBuf,
}

/// Carries out the task in this file.
pub(crate) fn run(task: &Path) -> ExitCode {
    let read = std::fs::read(task).map_err(|error| error.to_string());
    let task: Task = match read
        .and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()))
    {
        Ok(task) => task,
        Err(error) => {
            eprintln!("error: {}: {error}", task.display());
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: this machine does not let the checker work: {error}");
            return ExitCode::from(3);
        }
    };
    let code = runtime.block_on(async {
        tokio::select! {
            written = graded(task) => match written {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("error: {error}");
                    ExitCode::from(3)
                }
            },
            () = interrupted() => ExitCode::from(INTERRUPTED),
        }
    });
    runtime.shutdown_background();
    code
}

async fn graded(task: Task) -> std::io::Result<()> {
    let program = |exercise: Exercise| match task.programs.get(exercise.name()) {
        Some(Ok(argv)) => Ok(Program::new(argv.clone(), task.directory.clone())),
        Some(Err(words)) => Err(Box::new(does_not_compile(exercise, words))),
        None => Err(Box::new(missing(exercise))),
    };
    let programs =
        Exercise::ALL.into_iter().map(|exercise| (exercise, program(exercise))).collect();
    let plan =
        Plan { checks: checks::all(), programs, target: Some(Target::Day1), seed: task.seed };
    let graded = grade::grade_all(plan).await;
    let verdicts = serde_json::to_vec_pretty(&json::result(&graded, task.seed))
        .map_err(std::io::Error::other)?;
    std::fs::write(&task.report, report(&graded, task.seed))?;
    std::fs::write(&task.verdicts, verdicts)
}

fn does_not_compile(exercise: Exercise, words: &str) -> Failure {
    let source = exercise.source(Target::Day1);
    let failure = Failure::new(FailureKind::DoesNotCompile, format!("{exercise} does not compile"))
        .expected("a program that compiles", words.trim_end())
        .hint(format!("Mend what rustc says about {source} first; run `cargo check -p {exercise}` to see only that."));
    Failure { fundamental: true, ..failure }
}

fn missing(exercise: Exercise) -> Failure {
    let source = exercise.source(Target::Day1);
    let failure = Failure::new(FailureKind::NotStarted, format!("{exercise}: not submitted"))
        .expected(
            "a server that answers its first client",
            format!("a submission without {source}"),
        )
        .hint(format!("Hand in {source} as well."));
    Failure { fundamental: true, ..failure }
}

/// The report as a student reads it, without colours.
fn report(graded: &[Graded], seed: u64) -> String {
    let mut text = human::overview(graded);
    for graded in graded {
        if let Outcome::Failed(report) = &graded.outcome {
            text += &human::failure(graded, report);
            text.push('\n');
        }
    }
    text += &human::next_step(graded, Some(Target::Day1), seed);
    anstream::adapter::strip_str(&text).to_string()
}
