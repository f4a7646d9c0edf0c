//! The list of a class's people, and the assignment of hand-ins to them.
//!
//! A gradebook that Canvas or Moodle exported is a roster as it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The file in the folder of results that keeps the roster for later runs.
pub(crate) const KEPT: &str = "roster.csv";

#[derive(Debug, Error)]
pub(crate) enum RosterError {
    #[error("--roster {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: csv::Error },
    #[error(
        "--roster {}: it needs a column `Name` or `Student`, or the two `First name` and \
         `Last name`; it has {found}",
        path.display()
    )]
    NoName { path: PathBuf, found: String },
    #[error(
        "--roster {}, line {line}: `{text}` is no time of hand-in; write it as \
         2026-11-30T23:59:00+01:00",
        path.display()
    )]
    NoTime { path: PathBuf, line: u64, text: String },
    #[error(
        "`{}` and `{}` are both hand-ins of {person}; leave one out, or name one in the roster's \
         column `submission`",
        .hand_ins.0, .hand_ins.1
    )]
    TwoHandIns { person: String, hand_ins: (String, String) },
    #[error(
        "`{hand_in}` may be of {} or of {}; name it in the roster's column `submission`",
        .people.0, .people.1
    )]
    TwoPeople { hand_in: String, people: (String, String) },
}

/// A person of the roster, as results name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// The first id that the roster has; empty if it has none.
    pub(crate) id: String,
}

/// A table of people with all its columns.
#[derive(Debug, Clone)]
pub(crate) struct Roster {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Names of columns, in lower case, as Canvas, Moodle and people write them.
mod column {
    pub(super) const SUBMISSION: &[&str] = &["submission", "hand-in"];
    pub(super) const SUBMITTED: &[&str] = &["submitted"];
    pub(super) const NAME: &[&str] = &["name", "student", "full name"];
    pub(super) const FIRST: &[&str] = &["first name", "firstname"];
    pub(super) const LAST: &[&str] = &["last name", "lastname", "surname"];
    pub(super) const CANVAS: &[&str] = &["id"];
    /// Ids that are unique in an institution, the best one first.
    pub(super) const IDS: &[&str] =
        &["sis user id", "id number", "sis login id", "username", "id", "email address", "email"];
    pub(super) const EMAIL: &[&str] = &["email address", "email"];
}

impl Roster {
    pub(crate) fn read(path: &Path) -> Result<Roster, RosterError> {
        let unreadable = |error| RosterError::Unreadable { path: path.to_path_buf(), error };
        let mut table = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(unreadable)?;
        let head = table.headers().map_err(unreadable)?.iter();
        // Excel begins a file with a byte order mark.
        let head: Vec<String> =
            head.map(|name| name.trim_start_matches('\u{feff}').to_string()).collect();
        let mut roster = Roster { head, rows: Vec::new() };
        let names = [column::NAME, column::LAST];
        if !names.iter().any(|names| roster.column(names).is_some()) {
            let found = roster.head.join(", ");
            return Err(RosterError::NoName { path: path.to_path_buf(), found });
        }
        for record in table.records() {
            let record = record.map_err(unreadable)?;
            let line = record.position().map_or(0, csv::Position::line);
            let mut row: Vec<String> = record.iter().map(String::from).collect();
            row.resize(roster.head.len(), String::new());
            // Canvas exports a line of points, and one of muted assignments.
            let first = row.first().map(String::as_str).unwrap_or_default();
            if first.is_empty() || first.contains("Points Possible") {
                continue;
            }
            roster.rows.push(row);
            let last = roster.rows.len() - 1;
            if let (text, Some(Err(_))) = (roster.get(last, column::SUBMITTED), roster.time(last)) {
                let text = text.to_string();
                return Err(RosterError::NoTime { path: path.to_path_buf(), line, text });
            }
        }
        Ok(roster)
    }

    /// The roster that an earlier run kept in this folder of results.
    pub(crate) fn kept(out: &Path) -> Result<Option<Roster>, RosterError> {
        let path = out.join(KEPT);
        if path.exists() { Roster::read(&path).map(Some) } else { Ok(None) }
    }

    /// Returns the index of the first column with one of these names.
    pub(crate) fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.head.iter().position(|head| head.to_lowercase() == *name))
    }

    fn get(&self, row: usize, names: &[&str]) -> &str {
        self.column(names).map_or("", |column| &self.rows[row][column])
    }

    fn time(&self, row: usize) -> Option<Result<Timestamp, jiff::Error>> {
        Some(self.get(row, column::SUBMITTED)).filter(|text| !text.is_empty()).map(str::parse)
    }

    /// The time of hand-in that the roster names.
    pub(crate) fn submitted(&self, row: usize) -> Option<Timestamp> {
        self.time(row)?.ok()
    }

    pub(crate) fn person(&self, row: usize) -> Person {
        let id = column::IDS.iter().map(|name| self.get(row, &[name])).find(|id| !id.is_empty());
        // People choose their names on many platforms.
        let clean = |text: &str| crate::text::line(text, 200);
        Person { name: clean(&self.name(row)), id: clean(id.unwrap_or_default()) }
    }

    fn name(&self, row: usize) -> String {
        match self.get(row, column::NAME) {
            "" => format!("{} {}", self.get(row, column::FIRST), self.get(row, column::LAST)),
            name => name.to_string(),
        }
    }

    /// Assigns the hand-ins, given as names and file names, to rows.
    pub(crate) fn assign<'a>(
        &self,
        hand_ins: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<BTreeMap<String, usize>, RosterError> {
        let mut assigned: BTreeMap<String, usize> = BTreeMap::new();
        let mut by_row: BTreeMap<usize, &str> = BTreeMap::new();
        for (name, file) in hand_ins {
            let Some(row) = self.find(name, file)? else { continue };
            if let Some(other) = by_row.insert(row, name) {
                let hand_ins = (other.to_string(), name.to_string());
                return Err(RosterError::TwoHandIns { person: self.name(row), hand_ins });
            }
            assigned.insert(name.to_string(), row);
        }
        Ok(assigned)
    }

    /// Finds the row of a hand-in: by the column `submission`, then by what a platform writes into
    /// the name of a file, then by an id or a name that is the file's name.
    pub(crate) fn find(&self, name: &str, file: &str) -> Result<Option<usize>, RosterError> {
        let keys = Keys::of(name, file);
        let ways: [&dyn Fn(usize) -> bool; 3] = [
            &|row| {
                let wanted = self.get(row, column::SUBMISSION);
                !wanted.is_empty() && [name, file].contains(&wanted)
            },
            &|row| match (&keys.canvas_id, &keys.moodle_name) {
                (Some(id), _) => self.get(row, column::CANVAS) == id,
                (None, Some(name)) => self.is_named(row, name),
                (None, None) => false,
            },
            &|row| self.is_named(row, &keys.stem) || self.has_id(row, &keys.stem),
        ];
        for way in ways {
            let rows: Vec<usize> = (0..self.rows.len()).filter(|row| way(*row)).collect();
            match rows[..] {
                [] => {}
                [row] => return Ok(Some(row)),
                [one, other, ..] => {
                    let people = (self.describe(one), self.describe(other));
                    return Err(RosterError::TwoPeople { hand_in: file.to_string(), people });
                }
            }
        }
        Ok(None)
    }

    fn describe(&self, row: usize) -> String {
        let Person { name, id } = self.person(row);
        if id.is_empty() { name } else { format!("{name} ({id})") }
    }

    /// Returns whether a person has this name, as `First Last` or as `Last, First`.
    fn is_named(&self, row: usize, name: &str) -> bool {
        let normal = |name: &str| {
            let name = name.to_lowercase();
            match name.split_once(',') {
                Some((last, first)) => format!("{} {}", first.trim(), last.trim()),
                None => name.split_whitespace().collect::<Vec<_>>().join(" "),
            }
        };
        normal(&self.name(row)) == normal(name)
    }

    fn has_id(&self, row: usize, id: &str) -> bool {
        let local_part = self.get(row, column::EMAIL).split('@').next().unwrap_or_default();
        let ids = column::IDS.iter().map(|name| self.get(row, &[name]));
        ids.chain([local_part]).any(|own| !own.is_empty() && own.eq_ignore_ascii_case(id))
    }
}

/// The facts in the name of a hand-in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Keys {
    /// The name without the ending of an archive.
    stem: String,
    canvas_id: Option<String>,
    moodle_name: Option<String>,
    /// Canvas marks it as late.
    pub(crate) late: bool,
}

impl Keys {
    /// Canvas names a file `lovelaceada_LATE_123_456_project.zip`, where 123 is the column `ID` of
    /// its gradebook. Moodle names a folder `Ada Lovelace_123_assignsubmission_file_`, where 123 is
    /// no id that its gradebook has.
    pub(crate) fn of(name: &str, file: &str) -> Keys {
        let stem = file.strip_suffix(crate::args::archive_ending(file)).unwrap_or(name).to_string();
        let parts: Vec<&str> = stem.split('_').collect();
        let is_number = |part: &&str| part.parse::<u64>().is_ok();
        let late = parts.get(1) == Some(&"LATE");
        let numbers = parts.get(1 + usize::from(late)..).unwrap_or_default();
        let is_canvas = numbers.len() > 2 && numbers[..2].iter().all(is_number);
        let moodle_name = stem.split_once("_assignsubmission_").and_then(|(before, _)| {
            let (name, number) = before.rsplit_once('_')?;
            is_number(&number).then(|| name.to_string())
        });
        Keys {
            canvas_id: is_canvas.then(|| numbers[0].to_string()),
            late: late && is_canvas,
            moodle_name,
            stem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, Roster};

    #[test]
    fn names_of_platforms_are_read() {
        let canvas = Keys::of("", "student07_LATE_123_456_project-1.zip");
        assert_eq!((canvas.canvas_id.as_deref(), canvas.late), (Some("123"), true));
        let moodle = Keys::of("", "Student O_Seven_99_assignsubmission_file_");
        assert_eq!(moodle.moodle_name.as_deref(), Some("Student O_Seven"));
        let plain = Keys::of("student_07", "student_07.tar.gz");
        assert_eq!((plain.canvas_id, plain.moodle_name), (None, None));
        assert_eq!(plain.stem, "student_07");
    }

    #[test]
    fn a_name_of_two_people_is_refused() {
        let rows = vec![vec!["Seven, Student".into(), "1".into()]];
        let mut roster = Roster { head: vec!["Student".into(), "ID".into()], rows };
        let find = |roster: &Roster| roster.find("student seven", "student seven.zip");
        assert_eq!(find(&roster).expect("one"), Some(0));
        roster.rows.push(vec!["Student Seven".into(), "2".into()]);
        let refused = find(&roster).expect_err("two").to_string();
        assert!(refused.contains("Seven, Student (1) or of Student Seven (2)"), "{refused}");
    }
}
