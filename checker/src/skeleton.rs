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

/// Joins the lines of each paragraph and of each list item, so that they can be wrapped at
/// any width.
pub fn reflow(markdown: &str) -> String {
    let mut out = String::new();
    let mut is_code = false;
    let mut is_open = false;
    for line in markdown.lines() {
        let trimmed = line.trim();
        let is_fence = trimmed.starts_with("```");
        let begins_block = trimmed.starts_with(['#', '|', '>'])
            || ["- ", "* "].iter().any(|item| trimmed.starts_with(item))
            || trimmed.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
        let goes_on = is_open && !is_code && !is_fence && !begins_block && !trimmed.is_empty();
        if goes_on {
            out.pop();
            out.push(' ');
            out.push_str(trimmed);
        } else {
            out.push_str(line);
        }
        out.push('\n');
        is_code ^= is_fence;
        is_open = !is_code && !is_fence && !trimmed.is_empty() && !trimmed.starts_with(['#', '|']);
    }
    out
}

/// Removes comments and the tags of folded parts, which only a browser understands.
fn without_html(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("<!-- ") && *line != "</details>");
    let lines = lines.map(|line| line.replace("<details><summary>", "").replace("</summary>", ""));
    lines.map(|line| line + "\n").collect()
}
