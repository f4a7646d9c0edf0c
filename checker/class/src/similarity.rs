//! Compares the submissions of a class. What it finds is a hint, never a verdict.
//!
//! Only runs of tokens that the skeleton does not have count. The percentage of two programs is
//! the number of runs that both have, of those that they have on average.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::Path;

use checker::skeleton;
use harness::exercise::{Exercise, Target};
use harness::server::build;
use serde::{Deserialize, Serialize};

use crate::files::{self, whole};
use crate::intake::{Fingerprints, Run, runs};
use crate::pages;

/// Programs that have less in common are not listed. The workbook's plain and its tuned broadcast
/// server have 33 % in common, and two of its exercises up to 75 %.
const LEAST: u8 = 80;
/// With fewer runs of its own a program says nothing about its author.
const FEWEST: usize = 60;
/// More pairs are counted only. A large class that follows the lessons has thousands.
const LISTED: usize = 200;
/// The file of a submission's fingerprints.
const KEPT: &str = "fingerprints.json";

/// Two submissions that have much of an exercise in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) exercise: String,
    pub(crate) submissions: (String, String),
    pub(crate) percent: u8,
    /// Both are also this much like the workbook's own solution, which explains it.
    pub(crate) solution_percent: u8,
    /// The page with both side by side, from the folder of results.
    pub(crate) page: String,
}

/// The pairs that are alike. Those come first that the workbook's solution explains least.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Alike {
    pub(crate) pairs: Vec<Pair>,
    /// How many more there are.
    pub(crate) more: usize,
}

/// Keeps what is compared in the folder of a submission: its fingerprints, and its programs.
pub(crate) fn keep(
    out: &Path,
    name: &str,
    fingerprints: &Fingerprints,
    programs: &Path,
) -> io::Result<()> {
    let folder = files::folder(out, name);
    std::fs::create_dir_all(&folder)?;
    whole(&folder.join(KEPT), serde_json::to_vec(fingerprints).map_err(io::Error::other)?)?;
    for exercise in Exercise::ALL {
        let file = format!("{exercise}.rs");
        match std::fs::read(programs.join(&file)) {
            Ok(text) => whole(&folder.join(file), text)?,
            Err(_) => {
                let _ = std::fs::remove_file(folder.join(file));
            }
        }
    }
    Ok(())
}

/// A program as it is compared.
struct Program {
    name: String,
    runs: Vec<Run>,
    /// The hashes of the runs that the skeleton does not have.
    own: HashSet<u64>,
}

impl Program {
    fn new(name: &str, runs: Vec<Run>, skeleton: &HashSet<u64>) -> Program {
        let own = runs.iter().map(|run| run.0).filter(|hash| !skeleton.contains(hash)).collect();
        Program { name: name.to_string(), runs, own }
    }

    fn percent(&self, other: &Program) -> u8 {
        let shared = self.own.intersection(&other.own).count();
        let all = (self.own.len() + other.own.len()).max(1);
        u8::try_from(200 * shared / all).unwrap_or(100)
    }

    /// The lines of the runs that both have.
    fn shared_lines(&self, other: &Program) -> BTreeSet<u32> {
        let shared = |run: &&Run| self.own.contains(&run.0) && other.own.contains(&run.0);
        self.runs.iter().filter(shared).flat_map(|(_, first, last)| *first..=*last).collect()
    }
}

/// The programs of an exercise, and what they are measured against.
struct Comparison {
    exercise: Exercise,
    programs: Vec<Program>,
    solution: Program,
}

impl Comparison {
    fn new(exercise: Exercise, all: &[(String, Fingerprints)]) -> Comparison {
        let skeleton: HashSet<u64> =
            runs(skeleton::of(exercise)).into_iter().map(|run| run.0).collect();
        let solution = build::workspace().join(exercise.source(Target::Solutions));
        let solution = std::fs::read_to_string(solution).unwrap_or_default();
        let programs = all.iter().filter_map(|(name, fingerprints)| {
            Some(Program::new(name, fingerprints.get(exercise.name())?.clone(), &skeleton))
        });
        Comparison {
            exercise,
            programs: programs.filter(|program| program.own.len() >= FEWEST).collect(),
            solution: Program::new("", runs(&solution), &skeleton),
        }
    }

    fn pairs(&self) -> Vec<Pair> {
        let mut pairs = Vec::new();
        for (index, first) in self.programs.iter().enumerate() {
            for second in &self.programs[index + 1..] {
                let percent = first.percent(second);
                if percent >= LEAST {
                    let solution = (first.percent(&self.solution), second.percent(&self.solution));
                    pairs.push(Pair {
                        exercise: self.exercise.name().to_string(),
                        submissions: (first.name.clone(), second.name.clone()),
                        percent,
                        solution_percent: solution.0.min(solution.1),
                        page: String::new(),
                    });
                }
            }
        }
        pairs
    }

    /// Renders the page of a pair.
    fn page(&self, out: &Path, pair: &Pair) -> Option<String> {
        let find = |name: &String| self.programs.iter().find(|program| program.name == *name);
        let (first, second) = (find(&pair.submissions.0)?, find(&pair.submissions.1)?);
        let lines = (first.shared_lines(second), second.shared_lines(first));
        let texts = (read(out, &first.name, self.exercise), read(out, &second.name, self.exercise));
        Some(pages::side_by_side(pair, (&texts.0, &texts.1), &lines))
    }
}

/// Compares these submissions, and writes a page for each pair that is listed.
pub(crate) fn compare(out: &Path, names: &[&str]) -> io::Result<Alike> {
    let folder = out.join("similar");
    let _ = std::fs::remove_dir_all(&folder);
    let kept = |name: &&str| {
        let text = std::fs::read(files::folder(out, name).join(KEPT)).ok()?;
        Some((name.to_string(), serde_json::from_slice::<Fingerprints>(&text).ok()?))
    };
    let all: Vec<(String, Fingerprints)> = names.iter().filter_map(kept).collect();
    let comparisons = Exercise::ALL.map(|exercise| Comparison::new(exercise, &all));
    let mut pairs: Vec<Pair> = comparisons.iter().flat_map(Comparison::pairs).collect();
    let unexplained = |pair: &Pair| pair.percent.saturating_sub(pair.solution_percent);
    pairs.sort_by_cached_key(|pair| {
        let first = Reverse((unexplained(pair), pair.percent));
        (first, pair.exercise.clone(), pair.submissions.clone())
    });
    let more = pairs.len().saturating_sub(LISTED);
    pairs.truncate(LISTED);
    for (index, pair) in pairs.iter_mut().enumerate() {
        let of = comparisons.iter().find(|one| one.exercise.name() == pair.exercise);
        let Some(text) = of.and_then(|comparison| comparison.page(out, pair)) else { continue };
        std::fs::create_dir_all(&folder)?;
        whole(&folder.join(format!("{index}.html")), text)?;
        pair.page = format!("similar/{index}.html");
    }
    Ok(Alike { pairs, more })
}

fn read(out: &Path, name: &str, exercise: Exercise) -> String {
    let file = files::folder(out, name).join(format!("{exercise}.rs"));
    let bytes = std::fs::read(file).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
