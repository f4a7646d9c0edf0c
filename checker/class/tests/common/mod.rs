//! Shared by the tests of `class`.

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

#[cfg(target_os = "linux")]
pub(crate) mod grader;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The program under test.
pub(crate) fn classroom() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_class"));
    command.env_remove("CARGO_MANIFEST_DIR");
    command
}

/// The root of the workbook's workspace.
pub(crate) fn root() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    dir.expect("this package lies in checker/class").to_path_buf()
}

/// The source of the solution's server.
pub(crate) fn reference(exercise: &str) -> String {
    std::fs::read_to_string(root().join(format!("solutions/{exercise}/src/main.rs")))
        .expect("the reference")
}

/// Puts a source file into a submission.
pub(crate) fn put(submission: &Path, exercise: &str, text: &str) {
    let file = submission.join(format!("day1/{exercise}/src/main.rs"));
    std::fs::create_dir_all(file.parent().expect("it has a folder")).expect("a folder");
    std::fs::write(file, text).expect("a file");
}

/// The `result.json` of one submission.
pub(crate) fn result(out: &Path, name: &str) -> Value {
    let file = out.join("submissions").join(name).join("result.json");
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// The check of this id in a result.
pub(crate) fn check<'a>(result: &'a Value, id: &str) -> &'a Value {
    let exercises = result["exercises"].as_array().expect("exercises");
    let mut checks =
        exercises.iter().flat_map(|exercise| exercise["checks"].as_array().expect("checks"));
    checks.find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {result:#}"))
}

/// The number of checks of this exercise with this outcome.
pub(crate) fn count(result: &Value, exercise: &str, outcome: &str) -> usize {
    let exercises = result["exercises"].as_array().expect("exercises");
    let checks = exercises
        .iter()
        .filter(|one| one["name"] == exercise)
        .flat_map(|one| one["checks"].as_array());
    checks.flatten().filter(|check| check["outcome"] == outcome).count()
}

/// Skips a part of the proof. The message goes past the test harness, which hides the output of a
/// passing test. A build machine (`CI` is set) skips nothing, and fails.
pub(crate) fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped where `CI` is set: {what}");
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("\nSKIPPED: {what}\n").as_bytes(),
    );
}
