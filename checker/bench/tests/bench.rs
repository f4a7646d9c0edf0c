//! The bench as a user runs it: tables, JSON, and messages for wrong arguments.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(args).output().expect("the bench runs")
}

/// Runs as short as possible. Returns the tables and bench.json.
fn short(name: &str, args: &[&str]) -> (String, Value) {
    let out: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let folder = out.to_str().expect("a path in UTF-8");
    let quick = ["--rounds", "1", "--window", "100", "--warm-up", "100", "--out", folder];
    let output = bench(&[&quick[..], args].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    let json = std::fs::read(out.join("bench.json")).expect("bench.json");
    (table, serde_json::from_slice(&json).expect("JSON"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn rows(json: &Value) -> &Vec<Value> {
    json["loads"].as_array().expect("loads")
}

fn rate(row: &Value, peer: &str) -> f64 {
    row["peers"][peer]["rounds"][0]["value"].as_f64().unwrap_or_else(|| panic!("{peer}: {row}"))
}

/// The generator compares each message, so a rate shows that the peer keeps the contract.
#[test]
fn table_and_json_contain_the_same_peers() {
    let loads = ["echo, 64 B, 50 clients, 16 in flight", "broadcast, 10 clients"];
    let peers = ["--peers", "axum,fastwebsockets,floor"];
    let (table, json) = short("peers", &[&peers[..], &loads].concat());
    assert_eq!(rows(&json).len(), 2, "{json}");
    for row in rows(&json) {
        let load = row["load"].as_str().expect("a name");
        assert!(table.contains(&format!("{load} *")), "{load} is not in\n{table}");
        assert_eq!(row["backlog"], true);
        for peer in ["solution", "fast", "axum", "fastwebsockets"] {
            assert!(table.contains(peer), "{peer} is not in\n{table}");
            assert!(rate(row, peer) > 0.0, "{load}, {peer}: {row}");
        }
        // The floor only returns messages to their sender.
        let has_floor = !row["peers"]["floor"].is_null();
        assert_eq!(has_floor, load.starts_with("echo"), "{load}");
    }
}

#[test]
fn each_step_is_built_and_measured() {
    let (table, json) = short("steps", &["--steps", "broadcast, 100 clients, 1 in flight"]);
    let [row] = &rows(&json)[..] else { panic!("{json}") };
    for number in 0..=5 {
        assert!(rate(row, &format!("step {number}")) > 0.0, "{row}");
    }
    for name in ["plain", "1-", "2-", "3-", "4-", "5-"] {
        assert!(table.lines().any(|line| line.starts_with(name)), "{name} is not in\n{table}");
    }
}

#[test]
fn wrong_arguments_are_named() {
    let output = bench(&["knitting"]);
    assert_eq!(output.status.code(), Some(1));
    let printed = stderr(&output);
    assert!(printed.starts_with("bench: no load is called knitting; the loads are\n"), "{printed}");

    let output = bench(&["--peers", "apache"]);
    assert_eq!(output.status.code(), Some(2));
    let printed = stderr(&output);
    assert!(printed.contains("apache") && printed.contains("fastwebsockets"), "{printed}");

    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = bench(&["--out", manifest, "handshakes"]);
    assert_eq!(output.status.code(), Some(1));
    let printed = stderr(&output);
    let named = printed.contains("Cargo.toml") && printed.contains("expected a folder");
    assert!(named, "{printed}");
}
