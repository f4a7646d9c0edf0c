//! The files of a class: the table, the results in one, the page.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use anyhow::Context;
use harness::exercise::Exercise;
use serde::{Deserialize, Serialize};

use crate::files::whole;
use crate::model::{Status, Submission};
use crate::overview::{Category, Overview, People};
use crate::pages;
use crate::roster::Person;
use crate::similarity::Alike;

/// All results of a class.
#[derive(Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) overview: Overview,
    pub(crate) results: Vec<Submission>,
}

impl Class {
    /// Reads the results in this folder.
    pub(crate) fn read(out: &Path) -> anyhow::Result<Class> {
        let file = out.join("results.json");
        let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| file.display().to_string())
    }
}

/// Writes the files of the class.
pub(crate) fn write(
    out: &Path,
    results: &[Submission],
    alike: Alike,
    people: Option<People>,
) -> io::Result<Overview> {
    let overview = Overview::of(results, alike, people);
    whole(&out.join("results.csv"), csv(results)?)?;
    whole(&out.join("index.html"), pages::class(results, &overview))?;
    let class = Class { overview, results: results.to_vec() };
    let text = serde_json::to_string_pretty(&class).map_err(io::Error::other)?;
    whole(&out.join("results.json"), text + "\n")?;
    Ok(class.overview)
}

/// The columns of the table before the points of each exercise and the verdict on each check.
const COLUMNS: [&str; 18] = [
    "submission",
    "hand_in",
    "name",
    "id",
    "status",
    "category",
    "reason",
    "submitted",
    "late",
    "points",
    "max_points",
    "points_by_checks",
    "comment",
    "passed",
    "failed",
    "blocked",
    "unknown",
    "same_as",
];

/// A table with a line for each submission: its points, and the verdict on each check.
pub(crate) fn csv(results: &[Submission]) -> io::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    let ids: Vec<&str> = checks::all().iter().map(|check| check.id).collect();
    let exercises = Exercise::ALL.map(|exercise| format!("{exercise}_points"));
    let head = COLUMNS.into_iter().chain(exercises.iter().map(String::as_str));
    table.write_record(head.chain(ids.iter().copied())).map_err(io::Error::other)?;
    for result in results {
        let mut row = columns(result);
        for exercise in Exercise::ALL {
            let found = result.exercises.iter().find(|one| one.name == exercise.name());
            row.push(found.map(|one| one.points().to_string()).unwrap_or_default());
        }
        let outcome = |id: &&str| {
            result.checks().find(|check| check.id == *id).map(|check| check.outcome.clone())
        };
        row.extend(ids.iter().map(|id| outcome(id).unwrap_or_default()));
        table.write_record(&row).map_err(io::Error::other)?;
    }
    table.into_inner().map_err(|error| io::Error::other(error.to_string()))
}

/// The cells of [`COLUMNS`].
fn columns(result: &Submission) -> Vec<String> {
    let text = |text: &str| escape_formula(text);
    let optional = |text: &Option<String>| escape_formula(text.as_deref().unwrap_or_default());
    let person = |part: fn(&Person) -> &String| {
        result.person.as_ref().map(|person| escape_formula(part(person))).unwrap_or_default()
    };
    let totals = result.totals;
    vec![
        text(&result.name),
        text(&result.hand_in),
        person(|person| &person.name),
        person(|person| &person.id),
        result.status.name().to_string(),
        Category::of(result).name().to_string(),
        optional(&result.reason),
        result.submitted.clone().unwrap_or_default(),
        result
            .late
            .map(|late| if late { "late" } else { "in time" }.to_string())
            .unwrap_or_default(),
        result.final_points().to_string(),
        result.max_points.to_string(),
        result.points.to_string(),
        optional(&result.manual.comment),
        totals.passed.to_string(),
        totals.failed.to_string(),
        totals.blocked.to_string(),
        totals.unknown.to_string(),
        optional(&result.same_as),
    ]
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
    let late = results.iter().filter(|result| result.late == Some(true)).count();
    if late > 0 {
        lines.push(format!("{late} came late."));
    }
    if let Some(people) = &overview.people {
        for (words, names) in [
            ("Without a hand-in", &people.without_hand_in),
            ("Not in the roster", &people.not_in_roster),
        ] {
            if !names.is_empty() {
                lines.push(format!("{words}: {}", names.join(", ")));
            }
        }
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
    let falls_short =
        |result: &Submission| fail_under.is_some_and(|least| result.final_points() < least);
    match results {
        results if results.iter().any(Submission::is_open) => 3,
        results if results.iter().any(falls_short) => 1,
        _ => 0,
    }
}
