//! A server that ignores `ADDR`: the same verdict and words at the student's desk and in a class.
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use checker::grade;
use checker::plan::Plan;
use checker::report::json;
use common::grader::{Class, Ground, is_root};
use harness::exercise::{Exercise, Target};
use harness::failure::start::StartCause;
use harness::server::Program;
use harness::verdict::Failure;
use serde_json::Value;

/// A server with only the standard library, so that rustc alone compiles it.
fn server(bind: &str) -> String {
    format!(
        r#"fn main() {{
    let listener = {bind};
    println!("WebSocket server running on ws://{{}}", listener.local_addr().expect("bound"));
    for stream in listener.incoming() {{ drop(stream); }}
}}
"#
    )
}

/// The hand-ins: what each binds, and what the verdict says of it.
fn hand_ins() -> [(&'static str, String, &'static str); 3] {
    let bind = |address: &str| {
        server(&format!(r#"std::net::TcpListener::bind("{address}").expect("a free port")"#))
    };
    [
        (
            "the-default-port",
            bind("127.0.0.1:8080"),
            "The server listens on port 8080 and not on the address in ADDR.",
        ),
        (
            "a-port-of-its-own",
            bind("127.0.0.1:9107"),
            "The server listens on port 9107 and not on the address in ADDR.",
        ),
        (
            "on-all-interfaces",
            bind("0.0.0.0:9108"),
            "The server listens on port 9108 and not on the address in ADDR.",
        ),
    ]
}

/// Grades the program as `cargo checker grade` does, and returns the verdict on its first check.
fn grade_at_desk(source: &str, folder: &Path) -> Value {
    let (file, program) = (folder.join("main.rs"), folder.join("server"));
    std::fs::write(&file, source).expect("a file");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-o"]).arg(&program).arg(&file);
    assert!(rustc.status().expect("rustc").success());
    let argv = vec![program.to_string_lossy().into_owned()];
    let mut programs: BTreeMap<_, _> = Exercise::ALL
        .into_iter()
        .map(|one| (one, Err(Box::new(Failure::caused(StartCause::NotSubmitted(one))))))
        .collect();
    programs.insert(Exercise::Echo, Ok(Program::new(argv, folder.to_path_buf())));
    let plan = Plan { checks: checks::all(), programs, target: Some(Target::Day1), seed: 7 };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let graded = runtime.block_on(grade::grade_all(plan));
    let verdicts = serde_json::to_value(json::result(&graded, 7)).expect("JSON");
    common::check(&verdicts, "echo::handshake").clone()
}

/// The words of a verdict without the address in `ADDR`, which differs from run to run.
fn words(check: &Value) -> Vec<String> {
    let text = |name: &str| check[name].as_str().unwrap_or_default().to_string();
    let expected = text("expected");
    let (before, after) = expected.split_once("127.0.0.1:").unwrap_or((&expected, ""));
    let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
    vec![text("outcome"), text("summary"), format!("{before}{after}"), text("got"), text("hint")]
}

#[test]
fn a_server_that_ignores_addr_gets_the_same_words_everywhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut at_desk = BTreeMap::new();
    for (name, source, summary) in hand_ins() {
        let check = grade_at_desk(&source, folder.path());
        assert_eq!(check["summary"], summary, "{name}: {check:#}");
        at_desk.insert(name, words(&check));
    }
    for level in ["bubblewrap", "landlock", "off"] {
        // One at a time: without a network of its own, two servers cannot share a port.
        let mut class = Class::new(Ground { level, root: is_root() });
        class.args = vec!["--jobs".into(), "1".into(), "--seed".into(), "7".into()];
        for (name, source, _) in hand_ins() {
            class.put(name, &source);
        }
        class.grade();
        for (name, ..) in hand_ins() {
            let result = class.result(name);
            let check = common::check(&result, "echo::handshake");
            assert_eq!(words(check), at_desk[name], "{level}, {name}: {check:#}");
        }
    }
}
