//! `cargo checker grade` tells a student the next step.

mod common;

use std::fs;
use std::sync::{Mutex, MutexGuard};

use checker::skeleton;
use common::workbook::Workbook;
use harness::exercise::{Exercise, Target};

/// Copies of the workbook share a target folder, so the tests run one after the other.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Returns a workbook with a finished echo exercise.
fn with_echo() -> Workbook {
    let workbook = Workbook::copy();
    let finished = workbook.root().join(Exercise::Echo.source(Target::Solutions));
    workbook.write(Exercise::Echo, &fs::read_to_string(finished).expect("the solution"));
    workbook
}

#[test]
fn the_first_unfinished_exercise_is_told_and_the_rest_in_a_line() {
    let _turn = turn();
    let workbook = with_echo();
    let (code, said) = workbook.call(&["grade"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("echo       ████████████ 12 of 12  done"), "{said}");
    assert!(said.contains("heartbeat  ░░░░░░░░░░░░  0 of 11  not started"), "{said}");
    assert!(said.contains("broadcast  ░░░░░░░░░░░░  0 of 10  not started"), "{said}");
    assert!(said.contains("\nheartbeat::echo  Exercise heartbeat is not started yet.\n"), "{said}");
    assert!(!said.contains("broadcast::welcome"), "one thing at a time: {said}");
    assert!(said.contains("edit       day1/heartbeat/src/main.rs"), "{said}");
    let (code, all) = workbook.call(&["grade", "--all"]);
    assert_eq!(code, 1, "{all}");
    assert!(all.contains("\nheartbeat::echo  ") && all.contains("\nbroadcast::welcome  "), "{all}");

    // The remembered result is not used for another source.
    let (_, list) = workbook.call(&["list", "echo"]);
    assert!(list.contains("19 of 19 points") && !list.contains("changed"), "{list}");
    workbook.write(Exercise::Echo, skeleton::of(Exercise::Echo));
    let (_, list) = workbook.call(&["list", "echo"]);
    assert!(list.contains("changed since it was graded"), "{list}");
    // The next hint is for an open exercise.
    let (_, hint) = workbook.call(&["hint"]);
    assert!(hint.starts_with("heartbeat::echo: hint 1"), "{hint}");
}

#[test]
fn a_program_that_does_not_compile_is_one_failure() {
    let _turn = turn();
    let workbook = with_echo();
    workbook.write(Exercise::Heartbeat, "fn main() { let answer: u32 = \"42\"; }");
    let (code, said) = workbook.call(&["grade"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("0 of 11  does not compile"), "{said}");
    assert_eq!(said.matches("error[E0308]").count(), 1, "rustc's own words, once: {said}");
    assert!(
        said.contains("next       Fix the first error in day1/heartbeat/src/main.rs"),
        "{said}"
    );
}

/// Other formats and exit codes contain everything.
#[test]
fn json_has_every_check() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let output = workbook.checker(&["grade", "--format", "json"]).output().expect("it runs");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(common::outcomes(&result).len(), 33, "{result:#}");
    assert_eq!(
        (output.status.code(), &result["totals"]["failed"]),
        (Some(1), &3.into()),
        "{result:#}"
    );
}

/// A server without output: only the time is shown.
#[cfg(unix)]
#[test]
fn a_slow_check_shows_that_it_moves() {
    let workbook = Workbook::copy();
    let server = common::museum("--process", "hang");
    let terminal = common::terminal::Terminal::open(
        &workbook,
        &["grade", "echo", "--command", &server],
        60,
        100,
    );
    terminal
        .wait_for("first second", |screen| screen.contains("waiting for echo::handshake … 1 s"));
    terminal
        .wait_for("second second", |screen| screen.contains("waiting for echo::handshake … 2 s"));
    terminal.wait_for("verdict", |screen| screen.contains("never printed its ready line"));
    assert_eq!(terminal.end(), 1);
}
