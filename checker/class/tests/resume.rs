//! Interrupted at a random moment and resumed: the same results as uninterrupted.
#![cfg(unix)]

mod common;

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::classroom;
use serde_json::Value;

const TIMES: u32 = 10;
const SUBMISSIONS: &str = "3";

fn start(class: &Path, out: &Path, resume: bool) -> Child {
    let mut command = classroom();
    command
        .args(["class", "--seed", "7", "--each"])
        .arg(class.join("submissions"))
        .arg("--out")
        .arg(out);
    if resume {
        command.arg("--resume");
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
}

/// The results of a class without times and without the words of failures.
fn left(out: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let read = |path: &Path| {
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let json = |path: &Path| {
        let mut value = serde_json::from_str(&read(path)).expect("JSON");
        without_times(&mut value);
        format!("{value:#}")
    };
    for name in ["results.csv", "run.json"] {
        files.push((name.to_string(), read(&out.join(name))));
    }
    files.push(("results.json".to_string(), json(&out.join("results.json"))));
    for entry in std::fs::read_dir(out.join("submissions")).expect("results").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        files.push((name, json(&entry.path().join("result.json"))));
    }
    files.sort();
    files
}

fn without_times(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(without_times),
        Value::Object(fields) => {
            // A server that ends by mistake may reset a connection or refuse the next, so that the
            // words of a failure differ from run to run.
            for name in ["millis", "steps", "transcript", "summary", "expected", "got", "hint"] {
                fields.remove(name);
            }
            fields.values_mut().for_each(without_times);
        }
        _ => {}
    }
}

#[test]
fn ten_interrupted_runs_end_like_one_that_was_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = folder.path().join("class");
    let made = classroom().args(["sample", "--count", SUBMISSIONS, "--out"]).arg(&class).status();
    assert!(made.expect("it runs").success());
    let whole = folder.path().join("whole");
    let began = Instant::now();
    assert_eq!(start(&class, &whole, false).wait().expect("it ends").code(), Some(0));
    let lasted = began.elapsed();
    let expected = left(&whole);
    let mut interrupted = 0;
    for time in 0..TIMES {
        let out = folder.path().join(format!("interrupted-{time}"));
        let mut child = start(&class, &out, false);
        // Nothing is waited for: any moment must do, and this spreads them over the run.
        let moment = lasted * time / TIMES + Duration::from_millis(rand::random_range(0..500));
        std::thread::sleep(moment);
        if child.try_wait().expect("it can be asked").is_none() {
            interrupted += 1;
            let status =
                std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(status.expect("kill runs").success());
        }
        let code = child.wait().expect("it ends").code();
        // None: before it could listen for the signal.
        assert!(matches!(code, None | Some(0 | 130)), "interrupted {time}: {code:?}");
        assert_eq!(
            start(&class, &out, out.join("run.json").exists()).wait().expect("it ends").code(),
            Some(0)
        );
        assert_eq!(left(&out), expected, "interrupted {time}");
    }
    assert!(interrupted > TIMES / 2, "only {interrupted} runs could be interrupted");
}
