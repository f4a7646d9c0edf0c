//! A class of sixty with known verdicts.

mod common;

use std::path::Path;

use common::{classroom, result};
use serde_json::Value;

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON")
}

#[test]
fn every_verdict_is_as_known_beforehand_and_the_totals_add_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let (class, out) = (folder.path().join("class"), folder.path().join("out"));
    let made = classroom().args(["sample", "--out"]).arg(&class).status().expect("it runs");
    assert!(made.success());
    let output = classroom()
        .args(["class", "--seed", "7", "--each"])
        .arg(class.join("submissions"))
        .arg("--out")
        .arg(&out)
        .output()
        .expect("it runs");
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{told}");
    let expected = read(&class.join("expected.json"));
    let expected = expected.as_object().expect("an object");
    assert_eq!(expected.len(), 60);
    let mut wrong = Vec::new();
    let mut points = 0;
    for (name, known) in expected {
        let result = result(&out, name);
        points += result["points"].as_u64().expect("points");
        if result["status"] != known["status"] {
            wrong.push(format!("{name}: {}, {}", result["status"], result["reason"]));
        }
        for exercise in result["exercises"].as_array().expect("exercises") {
            let known = &known["exercises"][exercise["name"].as_str().expect("a name")]["fails"];
            let checks = exercise["checks"].as_array().expect("checks");
            // A blocked check belongs to the exercise that blocks it.
            let failed: Vec<&Value> =
                checks.iter().filter(|check| check["outcome"] != "passed").collect();
            let as_known = match known.as_str() {
                None => failed.is_empty(),
                Some(id) => {
                    failed.iter().any(|check| check["id"] == id && check["outcome"] == "failed")
                }
            };
            if !as_known {
                let failed: Vec<_> = failed
                    .iter()
                    .map(|check| (&check["id"], &check["outcome"], &check["summary"]))
                    .collect();
                wrong.push(format!("{name}: known was {known}, and this did not pass: {failed:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{told}");
    let class = read(&out.join("results.json"));
    let sum: u64 = class["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|one| one["points"].as_u64().expect("points"))
        .sum();
    assert_eq!(sum, points);
    let overview = &class["overview"];
    let graded = overview["categories"]["graded"].as_u64().expect("a number");
    assert_eq!(overview["points"]["count"], graded);
    let mean = (points as f64 / graded as f64 * 10.0).round() / 10.0;
    assert_eq!(overview["points"]["mean"], mean);
    let table = std::fs::read_to_string(out.join("results.csv")).expect("a table");
    assert_eq!(table.lines().count(), 61);
}

#[test]
fn too_few_points_are_an_exit_code_if_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let submission = folder.path().join("empty");
    std::fs::create_dir(&submission).expect("a folder");
    for (number, (args, code)) in
        [(&[][..], 0), (&["--fail-under", "0"], 0), (&["--fail-under", "1"], 1)].iter().enumerate()
    {
        let out = folder.path().join(format!("out-{number}"));
        let mut command = classroom();
        command.arg("class").arg(&submission).arg("--out").arg(out).args(*args);
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(*code), "{args:?}");
    }
}
