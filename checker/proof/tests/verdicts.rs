//! Output for students, instructors and build machines.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use common::workbook::Workbook;
use common::{check, checker, graded, outcomes};
use harness::exercise::Exercise;
use harness::server::build;
use serde_json::Value;

fn of<'a>(outcomes: &'a [(String, String)], wanted: &str) -> Vec<&'a str> {
    outcomes.iter().filter(|(_, outcome)| outcome == wanted).map(|(id, _)| id.as_str()).collect()
}

#[test]
fn solutions_pass_every_check() {
    let (code, result) = graded(&["--target", "solutions"]);
    let outcomes = outcomes(&result);
    assert_eq!(of(&outcomes, "passed").len(), checks::all().len(), "{result:#}");
    assert_eq!(code, 0);
}

/// An untouched exercise gives one failure, "not started". An exercise that does not compile gives
/// one failure with rustc's words. Other exercises are not affected.
#[test]
fn untouched_and_broken_exercises_are_one_failure_each() {
    // A copy, since the student may have edited the exercises.
    let workspace = Workspace::new();
    let (code, result) = workspace.grade(&[]);
    let untouched = outcomes(&result);
    assert_eq!(
        of(&untouched, "failed"),
        ["echo::handshake", "heartbeat::echo", "broadcast::welcome"],
        "{result:#}"
    );
    assert!(
        of(&untouched, "unknown").is_empty() && of(&untouched, "passed").is_empty(),
        "{result:#}"
    );
    for id in of(&untouched, "failed") {
        let check = check(&result, id);
        assert!(
            check["summary"]
                .as_str()
                .is_some_and(|summary| summary.ends_with("is not started yet.")),
            "{check:#}"
        );
        assert!(check["hint"].as_str().is_some_and(|hint| hint.contains("TODO 1")), "{check:#}");
    }
    assert_eq!(code, 1);

    let source = workspace.path("day1/heartbeat/src/main.rs");
    let text = fs::read_to_string(&source).expect("the skeleton");
    fs::write(&source, text + "\nfn broken() -> u32 { \"not a number\" }\n").expect("written");
    fs::copy(workspace.path("solutions/echo/src/main.rs"), workspace.path("day1/echo/src/main.rs"))
        .expect("copied");
    let (code, result) = workspace.grade(&["echo", "heartbeat"]);
    let broken = outcomes(&result);
    assert_eq!(of(&broken, "failed"), ["heartbeat::echo"], "{result:#}");
    let got = check(&result, "heartbeat::echo")["got"].as_str().unwrap_or_default();
    assert!(got.contains("mismatched types") && got.contains("main.rs"), "{got}");
    assert!(of(&broken, "passed").iter().all(|id| id.starts_with("echo::")));
    assert_eq!(of(&broken, "passed").len(), 12, "{result:#}");
    assert_eq!(code, 1);
}

/// The first command of the README ends as the README shows, and accepts the options of test
/// runners.
#[test]
fn the_students_command_says_so_too() {
    let workbook = Workbook::copy();
    let (code, stdout, _) = tested(&workbook, &[]);
    let readme = fs::read_to_string(build::workspace().join("README.md"))
        .expect("there is one")
        .replace("\r\n", "\n");
    let (_, ending) = readme.split_once("```text\n").expect("the README shows how it ends");
    let (ending, _) = ending.split_once("```").expect("and nothing more");
    assert_eq!(code, 101);
    assert!(stdout.ends_with(ending), "{stdout}");

    let (code, stdout, _) = tested(&workbook, &["--list", "--format", "terse"]);
    assert_eq!((code, stdout.lines().count()), (0, checks::all().len()), "{stdout}");
    assert_eq!(
        tested(&workbook, &["--list", "--format", "terse", "--ignored"]),
        (0, String::new(), String::new())
    );
    for (options, complaint) in [
        (&["no::such"][..], "no check's name contains `no::such`"),
        (&["--ignored"], "`--ignored` leaves no check to run"),
        (&["echo::close", "--skip", "close"], "`--skip` leaves no check to run"),
    ] {
        let (code, _, stderr) = tested(&workbook, options);
        assert!(code == 2 && stderr.contains(complaint), "{code} {stderr}");
    }

    let solution = workbook.root().join("solutions/echo/src/main.rs");
    workbook.write(Exercise::Echo, &fs::read_to_string(solution).expect("there is one"));
    let (code, stdout, _) = tested(&workbook, &["echo::close", "--exact", "--nocapture"]);
    assert!(code == 0 && stdout.contains("6 of 6 checks passed."), "{stdout}");
}

/// A copy of the workspace's sources, with the skeletons as committed.
struct Workspace {
    root: tempfile::TempDir,
}

impl Workspace {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let ours = build::workspace();
        for name in ["Cargo.toml", "Cargo.lock", "day1", "solutions", "checker"] {
            copy(&ours.join(name), &root.path().join(name));
        }
        // In a Git checkout the skeletons come from the last commit.
        for exercise in Exercise::ALL {
            let file = format!("day1/{exercise}/src/main.rs");
            let committed = Command::new("git")
                .args(["show", &format!("HEAD:{file}")])
                .current_dir(&ours)
                .output();
            if let Ok(committed) = committed
                && committed.status.success()
            {
                fs::write(root.path().join(&file), committed.stdout).expect("written");
            }
        }
        Workspace { root }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.root.path().join(file)
    }

    fn grade(&self, args: &[&str]) -> (i32, Value) {
        let target = build::workspace().join("target/proof");
        let output = checker()
            .arg("grade")
            .args(args)
            .args(["--format", "json"])
            .env("CARGO_MANIFEST_DIR", self.path("checker"))
            // Other tests run the programs in the workspace's own target folder.
            .env("CARGO_TARGET_DIR", target)
            .output()
            .expect("it runs");
        let result = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
        (output.status.code().expect("it is not killed"), result)
    }
}

/// Runs `cargo test -p checker -- OPTIONS` in this copy. Returns its exit code and output.
fn tested(workbook: &Workbook, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(&*TESTS_OF_THE_STUDENT);
    let output =
        command.args(args).env("CHECKER_SEED", "123456").envs(workbook.environment()).output();
    let output = output.expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code().expect("it is not killed"), text(output.stdout), text(output.stderr))
}

/// Returns the program that `cargo test -p checker` runs.
static TESTS_OF_THE_STUDENT: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut cargo = Command::new(build::cargo());
    cargo.args(["test", "--no-run", "-p", "checker", "--test", "day1", "--message-format=json"]);
    let output = cargo.current_dir(build::workspace()).output().expect("cargo runs");
    let built = build::outcomes(&output.stdout, &output.stderr, &["day1"])
        .remove("day1")
        .expect("it was asked for");
    built.unwrap_or_else(|complaint| panic!("it doesn't compile: {complaint}"))
});

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder") {
            let entry = entry.expect("an entry");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).expect("a file");
    }
}
