//! The command line of `cargo checker class`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::exercise::Exercise;
use jiff::Timestamp;
use thiserror::Error;

use crate::formats::Format;
use crate::intake::ARCHIVES;
use crate::launch::Wanted;
use crate::machine;

#[derive(Args)]
pub(crate) struct ClassArgs {
    /// Folders, .zip, .tar or .tar.gz files, each with the exercises somewhere inside
    #[arg(value_name = "SUBMISSIONS", required_unless_present = "each")]
    submissions: Vec<PathBuf>,
    /// Take everything in this folder as a submission
    #[arg(long, value_name = "DIR")]
    each: Option<PathBuf>,
    /// How many to grade at a time [default: three a processor, fewer where memory or processes are
    /// short]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Where to put the results
    #[arg(long, value_name = "DIR", default_value = "class-results")]
    pub(crate) out: PathBuf,
    /// Continue the run in --out: what has a result is not graded again
    #[arg(long)]
    pub(crate) resume: bool,
    /// The walls around submissions
    #[arg(long, value_enum, default_value_t = Wanted::Require)]
    pub(crate) sandbox: Wanted,
    /// Grade only this exercise (echo, heartbeat or broadcast); a lone main.rs is that exercise
    #[arg(long, value_name = "EXERCISE", value_parser = exercise)]
    pub(crate) exercise: Option<Exercise>,
    /// Points by check, as {"echo::reply": 2}, in place of the workbook's
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Write each result for a platform as well
    #[arg(long, value_enum)]
    pub(crate) format: Vec<Format>,
    /// Grade only the K-th of N parts; `class merge` puts the parts together
    #[arg(long, value_name = "K/N", value_parser = shard)]
    shard: Option<(usize, usize)>,
    /// Seconds of processor time that a compiler may take for one exercise
    #[arg(long, value_name = "S", default_value_t = 120)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) build_cpu: u64,
    /// The people of the class: a CSV file, as Canvas and Moodle export their gradebook
    #[arg(long, value_name = "FILE")]
    pub(crate) roster: Option<PathBuf>,
    /// Mark hand-ins that came later, as 2026-11-30T23:59:00+01:00
    #[arg(long, value_name = "TIME", value_parser = due)]
    pub(crate) due: Option<Timestamp>,
    /// The title of the assignment in the gradebook [default: Day 1]
    #[arg(long, value_name = "TITLE")]
    pub(crate) assignment: Option<String>,
    /// Exit with code 1 if a graded submission has fewer points
    #[arg(long, value_name = "POINTS")]
    pub(crate) fail_under: Option<u32>,
    /// Repeat a run: all random choices follow from its seed
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Error)]
pub(crate) enum ArgsError {
    #[error("--each {}: {error}", path.display())]
    Each { path: PathBuf, error: std::io::Error },
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    #[error("wanted K/N, as 2/5: the second of five parts")]
    Shard,
    #[error("wanted echo, heartbeat or broadcast")]
    Exercise,
    #[error("wanted a time with its offset, as 2026-11-30T23:59:00+01:00 or ending in Z for UTC")]
    Due,
}

fn shard(text: &str) -> Result<(usize, usize), ArgsError> {
    let (part, parts) = text.split_once('/').ok_or(ArgsError::Shard)?;
    let number = |text: &str| text.parse::<usize>().map_err(|_| ArgsError::Shard);
    let (part, parts) = (number(part)?, number(parts)?);
    if (1..=parts).contains(&part) { Ok((part, parts)) } else { Err(ArgsError::Shard) }
}

pub(crate) fn exercise(text: &str) -> Result<Exercise, ArgsError> {
    Exercise::named(text).ok_or(ArgsError::Exercise)
}

fn due(text: &str) -> Result<Timestamp, ArgsError> {
    text.parse().map_err(|_| ArgsError::Due)
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// The submissions of a part, by name, and remarks on names that were changed.
pub(crate) struct Named {
    pub(crate) paths: BTreeMap<String, PathBuf>,
    pub(crate) remarks: Vec<String>,
}

impl ClassArgs {
    /// Returns how many to grade at a time. A grading waits most of the time.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.map_or_else(|| machine::fit_jobs(3 * processors()), usize::from)
    }

    /// Returns how many to build at a time. A compiler never waits.
    pub(crate) fn build_jobs(&self) -> usize {
        processors().div_ceil(2)
    }

    /// Returns the part to grade, from 1, and the number of parts.
    pub(crate) fn shard(&self) -> (usize, usize) {
        self.shard.unwrap_or((1, 1))
    }

    /// Finds the submissions of this part by name.
    pub(crate) fn submissions(&self) -> Result<Named, ArgsError> {
        let mut paths = self.submissions.clone();
        if let Some(folder) = &self.each {
            let entries = std::fs::read_dir(folder)
                .map_err(|error| ArgsError::Each { path: folder.clone(), error })?;
            paths.extend(entries.flatten().map(|entry| entry.path()));
        }
        // The same names for the same submissions, whatever order they come in.
        paths.sort();
        let mut all: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut remarks = Vec::new();
        for path in paths {
            if !path.exists() {
                return Err(ArgsError::Missing(path));
            }
            let wanted = name(&path);
            let numbered = (2..).map(|number| format!("{wanted}-{number}"));
            let mut names = std::iter::once(wanted.clone()).chain(numbered);
            let free = names.find(|name| !is_taken(&all, name)).unwrap_or_default();
            if free != wanted {
                remarks.push(format!("{} is called `{free}`: the name is taken", path.display()));
            }
            all.insert(free, path);
        }
        let (part, parts) = self.shard();
        let ours = all.into_iter().enumerate().filter(|(index, _)| index % parts == part - 1);
        let remarks = remarks.iter().map(|remark| crate::text::line(remark, 500)).collect();
        Ok(Named { paths: ours.map(|(_, named)| named).collect(), remarks })
    }
}

/// Returns whether a name is in use. Some file systems ignore the case of letters.
fn is_taken(all: &BTreeMap<String, PathBuf>, name: &str) -> bool {
    all.keys().any(|other| other.to_lowercase() == name.to_lowercase())
}

/// Returns the ending of this name, as it is written there, if it is that of an archive.
pub(crate) fn archive_ending(name: &str) -> &str {
    let lower = name.to_lowercase();
    let ending = ARCHIVES.into_iter().find(|ending| lower.ends_with(ending));
    name.len().checked_sub(ending.map_or(0, str::len)).and_then(|at| name.get(at..)).unwrap_or("")
}

/// The name of the folder or archive, with only those characters that are safe in a path, a page
/// and a terminal.
fn name(path: &Path) -> String {
    /// Shared for what is put before and behind a name in that of a file.
    const CHARACTERS: usize = 60;
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let ending = if path.is_file() { archive_ending(&name) } else { "" };
    let stem = name.strip_suffix(ending).unwrap_or(&name);
    let safe = |c: char| if c.is_alphanumeric() || "-_.@+ ".contains(c) { c } else { '_' };
    let name: String = stem.chars().map(safe).take(CHARACTERS).collect();
    let name = name.trim_matches(['.', ' ']).to_string();
    if name.is_empty() { "unnamed".to_string() } else { name }
}
