//! A student's path through the day in a real terminal: untouched, one TODO, a mistake, a hint,
//! green.
//!
//! The student's edits are patches on the skeletons, in `student/`. To accept new snapshots:
//! `INSTA_UPDATE=always cargo test -p proof --test student`, and read the difference.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use checker::skeleton;
use common::terminal::Terminal;
use common::workbook::Workbook;
use harness::exercise::Exercise;
use insta::{Settings, assert_snapshot};

/// Copies of the workbook share a target folder, so the tests run one after the other.
static TURN: Mutex<()> = Mutex::new(());
/// The number of rounds that a busy machine may fail to judge.
const TRIES: u32 = 6;

fn redacted() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // The order of clients that speak at the same time differs from run to run.
    settings.add_filter(r"(?m)^The conversation .*\n(.+\n)+", "[the conversation]\n");
    settings.add_filter(r"(?m)^The server printed last\n(.+\n)+", "[what the server printed]\n");
    settings.add_filter(r": client \d+: ", ": client N: ");
    // A busy machine repeats a round, and a repeated round shows no time since the save.
    settings.add_filter(r"(?m)^round \d+: .*$", "round [n]: [times]");
    settings.add_filter(r"\b\d+ ms", "[n] ms");
    settings
}

/// Returns the number of the last complete round.
fn round(screen: &str) -> Option<u32> {
    let (_, rest) = screen.rsplit_once("round ")?;
    rest.split(':').next()?.parse().ok()
}

/// Returns the screen after the next round in which everything was judged.
fn judged(terminal: &mut Terminal, after: u32) -> (u32, String) {
    let mut last = after;
    for _ in 0..TRIES {
        let ended = |screen: &str| {
            round(screen).is_some_and(|round| round > last) && screen.contains("q quit")
        };
        let screen = terminal.wait_for("verdict", ended);
        last = round(&screen).expect("it was there");
        if !screen.contains("  unknown  ") {
            return (last, screen);
        }
        eprintln!("this machine is too busy, so once more:\n{screen}");
        terminal.press('r');
    }
    panic!("this machine was too busy {TRIES} times")
}

fn patched(text: &str, exercise: Exercise, step: &str) -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("student/{exercise}/{step}.patch"));
    let patch =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let patch = diffy::Patch::from_str(&patch).expect("a patch");
    diffy::apply(text, &patch).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Follows the path through one exercise. `mistake` is the check that finds the mistake.
fn way(exercise: Exercise, mistake: &str) -> String {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let workbook = Workbook::copy();
    let mut terminal =
        Terminal::open(&workbook, &["watch", exercise.name(), "--seed", "1"], 60, 100);
    let mut shown = Vec::new();
    let mut show = |title: &str, screen: &str| {
        let screen = screen.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        shown.push(format!("=== {title}\n{}\n", screen.trim_end()));
    };
    let (mut last, screen) = judged(&mut terminal, 0);
    show("untouched", &screen);
    let mut text = skeleton::of(exercise).to_string();
    for (step, title) in
        [("1-one-todo", "the first TODO"), ("2-mistake", "a mistake"), ("3-mended", "mended")]
    {
        text = patched(&text, exercise, step);
        workbook.write(exercise, &text);
        let (round, screen) = judged(&mut terminal, last);
        last = round;
        show(title, &screen);
        let times = screen.lines().find(|line| line.starts_with("round "));
        println!("{exercise}, {title}: {}", times.unwrap_or_default());
        if step == "2-mistake" {
            assert!(
                screen.starts_with(mistake),
                "it is not {mistake} that finds the mistake:\n{screen}"
            );
            for key in 1..=2 {
                terminal.press('h');
                let hint = format!("{mistake}: hint {key} of");
                let screen = terminal.wait_for("hint", |screen| {
                    screen.starts_with(&hint) && screen.contains("q quit")
                });
                show(&format!("h, hint {key}"), &screen);
            }
        }
        if step == "3-mended" {
            assert!(screen.contains("  done"), "{screen}");
        }
    }
    terminal.press('q');
    assert_eq!(terminal.end(), 0);
    shown.join("\n")
}

#[test]
fn echo() {
    redacted().bind(|| assert_snapshot!("student_echo", way(Exercise::Echo, "echo::close")));
}

#[test]
fn heartbeat() {
    redacted().bind(|| {
        assert_snapshot!("student_heartbeat", way(Exercise::Heartbeat, "heartbeat::chatter"))
    });
}

#[test]
fn broadcast() {
    redacted().bind(|| {
        assert_snapshot!("student_broadcast", way(Exercise::Broadcast, "broadcast::everyone"))
    });
}
