//! Cargo compiles no dependency twice.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Returns name, version and features of every package that `package` is built from.
fn resolved(package: &str, edges: &str) -> BTreeMap<String, String> {
    let cargo = harness::server::build::cargo();
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--package", package, "--edges", edges])
        .args(["--prefix", "none", "--format", "{p} features: {f}"])
        .current_dir(harness::server::build::workspace())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let rows = text.lines().filter_map(|line| line.split_once(" features: "));
    // Cargo marks repeated packages with a star.
    rows.map(|(package, features)| {
        (package.to_string(), features.trim_end_matches("(*)").trim().to_string())
    })
    .collect()
}

/// Servers, tools and tests have the same dependency features as the checker, so that cargo
/// compiles each dependency once: see the root `Cargo.toml`.
#[test]
fn nothing_is_compiled_twice() {
    let grading = resolved("checker", "normal,build,dev");
    let servers = [
        "echo",
        "heartbeat",
        "broadcast",
        "solution-echo",
        "solution-heartbeat",
        "solution-broadcast",
        "solution-fast",
    ];
    for package in servers.into_iter().chain([
        "watch", "play", "board", "race", "mistakes", "quiz", "guess", "class", "faults", "proof",
    ]) {
        let own = resolved(package, "normal,build,dev");
        assert!(own.len() > 20, "{package} is built from {} packages only?", own.len());
        let twice: BTreeSet<_> = own
            .iter()
            .filter(|(name, features)| grading.get(*name).is_some_and(|others| others != *features))
            .map(|(name, features)| {
                format!("{name}: {features:?} for {package}, {:?} for the checker", grading[name])
            })
            .collect();
        assert!(twice.is_empty(), "{twice:#?}");
    }
}
