//! The lessons and the hints number the TODOs as the skeletons do.

use checker::skeleton::todos;
use harness::exercise::Exercise;

use crate::ids;
use crate::markdown::{Page, names, read};

fn number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// A check that needs a later TODO as well may stand in the later one's row.
#[test]
fn the_tables_have_the_todos_of_the_skeletons() {
    for exercise in Exercise::ALL {
        let text = read(exercise.lesson());
        let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
        let rows = rows.filter(|row| number(row).is_some());
        let rows: Vec<(Vec<u32>, Vec<String>)> = rows
            .filter_map(|row| {
                let (todos, checks) = row.split_once('|')?;
                let checks = Page { name: String::new(), text: checks.to_string() };
                Some((todos.split([' ', ',']).filter_map(number).collect(), ids(&checks)))
            })
            .collect();
        let todos = todos(exercise);
        let listed: Vec<u32> = rows.iter().flat_map(|(numbers, _)| numbers.clone()).collect();
        assert_eq!(listed, todos.keys().copied().collect::<Vec<_>>(), "{}", exercise.lesson());
        for (todo, ids) in &todos {
            assert!(!ids.is_empty(), "{exercise}: TODO {todo} names no check");
            for id in ids {
                let mut later = rows.iter().filter(|(numbers, _)| numbers.last() >= Some(todo));
                let found = later.any(|(_, named)| named.contains(id));
                assert!(found, "{}: {id} is not in the row of TODO {todo}", exercise.lesson());
            }
        }
    }
}

#[test]
fn a_hint_begins_with_a_todo_that_names_its_check() {
    let mut count = 0;
    for check in checks::all() {
        let todos = todos(check.exercise);
        for rung in check.hints() {
            for named in names(&rung, "TODO ", |c| c.is_ascii_digit()).filter_map(number) {
                assert!(todos.contains_key(&named), "{}: {rung}", check.id);
            }
            let Some(todo) = rung.strip_prefix("TODO ").and_then(number) else { continue };
            assert!(todos[&todo].iter().any(|id| id == check.id), "{}: {rung}", check.id);
            count += 1;
        }
    }
    assert!(count > 10, "{count} hints only");
}
