//! Adds the template exercise to a copy of the workbook, as CONTRIBUTING.md describes, and
//! grades it.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::workbook::Workbook;

/// Applies the diff in CONTRIBUTING.md. Each line is searched for after the previous one.
fn change(workbook: &Workbook, diff: &str) {
    let mut file = None;
    let mut lines: Vec<String> = Vec::new();
    let mut at = 0;
    let save = |file: &Option<String>, lines: &[String]| {
        if let Some(file) = file {
            fs::write(workbook.root().join(file), lines.join("\n") + "\n")
                .expect("it can be written");
        }
    };
    for line in diff.lines() {
        if let Some(name) = line.strip_prefix("--- ") {
            save(&file, &lines);
            let text = fs::read_to_string(workbook.root().join(name))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            lines = text.lines().map(str::to_string).collect();
            (file, at) = (Some(name.to_string()), 0);
            continue;
        }
        let (mark, wanted) = line.split_at(1);
        let found = || {
            let behind = lines[at..].iter().position(|line| line == wanted);
            at + behind.unwrap_or_else(|| {
                panic!("{file:?} has no line `{wanted}` there: CONTRIBUTING.md is out of date")
            })
        };
        match mark {
            " " => at = found() + 1,
            "-" => {
                at = found();
                lines.remove(at);
            }
            _ => {
                lines.insert(at, wanted.to_string());
                at += 1;
            }
        }
    }
    save(&file, &lines);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir_all(&to).expect("a folder");
            copy(&from, &to);
        } else {
            fs::copy(from, to).expect("it is copied");
        }
    }
}

#[test]
fn an_exercise_is_added_as_it_says() {
    let workbook = Workbook::copy();
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("template");
    copy(&template, workbook.root());
    let guide = harness::server::build::workspace().join("CONTRIBUTING.md");
    let guide = fs::read_to_string(guide).expect("the guide").replace("\r\n", "\n");
    let (_, rest) = guide.split_once("<!-- the places -->\n```diff\n").expect("the places");
    change(&workbook, rest.split("\n```").next().expect("an end"));

    let cargo = harness::server::build::cargo();
    let checker = |args: &[&str]| {
        let mut command = Command::new(&cargo);
        command.args(["run", "--quiet", "--offline", "--package", "checker", "--"]).args(args);
        command.current_dir(workbook.root()).envs(workbook.environment());
        let output = command.output().expect("cargo runs");
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said.into_owned())
    };
    let (code, said) = checker(&["grade", "toy"]);
    assert!(code == Some(1) && said.contains("toy is not started"), "the skeleton: {said}");

    let source = workbook.root().join("day1/toy/src/main.rs");
    let finished = fs::read_to_string(template.join("finished.rs")).expect("the solution");
    fs::write(&source, &finished).expect("it is written");
    let (code, said) = checker(&["grade", "toy"]);
    assert!(code == Some(0) && said.contains("1 of 1 checks passed"), "the solution: {said}");

    fs::write(&source, finished.replace("to_uppercase", "to_lowercase")).expect("it is written");
    let (code, said) = checker(&["grade", "toy"]);
    assert!(
        code == Some(1) && said.contains("a text that differs from the capitals"),
        "a wrong one: {said}"
    );

    for (args, words) in [
        (&["hint", "toy::capitals"][..], "hint 1 of 3"),
        (&["explain", "toy::capitals"], "HELLO"),
        (&["list", "toy"], "0 of 1 points"),
        (&["reset", "toy"], "day1/toy/src/main.rs is the skeleton again"),
    ] {
        let (code, said) = checker(args);
        assert!(code == Some(0) && said.contains(words), "{args:?}: {said}");
    }
}
