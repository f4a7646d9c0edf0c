//! The files of a class: the table, the results in one, the page.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::whole;
use crate::model::{Status, Submission};
use crate::overview::{Alike, Overview};
use crate::page;

/// What a run leaves in its folder, so that it can be resumed.
#[derive(Serialize, Deserialize)]
struct Run {
    seed: u64,
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
    #[error("{}: {error}", path.display())]
    NoRun { path: PathBuf, error: serde_json::Error },
    #[error("--out {}: {error}", out.display())]
    Io { out: PathBuf, error: io::Error },
}

/// Opens the folder for results, and returns the seed to grade with.
pub(crate) fn open(out: &Path, resume: bool, seed: Option<u64>) -> Result<u64, OpenError> {
    let path = out.join("run.json");
    let out = out.to_path_buf();
    if let Ok(text) = std::fs::read(&path) {
        let run: Run = match serde_json::from_slice(&text) {
            Ok(run) => run,
            Err(error) => return Err(OpenError::NoRun { path, error }),
        };
        return match seed {
            _ if !resume => Err(OpenError::Used(out)),
            Some(seed) if seed != run.seed => {
                Err(OpenError::OtherSeed { out, seed, earlier: run.seed })
            }
            _ => Ok(run.seed),
        };
    }
    let seed = seed.unwrap_or_else(checker::cli::fresh_seed);
    let text = serde_json::to_string(&Run { seed }).map_err(io::Error::other);
    text.and_then(|text| {
        std::fs::create_dir_all(&out)?;
        whole(&path, text + "\n")
    })
    .map_err(|error| OpenError::Io { out, error })?;
    Ok(seed)
}

/// Writes the files of the class.
pub(crate) fn write(out: &Path, results: &[Submission], alike: Vec<Alike>) -> io::Result<Overview> {
    let overview = Overview::of(results, alike);
    whole(&out.join("results.csv"), csv(results)?)?;
    whole(&out.join("index.html"), page::class(results, &overview))?;
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
        let mut row = vec![calm(&result.name), result.status.name().to_string()];
        let numbers = [
            result.points as usize,
            result.max_points as usize,
            totals.passed,
            totals.failed,
            totals.blocked,
            totals.unknown,
        ];
        row.extend(numbers.iter().map(ToString::to_string));
        row.push(calm(result.same_as.as_deref().unwrap_or_default()));
        let outcome = |id: &&str| {
            result.checks().find(|check| check.id == *id).map(|check| check.outcome.clone())
        };
        row.extend(ids.iter().map(|id| outcome(id).unwrap_or_default()));
        table.write_record(&row).map_err(io::Error::other)?;
    }
    table.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// The name, quoted where a spreadsheet would take it for a formula.
pub(crate) fn calm(name: &str) -> String {
    if name.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{name}")
    } else {
        name.to_string()
    }
}

/// The text to print at the end.
pub(crate) fn summary(results: &[Submission], overview: &Overview, out: &Path) -> String {
    let mut lines = vec![format!(
        "{} submissions: {} graded, {} unreadable, {} broken; {} of {} points on average.",
        overview.submissions,
        overview.graded,
        overview.unreadable,
        overview.broken,
        overview.average,
        overview.max_points
    )];
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

/// 0 if there is a verdict on everything, 3 if something could not be judged. A mistake of a
/// student is no failure of the class.
pub(crate) fn exit_code(results: &[Submission]) -> u8 {
    if results.iter().any(Submission::is_open) { 3 } else { 0 }
}
