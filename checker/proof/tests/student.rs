//! A student's way through the day, as a real terminal shows it: untouched, one TODO, a typical mistake, a hint, green.
//!
//! What the student saves is in `student/`, as patches on the skeletons. To take down a new way:
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

/// All copies of the workbook build into one folder, so one at a time.
static TURN: Mutex<()> = Mutex::new(());
/// How often a busy machine may fail to judge.
const TRIES: u32 = 6;

fn redacted() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    // Which clients speak side by side, and what of it is seen first, differs from run to run.
    settings.add_filter(r"(?m)^The conversation .*\n(.+\n)+", "[the conversation]\n");
    settings.add_filter(r"(?m)^The server printed last\n(.+\n)+", "[what the server printed]\n");
    settings.add_filter(r": client \d+: ", ": client N: ");
    // On a busy machine a round is repeated, and a repeated one is not timed from a save.
    settings.add_filter(r"(?m)^round \d+: .*$", "round [n]: [times]");
    settings.add_filter(r"\b\d+ ms", "[n] ms");
    settings
}

/// The number of the last round that came to its end.
fn round(screen: &str) -> Option<u32> {
    let (_, rest) = screen.rsplit_once("round ")?;
    rest.split(':').next()?.parse().ok()
}

/// The screen after the next round, and after as many more as it takes to judge everything.
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

/// The way to the third green exercise, of which this is one third. `mistake` is the check that finds the mistake.
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
