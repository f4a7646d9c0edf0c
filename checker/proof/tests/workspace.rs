//! The workspace's own promises: nothing is compiled twice, and rooms stay small.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Name, version and features of every package that is built for `package`.
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
    // Cargo marks what it has printed before with a star.
    rows.map(|(package, features)| {
        (package.to_string(), features.trim_end_matches("(*)").trim().to_string())
    })
    .collect()
}

/// What the servers are built from, the programs that the checker hands over to, and these tests, has the same features
/// as when the checker is built, so that nothing is compiled a second time for another: see the root `Cargo.toml`.
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
        "watcher",
        "play",
        "race",
        "mistakes",
        "quiz",
        "guess",
        "classroom",
        "faults",
        "proof",
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
