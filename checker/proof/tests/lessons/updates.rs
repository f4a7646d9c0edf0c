//! The commands of `lessons/updates.md` keep a student's work.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::markdown::{Page, blocks, read};

/// Runs git without the settings of this machine.
fn git(folder: &Path, args: &str) -> bool {
    let person = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
    let words = shlex_words(args);
    let output = Command::new("git")
        .args(person)
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", folder.join("no-such-file"))
        .env("GIT_EDITOR", "true")
        .output()
        .expect("git runs");
    output.status.success()
}

/// Splits at spaces outside of double quotes.
fn shlex_words(text: &str) -> Vec<String> {
    let pieces = text.split('"').enumerate();
    let words = pieces.flat_map(|(place, piece)| match place % 2 {
        0 => piece.split_whitespace().map(str::to_string).collect(),
        _ => vec![piece.to_string()],
    });
    words.collect()
}

fn commands(number: usize) -> Vec<String> {
    let page = Page { name: "lessons/updates.md".into(), text: read("lessons/updates.md") };
    let block = blocks(&page).swap_remove(number);
    block.lines.iter().map(|line| line.trim_start_matches("$ git ").to_string()).collect()
}

/// Makes a course and a student's clone of it, in which echo is solved.
fn course(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (course, clone) = (folder.join("course"), folder.join("clone"));
    for exercise in ["echo", "heartbeat"] {
        fs::create_dir_all(course.join("day1").join(exercise)).expect("a folder");
        fs::write(course.join("day1").join(exercise).join("main.rs"), "// TODO 1\n").expect("it");
    }
    fs::write(course.join("lesson.md"), "old\n").expect("it is written");
    assert!(git(&course, "init -q -b main") && git(&course, "add -A"));
    assert!(git(&course, "commit -qm \"A course\""));
    assert!(git(folder, "clone -q course clone"));
    assert!(git(&clone, "config user.name a") && git(&clone, "config user.email a@localhost"));
    fs::write(clone.join("day1/echo/main.rs"), "solved\n").expect("it is written");
    (course, clone)
}

fn update(course: &Path, clone: &Path, exercise: &str) -> bool {
    fs::write(course.join("lesson.md"), "new\n").expect("it is written");
    fs::write(course.join("day1").join(exercise).join("main.rs"), "// TODO 1, new\n").expect("it");
    assert!(git(course, "commit -qam \"Change a lesson and a skeleton\""));
    let commands = commands(0);
    let (merge, before) = commands.split_last().expect("commands");
    assert!(before.iter().all(|command| git(clone, command)), "{commands:?}");
    git(clone, &format!("{merge} --no-edit"))
}

#[test]
fn an_update_keeps_what_is_solved() {
    let folder = tempfile::tempdir().expect("a folder");
    let (course, clone) = course(folder.path());
    let text = |file: &str| fs::read_to_string(clone.join(file)).expect("a file");
    assert!(update(&course, &clone, "heartbeat"));
    assert_eq!(text("day1/echo/main.rs").trim(), "solved");
    assert_eq!(text("day1/heartbeat/main.rs").trim(), "// TODO 1, new");
    assert_eq!(text("lesson.md").trim(), "new");
}

#[test]
fn an_update_of_the_same_skeleton_keeps_it_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (course, clone) = course(folder.path());
    let text = |file: &str| fs::read_to_string(clone.join(file)).expect("a file");
    assert!(!update(&course, &clone, "echo"), "git reports a conflict");
    assert!(commands(1).iter().all(|command| git(&clone, command)));
    assert_eq!(text("day1/echo/main.rs").trim(), "solved");
    assert_eq!(text("lesson.md").trim(), "new");
    assert!(git(&clone, "diff HEAD^2 -- day1"));
}
