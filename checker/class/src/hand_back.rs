//! Writes the folder that a student gets back: a page, and the same as text.

use std::io;
use std::path::{Path, PathBuf};

use crate::files::whole;
use crate::model::Submission;
use crate::pages;

/// Returns the folder to hand back to the student of this submission.
pub(crate) fn folder(out: &Path, name: &str) -> PathBuf {
    out.join("hand-back").join(name)
}

/// Writes both files. `report` is the checker's, with failures first.
pub(crate) fn write(out: &Path, result: &Submission, report: &str) -> io::Result<()> {
    let folder = folder(out, &result.name);
    std::fs::create_dir_all(&folder)?;
    whole(&folder.join("report.txt"), text(result, report))?;
    whole(&folder.join("report.html"), pages::hand_back(result, report))
}

/// Returns name and id of the person, else the name of the submission.
pub(crate) fn title(result: &Submission) -> String {
    match &result.person {
        Some(person) if person.id.is_empty() => person.name.clone(),
        Some(person) => format!("{} ({})", person.name, person.id),
        None => result.name.clone(),
    }
}

/// Returns what there is to say before the failures, a sentence each.
pub(crate) fn remarks(result: &Submission) -> Vec<String> {
    let mut remarks = Vec::new();
    if result.manual.points.is_some() {
        remarks.push(format!("The points are set by hand; {} by the checks.", result.points));
    }
    if result.late == Some(true) {
        let time = result.submitted.as_ref().map_or(String::new(), |time| format!(", at {time}"));
        remarks.push(format!("Handed in late{time}."));
    }
    if let Some(reason) = &result.reason {
        remarks.push(format!("Not graded: {reason}."));
    }
    remarks.extend(result.costs());
    remarks
}

fn text(result: &Submission, report: &str) -> String {
    let mut lines =
        vec![title(result), format!("{} of {} points", result.final_points(), result.max_points)];
    lines.extend(remarks(result));
    if let Some(comment) = &result.manual.comment {
        lines.push(format!("\nComment: {comment}"));
    }
    lines.extend(result.notes.iter().map(|note| format!("\nNote: {note}")));
    lines.push(format!("\n{report}"));
    lines.join("\n")
}
