//! Plans a grading: selects the checks and builds the programs.

use std::collections::{BTreeMap, BTreeSet};

use checks::{self, Check};
use harness::exercise::{Exercise, Target};
use harness::failure::start::StartCause;
use harness::server::Program;
use harness::server::build::{CargoError, CompileError, build_with_warnings, workspace};
use harness::uptime_cache::UptimeCache;
use harness::verdict::Failure;

/// The programs to grade, and the checks to run.
#[derive(Clone)]
pub struct Plan {
    /// The checks to run, with their prerequisites.
    pub checks: Vec<&'static Check>,
    /// The program of each exercise, or the failure to build it.
    pub programs: BTreeMap<Exercise, Result<Program, Box<Failure>>>,
    /// The folder of the sources, to name the file that a student edits.
    pub target: Option<Target>,
    /// The seed of all random values in this run.
    pub seed: u64,
}

impl Plan {
    /// Plans all checks of one exercise for this program.
    pub fn of(exercise: Exercise, program: Program, seed: u64) -> Self {
        let checks = checks::all().into_iter().filter(|check| check.exercise == exercise).collect();
        Plan { checks, programs: BTreeMap::from([(exercise, Ok(program))]), target: None, seed }
    }

    /// Remembers which programs passed after their first second, so that they need not wait again.
    ///
    /// For programs that are graded repeatedly while a student writes them.
    #[must_use]
    pub fn remember_uptime(mut self) -> Self {
        for (exercise, program) in &mut self.programs {
            let some = |which: fn(&Check) -> bool| {
                self.checks.iter().any(|check| check.exercise == *exercise && which(check))
            };
            // A check that waits for heartbeats takes more than the first second anyway.
            if some(|check| check.needs_uptime)
                && !some(|check| check.uses_heartbeats)
                && let Ok(program) = program
            {
                program.cache_uptime();
            }
        }
        self
    }

    /// Returns the exercises that need not wait again, because their program passed before.
    pub fn with_known_uptime(&self) -> Vec<Exercise> {
        let seen = |program: &Program| program.uptime_cache().is_some_and(UptimeCache::seen);
        let spared = self.programs.iter().filter(|(_, program)| program.as_ref().is_ok_and(seen));
        spared.map(|(exercise, _)| *exercise).collect()
    }
}

/// Returns the checks that these words select, with their prerequisites, in the contract's order.
///
/// A word is an exercise's name, or a check's id or a prefix of it. No words select all checks.
///
/// # Errors
/// Returns the first word that selects nothing.
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

/// Adds all checks that the verdicts of these depend on, and sorts them in the contract's order.
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

/// Builds the target's programs for these checks. Fails if cargo cannot be run.
pub async fn build_plan(
    checks: Vec<&'static Check>,
    target: Target,
    seed: u64,
) -> Result<Plan, CargoError> {
    let exercises: BTreeSet<Exercise> = checks.iter().map(|check| check.exercise).collect();
    let packages: Vec<&str> = exercises.iter().map(|exercise| exercise.package(target)).collect();
    let (mut built, mut warnings) = build_with_warnings(&packages).await?;
    let program = |exercise: Exercise| {
        let outcome = built
            .remove(exercise.package(target))
            .unwrap_or_else(|| Err(CompileError("cargo said nothing about it".to_string())));
        let warnings = warnings.remove(exercise.package(target)).unwrap_or_default();
        outcome
            .map(|path| {
                let argv = vec![path.to_string_lossy().into_owned()];
                let mut program = Program::new(argv, workspace());
                program.warnings = warnings;
                program
            })
            .map_err(|CompileError(errors)| {
                let cause = StartCause::DoesNotCompile { exercise, target, errors };
                Box::new(Failure::caused(cause))
            })
    };
    let programs = exercises.iter().copied().map(program);
    let programs = exercises.iter().copied().zip(programs.collect::<Vec<_>>()).collect();
    Ok(Plan { checks, programs, target: Some(target), seed })
}
