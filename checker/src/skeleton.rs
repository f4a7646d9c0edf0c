//! The skeletons of the exercises, compiled in, so that a student's edits do not change them.

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
        Some(part) => format!("## {}\n", without_comments(part).trim_end()),
        None => without_comments(&text),
    }
}

/// Joins the lines of each paragraph and of each list item, so that they can be wrapped at any width.
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

/// Removes the lines that only the lessons' tests read, such as `<!-- excerpt: … -->`.
fn without_comments(text: &str) -> String {
    let is_comment = |line: &&str| line.starts_with("<!--") && line.ends_with("-->");
    text.lines().filter(|line| !is_comment(line)).map(|line| format!("{line}\n")).collect()
}
