//! *If it stays red*: the lessons quote the failures of deliberate mistakes.

use crate::common::{check, graded, museum};
use crate::markdown::{Page, kebab, lessons, names};
use crate::{commands, faults};

/// The deliberate mistakes of the pages: the graded check and the fault.
fn mistakes(page: &Page) -> Vec<(String, String)> {
    let mistake = |command: String| {
        let fault = names(&command, "--fault ", kebab).next()?.to_string();
        let check =
            command.split_whitespace().skip_while(|word| *word != "grade").nth(1)?.to_string();
        Some((check, fault))
    };
    commands(page).into_iter().filter_map(mistake).collect()
}

/// Returns the messages of this check that a page quotes in italics.
fn quotes<'a>(page: &'a Page, check: &str) -> Vec<&'a str> {
    let item = format!("- `{check}`: ");
    let items = page.text.split("\n").filter_map(|line| line.strip_prefix(item.as_str()));
    items
        .flat_map(|line| line.split('*').skip(1).step_by(2))
        .map(|quote| quote.trim_end_matches('.'))
        .collect()
}

/// The page names the check that finds the mistake, and not only in passing.
#[test]
fn mistakes_are_found_by_the_check_that_the_lesson_names() {
    let faults = faults();
    let mut count = 0;
    for page in &lessons() {
        for (check, name) in mistakes(page) {
            let fault = faults
                .iter()
                .find(|fault| fault.name == name)
                .unwrap_or_else(|| panic!("no {name}"));
            assert_eq!(fault.violates[0], check, "{}: {name}", page.name);
            count += 1;
        }
    }
    assert!(count >= 10, "{count} mistakes only");
}

/// A search for the words of a failure finds them in the lesson.
#[test]
fn the_complaint_is_the_one_that_the_lesson_quotes() {
    let mut count = 0;
    for page in &lessons() {
        for (id, fault) in mistakes(page) {
            let quotes = quotes(page, &id);
            if quotes.is_empty() {
                continue;
            }
            count += 1;
            let (_, result) = graded(&[&id, "--command", &museum("--fault", &fault)]);
            let found = check(&result, &id);
            assert_eq!(found["outcome"], "failed", "{}: {fault}: {result}", page.name);
            let said = found["summary"].as_str().expect("a sentence");
            assert!(
                quotes.iter().any(|quote| said.contains(quote)),
                "{}: {fault}: {said}: {quotes:?}",
                page.name
            );
        }
    }
    assert!(count >= 9, "{count} mistakes only");
}
