//! `cargo checker guess` starts a faulty server and explains its fault.

mod common;

use checks::Check;

/// Names each row in turn until one is right.
#[test]
fn the_row_that_is_broken_is_explained() {
    let rows = checks::all().into_iter().filter(|check| check.exercise.name() == "echo");
    let rows: Vec<&Check> = rows.collect();
    let answers: String = (1..=rows.len()).map(|number| format!("{number}\n")).collect();
    let output = common::checker()
        .args(["guess", "--exercise", "echo", "--level", "1", "--seed", "7"])
        .write_stdin(format!("none\n{answers}"))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("ws://127.0.0.1:") && said.contains("of level 1"), "{said}");
    assert!(said.contains("Type the number of a row, from 1 to 12."), "{said}");
    assert!(said.contains("`--seed 7 --exercise echo --level 1` starts the same one"), "{said}");
    assert!(rows.iter().all(|row| said.contains(row.id)), "{said}");
    let (_, explained) = said.split_once("\nRight.\n").unwrap_or_else(|| panic!("{said}"));
    assert!(explained.contains("The conversation"), "{explained}");
}

#[test]
fn a_level_without_faults_is_a_wrong_command_line() {
    let output = common::checker().args(["guess", "--level", "6"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}
