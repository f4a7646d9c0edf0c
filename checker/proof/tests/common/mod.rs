//! Helpers of the tests.

// Each test file is a crate of its own and uses some of these.
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

/// Builds these packages of the workspace and returns the paths of their programs.
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

/// Returns a command that grades classes.
pub(crate) fn classroom() -> Command {
    Command::new(&built(&["class"])["class"])
}

/// Returns the checker's command, as `cargo checker` runs it.
pub(crate) fn checker() -> Command {
    Command::from_std(running_checker())
}

/// Returns the same command for a test that talks to the running process.
pub(crate) fn running_checker() -> StdCommand {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    // Builds the programs that the checker starts, too. Otherwise it builds them during a test.
    let path = PATH.get_or_init(|| {
        let packages = ["checker", "play", "race", "board", "watch", "mistakes", "quiz", "guess"];
        built(&packages)["checker"].clone()
    });
    let mut command = StdCommand::new(path);
    // The checker must not see the variables that cargo sets for tests.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CHECKER_TARGET");
    command
}

/// Returns the path of the museum's program.
pub(crate) fn faults() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| built(&["faults"])["faults"].clone())
}

/// Returns a command line for `--command` that starts a server of the museum.
pub(crate) fn museum(option: &str, name: &str) -> String {
    format!("{} {option} {name}", faults().display())
}

/// Grades with `--format json` and returns the exit code and the object. Grades up to twice more if
/// the machine was too busy for a verdict.
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

/// Does the same for a test that grades by a function.
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

/// Returns the id and the outcome of each check.
pub(crate) fn outcomes(result: &Value) -> Vec<(String, String)> {
    let exercises = result["exercises"].as_array().expect("exercises");
    let checks =
        exercises.iter().flat_map(|exercise| exercise["checks"].as_array().expect("checks"));
    let text = |value: &Value| value.as_str().expect("a text").to_string();
    checks.map(|check| (text(&check["id"]), text(&check["outcome"]))).collect()
}

/// Returns the check with this id.
pub(crate) fn check<'a>(result: &'a Value, id: &str) -> &'a Value {
    let exercises = result["exercises"].as_array().expect("exercises");
    let mut checks =
        exercises.iter().flat_map(|exercise| exercise["checks"].as_array().expect("checks"));
    checks.find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {result}"))
}

/// Reports a skipped test on standard error, which the test harness does not capture here. Fails on
/// a build machine, where `CI` is set.
pub(crate) fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped where `CI` is set: {what}");
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("\nSKIPPED: {what}\n").as_bytes(),
    );
}
