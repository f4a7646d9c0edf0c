//! The exercises as they are on a fresh clone, kept where no student edits them.

use std::collections::BTreeMap;
use std::fs;

use harness::exercise::Exercise;
use harness::server::build::workspace;

/// The untouched `main.rs` of this exercise.
pub fn of(exercise: Exercise) -> &'static str {
    match exercise {
        Exercise::Echo => include_str!("../skeletons/echo.rs"),
        Exercise::Heartbeat => include_str!("../skeletons/heartbeat.rs"),
        Exercise::Broadcast => include_str!("../skeletons/broadcast.rs"),
    }
}

/// Where the lessons speak of this check: the page with the heading that its TODO names, if it has a TODO, or else
/// the page that the check names.
pub fn lesson(id: &str) -> Option<String> {
    let check = checks::find(id)?;
    Some(headings(check.exercise).remove(id).unwrap_or_else(|| check.lesson.to_string()))
}

/// A TODO ends with `[echo::ping, close]` and a line `See lessons/…#…`; this reads both.
fn headings(exercise: Exercise) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut ids: Vec<String> = Vec::new();
    for line in of(exercise).lines() {
        let Some(comment) = line.trim_start().strip_prefix("// ") else { continue };
        if let Some(list) = comment.strip_suffix(']').and_then(|comment| comment.rsplit_once('[')) {
            let names = list.1.split(", ").map(|name| name.rsplit("::").next().unwrap_or(name));
            ids = names.map(|name| format!("{exercise}::{name}")).collect();
        }
        if let Some(heading) = comment.strip_prefix("See ") {
            for id in ids.drain(..) {
                // The first TODO that names a check is where its author begins.
                found.entry(id).or_insert_with(|| heading.to_string());
            }
        }
    }
    found
}

/// The part of a lesson below the heading that `place` (`lessons/03-echo.md#the-first-message`) names, as Markdown; the
/// whole page if it names none, and nothing if the page can't be read.
pub fn section(place: &str) -> String {
    let (page, anchor) = place.split_once('#').unwrap_or((place, ""));
    let text = fs::read_to_string(workspace().join(page)).unwrap_or_default();
    let mut parts = text.split("\n## ");
    let slug =
        |part: &str| part.lines().next().unwrap_or_default().to_lowercase().replace(' ', "-");
    match parts.find(|part| slug(part) == anchor) {
        Some(part) => format!("## {}\n", part.trim_end()),
        None => text,
    }
}
