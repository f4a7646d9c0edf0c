//! What the tests of the checker share.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

#[cfg(unix)]
pub(crate) mod terminal;
pub(crate) mod workbook;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command as StdCommand;
use std::sync::OnceLock;

use assert_cmd::Command;
use checker::grade::{Graded, Outcome};
use serde_json::Value;

/// Programs of these packages of the workspace, built when they are first asked for.
pub(crate) fn built(packages: &[&str]) -> HashMap<String, PathBuf> {
    // On a thread of its own, since an async test already runs in a runtime.
    let build = || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(harness::server::build::build(packages)).expect("cargo runs")
    };
    let built = std::thread::scope(|scope| scope.spawn(build).join().expect("it builds"));
    built
        .into_iter()
        .map(|(package, path)| {
            (package, path.unwrap_or_else(|complaint| panic!("it doesn't compile: {complaint}")))
        })
        .collect()
}

/// What grades classes, without the checker before it.
pub(crate) fn classroom() -> Command {
    Command::new(&built(&["classroom"])["classroom"])
}

/// The checker's command line, as `cargo checker` runs it.
pub(crate) fn checker() -> Command {
    Command::from_std(running_checker())
}

/// The same, for a test that talks to the running process.
pub(crate) fn running_checker() -> StdCommand {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    // With those that it hands over to, which else it would build itself, in the middle of a test.
    let path = PATH.get_or_init(|| {
        let packages = ["checker", "play", "race", "watcher", "mistakes", "quiz", "guess"];
        built(&packages)["checker"].clone()
    });
    let mut command = StdCommand::new(path);
    // A test is not the workspace's own build; what cargo says to tests is none of the checker's business.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CHECKER_TARGET");
    command
}

/// Returns the path of the museum's program.
pub(crate) fn faults() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built(&["faults"])["faults"].clone())
}

/// A command line for `--command` that starts one of the museum's servers.
pub(crate) fn museum(option: &str, name: &str) -> String {
    format!("{} {option} {name}", faults().display())
}

/// Grades with `--format json`: the exit code and the object on stdout. What this machine was too busy to judge is
/// graded again, twice at most: it says nothing of the checker, which here is what is judged.
pub(crate) fn graded(args: &[&str]) -> (i32, Value) {
    let mut graded = graded_once(args);
    for _ in 0..2 {
        if graded.1.to_string().contains("this machine is too busy to judge") {
            graded = graded_once(args);
        }
    }
    graded
}

fn graded_once(args: &[&str]) -> (i32, Value) {
    let output =
        checker().arg("grade").args(args).args(["--format", "json"]).output().expect("it runs");
    let code = output.status.code().expect("it is not killed");
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("stdout is no JSON ({error}): {}", String::from_utf8_lossy(&output.stdout))
    });
    (code, value)
}

/// The same for who grades inside of the test, by whatever it calls.
pub(crate) async fn judged(grade: impl AsyncFn() -> Vec<Graded>) -> Vec<Graded> {
    let mut graded = grade().await;
    for _ in 0..2 {
        if graded.iter().any(|graded| matches!(graded.outcome, Outcome::Inconclusive(_))) {
            println!("once more, since not all of it could be judged");
            graded = grade().await;
        }
    }
    graded
}

/// All checks of a result, as pairs of id and outcome.
pub(crate) fn outcomes(result: &Value) -> Vec<(String, String)> {
    let exercises = result["exercises"].as_array().expect("exercises");
    let checks =
        exercises.iter().flat_map(|exercise| exercise["checks"].as_array().expect("checks"));
    let text = |value: &Value| value.as_str().expect("a text").to_string();
    checks.map(|check| (text(&check["id"]), text(&check["outcome"]))).collect()
}

/// The check with this id.
pub(crate) fn check<'a>(result: &'a Value, id: &str) -> &'a Value {
    let exercises = result["exercises"].as_array().expect("exercises");
    let mut checks =
        exercises.iter().flat_map(|exercise| exercise["checks"].as_array().expect("checks"));
    checks.find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {result}"))
}

/// Leaves out a part of the proof, and says so loudly: past the test harness, which keeps for itself what a passing
/// test prints. A build machine (`CI` is set) leaves out nothing, and fails.
pub(crate) fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped where `CI` is set: {what}");
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("\nSKIPPED: {what}\n").as_bytes(),
    );
}
