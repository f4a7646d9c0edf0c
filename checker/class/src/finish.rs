//! The last step of a run: sets what does not come from grading, and writes the files that depend
//! on it. Merging parts and a manual correction end with the same step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;

use crate::adjust::Manual;
use crate::formats::Format;
use crate::model::Submission;
use crate::overview::{Overview, People};
use crate::roster::{Keys, Roster};
use crate::settings::Run;
use crate::{classfiles, files, gradebook, hand_back, similarity};

/// The results as the last step wrote them.
pub(crate) struct Finished {
    pub(crate) results: Vec<Submission>,
    pub(crate) overview: Overview,
    gradebooks: Vec<PathBuf>,
}

impl Finished {
    /// The text to print at the end.
    pub(crate) fn summary(&self, out: &Path) -> String {
        let mut text = classfiles::summary(&self.results, &self.overview, out);
        if !self.gradebooks.is_empty() {
            let paths = self.gradebooks.iter().map(|path| path.display().to_string());
            text += &format!("\nGradebooks: {}", paths.collect::<Vec<_>>().join(", "));
        }
        text
    }
}

/// Sets people, times and manual points from the files in `out`, and writes all files again.
pub(crate) fn finish(
    out: &Path,
    run: &Run,
    mut results: BTreeMap<String, Submission>,
    formats: &[Format],
) -> anyhow::Result<Finished> {
    let roster = Roster::kept(out)?;
    let due = run.due.as_deref().map(str::parse::<Timestamp>).transpose().context("--due")?;
    let assigned = match &roster {
        Some(roster) => roster.assign(
            results.values().map(|result| (result.name.as_str(), result.hand_in.as_str())),
        )?,
        None => BTreeMap::new(),
    };
    for result in results.values_mut() {
        let row = roster.as_ref().zip(assigned.get(&result.name).copied());
        result.person = row.map(|(roster, row)| roster.person(row));
        result.manual = Manual::read(out, &result.name)?;
        set_late(result, row.and_then(|(roster, row)| roster.submitted(row)), due);
        write_one(out, result, formats)?;
    }
    let results: Vec<Submission> = results.into_values().collect();
    let people = roster.as_ref().map(|roster| people(roster, &assigned, &results));
    let names: Vec<&str> = results.iter().map(|result| result.name.as_str()).collect();
    let alike = similarity::compare(out, &names).with_context(|| out.display().to_string())?;
    let overview = classfiles::write(out, &results, alike, people)
        .with_context(|| out.display().to_string())?;
    let gradebooks = match &roster {
        Some(roster) => {
            let mut lines: Vec<gradebook::Line<'_>> = results
                .iter()
                .filter_map(|result| Some((*assigned.get(&result.name)?, result)))
                .collect();
            lines.sort_by_key(|(row, _)| *row);
            gradebook::write(out, roster, run.assignment(), &lines)
                .with_context(|| out.display().to_string())?
        }
        None => Vec::new(),
    };
    Ok(Finished { results, overview, gradebooks })
}

/// The roster's time of hand-in counts before that of the file. Canvas's mark counts without one.
fn set_late(result: &mut Submission, submitted: Option<Timestamp>, due: Option<Timestamp>) {
    let by_file = result.submitted.as_deref().and_then(|time| time.parse().ok());
    result.late = match (submitted, due) {
        (Some(time), Some(due)) => Some(time > due),
        _ if Keys::of(&result.name, &result.hand_in).late => Some(true),
        (None, Some(due)) => by_file.map(|time: Timestamp| time > due),
        (_, None) => None,
    };
    if let Some(time) = submitted {
        result.submitted = Some(time.to_string());
    }
}

fn write_one(out: &Path, result: &Submission, formats: &[Format]) -> anyhow::Result<()> {
    let folder = files::folder(out, &result.name);
    let report = std::fs::read_to_string(folder.join("report.txt")).unwrap_or_default();
    files::write(out, result, &report).with_context(|| folder.display().to_string())?;
    hand_back::write(out, result, &report)
        .with_context(|| hand_back::folder(out, &result.name).display().to_string())?;
    for format in formats {
        match format.write(result) {
            Ok(text) => {
                let file = folder.join(format.file());
                files::whole(&file, text).with_context(|| file.display().to_string())?;
            }
            Err(error) => eprintln!("{}: {error}", result.name),
        }
    }
    Ok(())
}

fn people(roster: &Roster, assigned: &BTreeMap<String, usize>, results: &[Submission]) -> People {
    let with: BTreeSet<usize> = assigned.values().copied().collect();
    let without = (0..roster.rows.len()).filter(|row| !with.contains(row));
    let strangers = results.iter().filter(|result| result.person.is_none());
    People {
        without_hand_in: without.map(|row| roster.person(row).name).collect(),
        not_in_roster: strangers.map(|result| result.name.clone()).collect(),
    }
}

/// Returns when the newest file of a hand-in was changed.
pub(crate) fn modified(path: &Path) -> Option<Timestamp> {
    /// A folder with more is not looked at any further.
    const FILES: usize = 20_000;
    let (mut open, mut newest, mut seen) = (vec![path.to_path_buf()], None, 0);
    while let Some(path) = open.pop() {
        seen += 1;
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.is_dir() && seen < FILES {
            open.extend(std::fs::read_dir(&path).into_iter().flatten().flatten().map(|e| e.path()));
        } else if metadata.is_file() {
            newest = newest.max(metadata.modified().ok());
        }
    }
    Timestamp::try_from(newest?).ok()
}
