//! The bench as its user sees it: what it measures is written, and what it can't do is said.

use std::process::{Command, Output};

use serde_json::Value;

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(args).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The peers in Rust keep the contract under the generator's eyes, which looks at each message; the table and the
/// JSON tell the same peers.
#[test]
fn a_short_run_is_told_in_full() {
    let out = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("short");
    let quick = [
        "--rounds",
        "1",
        "--window",
        "100",
        "--warm-up",
        "100",
        "--out",
        out.to_str().expect("text"),
    ];
    let loads = ["echo, 64 B, 50 clients, 16 in flight", "broadcast, 10 clients"];
    let peers = ["--peers", "plain,plain-4k,axum,fastwebsockets,floor"];
    let output = bench(&[&quick[..], &peers, &loads].concat());
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).expect("text");
    let json: Value =
        serde_json::from_slice(&std::fs::read(out.join("bench.json")).expect("it is there"))
            .expect("JSON");
    let rows = json["loads"].as_array().expect("loads");
    assert_eq!(rows.len(), 2, "{json}");
    for row in rows {
        let load = row["load"].as_str().expect("a name");
        assert!(table.contains(&format!("{load} *")), "{load} is not in\n{table}");
        assert_eq!(row["backlog"], true);
        let peers = row["peers"].as_object().expect("peers");
        for peer in ["solution", "plain", "plain-4k", "axum", "fastwebsockets"] {
            let rate = peers[peer]["rounds"][0]["value"].as_f64().expect("a rate");
            assert!(rate > 0.0, "{load}, {peer}: {rate}");
        }
        // The floor has nobody to broadcast to.
        assert_eq!(peers.contains_key("floor"), load.starts_with("echo"), "{load}");
    }
}

#[test]
fn what_there_is_not_is_named() {
    let output = bench(&["knitting"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).starts_with("bench: no load is called knitting; there are\n"),
        "{}",
        said(&output)
    );
    let output = bench(&["--peers", "apache"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("apache") && said(&output).contains("fastwebsockets"),
        "{}",
        said(&output)
    );
    let output = bench(&[
        "--rounds",
        "1",
        "--out",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        "handshakes",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("Cargo.toml") && said(&output).contains("wanted: a directory"),
        "{}",
        said(&output)
    );
}
