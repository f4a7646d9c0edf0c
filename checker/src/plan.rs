//! What is to be graded: which checks, and which programs.

use std::collections::{BTreeMap, BTreeSet};

use checks::{self, Check};
use harness::exercise::{Exercise, Target};
use harness::server::Program;
use harness::server::build::{CompileError, build, workspace};
use harness::uptime_cache::UptimeCache;
use harness::verdict::{Failure, FailureKind};

/// Which programs to grade, and by which checks.
pub struct Plan {
    /// The checks to run, with all that they need.
    pub checks: Vec<&'static Check>,
    /// What to start for each exercise, or why there is nothing to start.
    pub programs: BTreeMap<Exercise, Result<Program, Box<Failure>>>,
    /// Where the sources are, to tell a student what to open.
    pub target: Option<Target>,
    /// What all chance in this run follows from.
    pub seed: u64,
}

impl Plan {
    /// This program against all checks of one exercise.
    pub fn of(exercise: Exercise, program: Program, seed: u64) -> Self {
        let checks = checks::all().into_iter().filter(|check| check.exercise == exercise).collect();
        Plan { checks, programs: BTreeMap::from([(exercise, Ok(program))]), target: None, seed }
    }

    /// The same plan, for programs that are graded again and again while they are written: that one was right after its
    /// first second is remembered, and it is not made to wait again.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        for (exercise, program) in &mut self.programs {
            let some = |which: fn(&Check) -> bool| {
                self.checks.iter().any(|check| check.exercise == *exercise && which(check))
            };
            // Where heartbeats are waited for, the first second is long over when they are judged.
            if some(|check| check.needs_uptime)
                && !some(|check| check.uses_heartbeats)
                && let Ok(program) = program
            {
                program.remember();
            }
        }
        self
    }

    /// The exercises that are spared the wait.
    pub fn spared(&self) -> Vec<Exercise> {
        let seen = |program: &Program| program.age().is_some_and(UptimeCache::seen);
        let spared = self.programs.iter().filter(|(_, program)| program.as_ref().is_ok_and(seen));
        spared.map(|(exercise, _)| *exercise).collect()
    }
}

/// The checks that these words select (an exercise's name, a check's id or the beginning of one; none selects all),
/// with all that they need, in the contract's order.
///
/// # Errors
/// The word that selects nothing.
pub fn select(words: &[String]) -> Result<Vec<&'static Check>, String> {
    let all = checks::all();
    let mut wanted: BTreeSet<&'static str> = BTreeSet::new();
    for word in words {
        let matching = all
            .iter()
            .filter(|check| check.exercise.name() == word || check.id.starts_with(word.as_str()));
        let before = wanted.len();
        wanted.extend(matching.map(|check| check.id));
        if wanted.len() == before && !all.iter().any(|check| check.id.starts_with(word.as_str())) {
            return Err(word.clone());
        }
    }
    if words.is_empty() {
        wanted.extend(all.iter().map(|check| check.id));
    }
    Ok(with_needs(wanted))
}

/// These checks and all that their verdicts depend on, in the contract's order.
pub fn with_needs(mut wanted: BTreeSet<&'static str>) -> Vec<&'static Check> {
    let all = checks::all();
    // A check may be explained by a later one, so one pass does not find all of them.
    let mut open: Vec<&'static str> = wanted.iter().copied().collect();
    while let Some(id) = open.pop() {
        let Some(check) = all.iter().find(|check| check.id == id) else { continue };
        let causes =
            check.requires.iter().chain(check.explained_by).chain(check.inconclusive_after);
        open.extend(causes.filter(|cause| wanted.insert(cause)));
    }
    all.into_iter().filter(|check| wanted.contains(check.id)).collect()
}

/// Builds the target's programs for these checks.
///
/// # Errors
/// When cargo can't be run.
pub async fn built(checks: Vec<&'static Check>, target: Target, seed: u64) -> Result<Plan, String> {
    let exercises: BTreeSet<Exercise> = checks.iter().map(|check| check.exercise).collect();
    let packages: Vec<&str> = exercises.iter().map(|exercise| exercise.package(target)).collect();
    let mut built = build(&packages).await.map_err(|error| error.to_string())?;
    let program = |exercise: Exercise| {
        let outcome = built
            .remove(exercise.package(target))
            .unwrap_or_else(|| Err(CompileError("cargo said nothing about it".to_string())));
        outcome.map(|path| Program::new(vec![path.to_string_lossy().into_owned()], workspace())).map_err(|complaint| {
            let hint = format!(
                "Mend what rustc says about {} first; run `cargo check -p {}` to see only that.",
                exercise.source(target),
                exercise.package(target)
            );
            let failure = Failure::new(FailureKind::DoesNotCompile, format!("{exercise} does not compile"))
                .expected("a program that compiles", complaint.0.trim_end())
                .hint(hint);
            Box::new(Failure { fundamental: true, ..failure })
        })
    };
    let programs = exercises.iter().copied().map(program);
    let programs = exercises.iter().copied().zip(programs.collect::<Vec<_>>()).collect();
    Ok(Plan { checks, programs, target: Some(target), seed })
}
