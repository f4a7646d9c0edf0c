//! The gradebooks that Canvas and Moodle import.
//!
//! People without points have no line, so that an import clears no grade that is there already.
//! Columns of people are the roster's own, in its order, with its text unchanged.

use std::io;
use std::path::{Path, PathBuf};

use crate::files::whole;
use crate::model::Submission;
use crate::roster::Roster;

/// A person's row in the roster, and their result.
pub(crate) type Line<'a> = (usize, &'a Submission);

/// Writes the gradebooks for which the roster has the columns, and returns their paths.
pub(crate) fn write(
    out: &Path,
    roster: &Roster,
    assignment: &str,
    lines: &[Line<'_>],
) -> io::Result<Vec<PathBuf>> {
    let lines: Vec<Line<'_>> =
        lines.iter().filter(|(_, result)| result.gradebook_points().is_some()).copied().collect();
    let tables = [
        ("gradebook-canvas.csv", canvas(roster, assignment, &lines)),
        ("gradebook-moodle.csv", moodle(roster, assignment, &lines)),
    ];
    let mut written = Vec::new();
    for (name, table) in tables {
        let Some(table) = table else { continue };
        let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        table.iter().try_for_each(|row| csv.write_record(row)).map_err(io::Error::other)?;
        let bytes = csv.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        whole(&out.join(name), bytes)?;
        written.push(out.join(name));
    }
    Ok(written)
}

/// The gradebook for Canvas, if the roster is one that Canvas exported.
///
/// Canvas wants "Student" in the first column, "ID" in the second, then optionally "SIS User ID",
/// "SIS Login ID", "Integration ID" and "Root Account", and "Section" as the last column of a
/// person. The other columns are assignments, found by the id in `Title (123)`, else by the title;
/// a new title makes a new assignment. A line with "Points Possible" in its first column sets the
/// most points. See `row_has_student_headers?`, `update_column_count`, `parse_assignments` and
/// `check_for_non_student_row` of
/// <https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb>.
fn canvas(roster: &Roster, assignment: &str, lines: &[Line<'_>]) -> Option<Vec<Vec<String>>> {
    let is_canvas = roster.head.first().is_some_and(|name| name == "Student")
        && roster.head.get(1).is_some_and(|name| name == "ID");
    let person = roster.column(&["section"]).filter(|_| is_canvas)? + 1;
    let mut head = roster.head[..person].to_vec();
    head.push(exported_title(roster, assignment));
    let mut possible = vec![String::new(); person + 1];
    possible[0] = "    Points Possible".to_string();
    possible[person] = lines.first().map(|(_, one)| one.max_points).unwrap_or(0).to_string();
    let mut table = vec![head, possible];
    for (row, result) in lines {
        let mut line = roster.rows[*row][..person].to_vec();
        line.push(points(result));
        table.push(line);
    }
    Some(table)
}

/// The title as Canvas exported it, with the assignment's id, if the roster has such a column.
fn exported_title(roster: &Roster, assignment: &str) -> String {
    let is_it = |head: &&String| {
        let rest = head.strip_prefix(assignment).map(str::trim);
        let id = rest.and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
        id.is_some_and(|id| id.parse::<u64>().is_ok())
    };
    roster.head.iter().find(is_it).map_or(assignment, String::as_str).to_string()
}

/// The gradebook for Moodle, if the roster has a column by which Moodle finds a person.
///
/// The instructor maps the columns on Moodle's page: "Email Address" to "useremail", or "Id Number"
/// to "useridnumber", and the others to the assignment and its feedback. "Please include both
/// feedback and grades for the activity when mapping and importing grades via CSV. If both columns
/// are not included then all grades for that activity will be lost."
/// <https://docs.moodle.org/en/Grade_import>
fn moodle(roster: &Roster, assignment: &str, lines: &[Line<'_>]) -> Option<Vec<Vec<String>>> {
    const PEOPLE: [&str; 8] = [
        "first name",
        "last name",
        "surname",
        "username",
        "id number",
        "institution",
        "department",
        "email address",
    ];
    const KEYS: [&str; 3] = ["username", "id number", "email address"];
    roster.column(&KEYS)?;
    let is_person = |name: &String| PEOPLE.contains(&name.to_lowercase().as_str());
    let columns: Vec<usize> =
        (0..roster.head.len()).filter(|column| is_person(&roster.head[*column])).collect();
    let mut head: Vec<String> = columns.iter().map(|column| roster.head[*column].clone()).collect();
    head.extend([assignment.to_string(), format!("{assignment} (Feedback)")]);
    let mut table = vec![head];
    for (row, result) in lines {
        let mut line: Vec<String> =
            columns.iter().map(|column| roster.rows[*row][*column].clone()).collect();
        line.extend([points(result), feedback(result)]);
        table.push(line);
    }
    Some(table)
}

fn points(result: &Submission) -> String {
    result.gradebook_points().unwrap_or_default().to_string()
}

fn feedback(result: &Submission) -> String {
    let mut words = vec![format!("{} of {} points.", points(result), result.max_points)];
    if result.late == Some(true) {
        words.push("Handed in late.".to_string());
    }
    words.extend(result.manual.comment.clone());
    words.join(" ")
}
