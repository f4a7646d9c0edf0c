//! The files of a class: the table, the results in one, the page.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::args::ClassArgs;
use crate::files::whole;
use crate::model::{Status, Submission, Weights};
use crate::overview::{Overview, SimilarGroup};
use crate::pages;

/// The settings on which the results of a run depend, by which it is resumed and merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// The part of the class, from 1, and the number of parts.
    pub(crate) shard: (usize, usize),
    /// The points by check that `--weights` sets.
    pub(crate) weights: Weights,
}

/// All results of a class.
#[derive(Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) overview: Overview,
    pub(crate) results: Vec<Submission>,
}

#[derive(Debug, Error)]
pub(crate) enum OpenError {
    #[error("--out {} holds results already: add --resume, or name another folder", .0.display())]
    Used(PathBuf),
    #[error("--seed {seed}: the run in {} began with {earlier}", out.display())]
    OtherSeed { out: PathBuf, seed: u64, earlier: u64 },
    #[error(
        "--weights: the run in {} began with other points; use the same file, or another --out",
        .0.display()
    )]
    OtherWeights(PathBuf),
    #[error("the run in {} began with --shard {}/{}", out.display(), earlier.0, earlier.1)]
    OtherShard { out: PathBuf, earlier: (usize, usize) },
    #[error("{}: {error}", path.display())]
    NoRun { path: PathBuf, error: serde_json::Error },
    #[error("{}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("--out {}: {error}", out.display())]
    Io { out: PathBuf, error: io::Error },
}

/// Reads the settings of the run in this folder.
pub(crate) fn settings(out: &Path) -> Result<Run, OpenError> {
    let path = out.join("run.json");
    match std::fs::read(&path).map(|text| serde_json::from_slice(&text)) {
        Ok(Ok(run)) => Ok(run),
        Ok(Err(error)) => Err(OpenError::NoRun { path, error }),
        Err(error) => Err(OpenError::Unreadable { path, error }),
    }
}

/// Opens the folder for results, and returns the seed to grade with.
pub(crate) fn open(args: &ClassArgs, weights: &Weights) -> Result<u64, OpenError> {
    let (out, shard) = (args.out.clone(), args.shard());
    match settings(&out) {
        Ok(_) if !args.resume => return Err(OpenError::Used(out)),
        Ok(run) => {
            return match args.seed {
                Some(seed) if seed != run.seed => {
                    Err(OpenError::OtherSeed { out, seed, earlier: run.seed })
                }
                _ if run.shard != shard => Err(OpenError::OtherShard { out, earlier: run.shard }),
                _ if run.weights != *weights => Err(OpenError::OtherWeights(out)),
                _ => Ok(run.seed),
            };
        }
        Err(OpenError::Unreadable { .. }) => {}
        Err(error) => return Err(error),
    }
    let seed = args.seed.unwrap_or_else(checker::cli::fresh_seed);
    let run = Run { seed, shard, weights: weights.clone() };
    let text = serde_json::to_string(&run).map_err(io::Error::other);
    text.and_then(|text| {
        std::fs::create_dir_all(&out)?;
        whole(&out.join("run.json"), text + "\n")
    })
    .map_err(|error| OpenError::Io { out, error })?;
    Ok(seed)
}

/// Writes the files of the class.
pub(crate) fn write(
    out: &Path,
    results: &[Submission],
    alike: Vec<SimilarGroup>,
) -> io::Result<Overview> {
    let overview = Overview::of(results, alike);
    whole(&out.join("results.csv"), csv(results)?)?;
    whole(&out.join("index.html"), pages::class(results, &overview))?;
    let class = Class { overview, results: results.to_vec() };
    let text = serde_json::to_string_pretty(&class).map_err(io::Error::other)?;
    whole(&out.join("results.json"), text + "\n")?;
    Ok(class.overview)
}

/// A table with a line for each submission: its points, and the verdict on each check.
pub(crate) fn csv(results: &[Submission]) -> io::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let ids: Vec<&str> = checks::all().iter().map(|check| check.id).collect();
    let head = [
        "submission",
        "status",
        "points",
        "max_points",
        "passed",
        "failed",
        "blocked",
        "unknown",
        "same_as",
    ];
    table.write_record(head.iter().chain(&ids)).map_err(io::Error::other)?;
    for result in results {
        let totals = result.totals;
        let mut row = vec![escape_formula(&result.name), result.status.name().to_string()];
        let numbers = [
            result.points as usize,
            result.max_points as usize,
            totals.passed,
            totals.failed,
            totals.blocked,
            totals.unknown,
        ];
        row.extend(numbers.iter().map(ToString::to_string));
        row.push(escape_formula(result.same_as.as_deref().unwrap_or_default()));
        let outcome = |id: &&str| {
            result.checks().find(|check| check.id == *id).map(|check| check.outcome.clone())
        };
        row.extend(ids.iter().map(|id| outcome(id).unwrap_or_default()));
        table.write_record(&row).map_err(io::Error::other)?;
    }
    table.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// Quotes a name that a spreadsheet would take for a formula.
pub(crate) fn escape_formula(name: &str) -> String {
    if name.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{name}")
    } else {
        name.to_string()
    }
}

/// The text to print at the end.
pub(crate) fn summary(results: &[Submission], overview: &Overview, out: &Path) -> String {
    let mut lines =
        vec![format!("{} submissions: {}.", overview.submissions, overview.categories())];
    lines.push(overview.points());
    for result in results.iter().filter(|result| result.status != Status::Graded) {
        lines.push(format!("  {}: {}", result.name, result.reason.as_deref().unwrap_or_default()));
    }
    if let Some(check) = &overview.stops_most {
        lines.push(format!("Most stop at {} ({}).", check.name, check.count));
    }
    let pages: BTreeSet<&str> = BTreeSet::from(["index.html", "results.csv", "results.json"]);
    let pages: Vec<String> =
        pages.iter().map(|page| out.join(page).display().to_string()).collect();
    lines.push(format!("Results: {}", pages.join(", ")));
    lines.join("\n")
}

/// Returns 3 if something could not be judged, and 1 if a submission has fewer points than wanted.
/// Otherwise a student's mistake is no failure of the class.
pub(crate) fn exit_code(results: &[Submission], fail_under: Option<u32>) -> u8 {
    let falls_short = |result: &Submission| fail_under.is_some_and(|least| result.points < least);
    match results {
        results if results.iter().any(Submission::is_open) => 3,
        results if results.iter().any(falls_short) => 1,
        _ => 0,
    }
}
