//! The skeletons of the exercises, compiled in, so that a student's edits do not change them.

use std::collections::BTreeMap;
use std::fs;

use harness::exercise::Exercise;
use harness::server::build::workspace;

/// Returns the original `main.rs` of this exercise.
pub fn of(exercise: Exercise) -> &'static str {
    match exercise {
        Exercise::Echo => include_str!("../skeletons/echo.rs"),
        Exercise::Heartbeat => include_str!("../skeletons/heartbeat.rs"),
        Exercise::Broadcast => include_str!("../skeletons/broadcast.rs"),
    }
}

/// Returns the lesson of a check: page and heading from its TODO, or else the check's page.
pub fn lesson(id: &str) -> Option<String> {
    let check = checks::find(id)?;
    Some(headings(check.exercise).remove(id).unwrap_or_else(|| check.lesson.to_string()))
}

/// Reads the end of each TODO: a list `[echo::ping, close]` and a line `See lessons/…#…`.
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
                // Several TODOs may name a check. A student starts with the first.
                found.entry(id).or_insert_with(|| heading.to_string());
            }
        }
    }
    found
}

/// Returns the section of a lesson that `place` (`lessons/03-echo.md#the-first-message`) names.
///
/// Without a heading it returns the whole page, and nothing if the page cannot be read.
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
