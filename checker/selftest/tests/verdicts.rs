//! What a student, an instructor and a build machine are told.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{check, checker, graded, outcomes};
use serde_json::Value;

fn of<'a>(outcomes: &'a [(String, String)], wanted: &str) -> Vec<&'a str> {
    outcomes.iter().filter(|(_, outcome)| outcome == wanted).map(|(id, _)| id.as_str()).collect()
}

#[test]
fn solutions_pass_every_check() {
    let (code, result) = graded(&["--target", "solutions"]);
    let outcomes = outcomes(&result);
    assert_eq!(of(&outcomes, "passed").len(), checker::checks::all().len(), "{result:#}");
    assert_eq!(code, 0);
}

/// An untouched exercise is one failure, which says that it is not started. One that does not compile is one failure, in
/// rustc's words, and no other exercise suffers.
#[test]
fn untouched_and_broken_exercises_are_one_failure_each() {
    // What a student has written in the meantime is not what this is about.
    let workspace = Workspace::new();
    let (code, result) = workspace.grade(&[]);
    let untouched = outcomes(&result);
    assert_eq!(of(&untouched, "failed"), ["echo::handshake", "heartbeat::echo", "broadcast::welcome"], "{result:#}");
    assert!(of(&untouched, "unknown").is_empty() && of(&untouched, "passed").is_empty(), "{result:#}");
    for id in of(&untouched, "failed") {
        let check = check(&result, id);
        assert!(check["summary"].as_str().is_some_and(|summary| summary.ends_with("not started")), "{check:#}");
        assert!(check["hint"].as_str().is_some_and(|hint| hint.contains("TODO 1")), "{check:#}");
    }
    assert_eq!(code, 1);

    let source = workspace.path("day1/heartbeat/src/main.rs");
    let text = fs::read_to_string(&source).expect("the skeleton");
    fs::write(&source, text + "\nfn broken() -> u32 { \"not a number\" }\n").expect("written");
    fs::copy(workspace.path("solutions/echo/src/main.rs"), workspace.path("day1/echo/src/main.rs")).expect("copied");
    let (code, result) = workspace.grade(&["echo", "heartbeat"]);
    let broken = outcomes(&result);
    assert_eq!(of(&broken, "failed"), ["heartbeat::echo"], "{result:#}");
    let got = check(&result, "heartbeat::echo")["got"].as_str().unwrap_or_default();
    assert!(got.contains("mismatched types") && got.contains("main.rs"), "{got}");
    assert!(of(&broken, "passed").iter().all(|id| id.starts_with("echo::")));
    assert_eq!(of(&broken, "passed").len(), 12, "{result:#}");
    assert_eq!(code, 1);
}

/// A copy of the workspace's sources, whose exercises are the skeletons as they are committed.
struct Workspace {
    root: tempfile::TempDir,
}

impl Workspace {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let ours = checker::server::build::workspace();
        for name in ["Cargo.toml", "Cargo.lock", "day1", "solutions", "checker"] {
            copy(&ours.join(name), &root.path().join(name));
        }
        // In a checkout the skeletons come from the last commit; elsewhere they are as they lie there.
        for exercise in checker::exercise::Exercise::ALL {
            let file = format!("day1/{exercise}/src/main.rs");
            let committed = Command::new("git").args(["show", &format!("HEAD:{file}")]).current_dir(&ours).output();
            if let Ok(committed) = committed
                && committed.status.success()
            {
                fs::write(root.path().join(&file), committed.stdout).expect("written");
            }
        }
        Workspace { root }
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.root.path().join(file)
    }

    fn grade(&self, args: &[&str]) -> (i32, Value) {
        let target = checker::server::build::workspace().join("target/selftest");
        let output = checker()
            .arg("grade")
            .args(args)
            .args(["--format", "json"])
            .env("CARGO_MANIFEST_DIR", self.path("checker"))
            // Not the workspace's own, whose programs other tests are running.
            .env("CARGO_TARGET_DIR", target)
            .output()
            .expect("it runs");
        let result = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
        (output.status.code().expect("it is not killed"), result)
    }
}

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
