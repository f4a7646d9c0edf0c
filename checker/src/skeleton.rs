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

/// Returns the ids of the checks that each TODO names, by its number.
pub fn todos(exercise: Exercise) -> BTreeMap<u32, Vec<String>> {
    let mut found: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in of(exercise).lines() {
        let Some(comment) = line.trim_start().strip_prefix("// ") else { continue };
        let number = comment.strip_prefix("TODO ").and_then(|rest| rest.split_once(':'));
        current = number.and_then(|(number, _)| number.parse().ok()).or(current);
        let Some(todo) = current else { continue };
        found.entry(todo).or_default().extend(listed(exercise, comment));
    }
    found
}

/// Returns the ids in a list at the end of a comment: `[echo::ping, close]`.
fn listed(exercise: Exercise, comment: &str) -> Vec<String> {
    let list = comment.strip_suffix(']').and_then(|comment| comment.rsplit_once('['));
    let names = list.into_iter().flat_map(|(_, list)| list.split(", "));
    let names = names.map(|name| name.rsplit("::").next().unwrap_or(name));
    names.map(|name| format!("{exercise}::{name}")).collect()
}

/// Reads the end of each TODO: a list `[echo::ping, close]` and a line `See lessons/…#…`.
fn headings(exercise: Exercise) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut ids: Vec<String> = Vec::new();
    for line in of(exercise).lines() {
        let Some(comment) = line.trim_start().strip_prefix("// ") else { continue };
        let list = listed(exercise, comment);
        if !list.is_empty() {
            ids = list;
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
        Some(part) => format!("## {}\n", without_html(part).trim_end()),
        None => without_html(&text),
    }
}

/// Removes comments and the tags of folded parts, which only a browser understands.
fn without_html(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("<!-- ") && *line != "</details>");
    let lines = lines.map(|line| line.replace("<details><summary>", "").replace("</summary>", ""));
    lines.map(|line| line + "\n").collect()
}
