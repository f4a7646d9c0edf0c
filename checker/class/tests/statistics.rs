//! Statistics of a class are of what was graded.
#![cfg(unix)]

mod common;

use common::{classroom, put, reference, root};
use serde_json::{Value, json};

#[test]
fn averages_are_of_what_ran_and_the_rest_is_counted_by_category() {
    let folder = tempfile::tempdir().expect("a folder");
    let (class, out) = (folder.path().join("class"), folder.path().join("out"));
    let skeleton = std::fs::read_to_string(root().join("checker/skeletons/echo.rs"));
    let skeleton = skeleton.expect("the skeleton");
    put(&class.join("student-01"), "echo", &reference("echo"));
    // Right in one exercise, and a second one that does not compile.
    put(&class.join("student-02"), "echo", &format!("// 02\n{}", reference("echo")));
    put(&class.join("student-02"), "heartbeat", "not Rust");
    put(&class.join("student-03"), "echo", &skeleton);
    put(&class.join("student-04"), "echo", "not Rust either");
    std::fs::create_dir(class.join("student-05")).expect("a folder");
    std::fs::write(class.join("student-05/essay.txt"), "no program").expect("a file");
    std::fs::write(class.join("student-06.zip"), "no archive").expect("a file");
    let output = classroom()
        .args(["class", "--seed", "7", "--each"])
        .arg(&class)
        .arg("--out")
        .arg(&out)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");

    let results = std::fs::read(out.join("results.json")).expect("results");
    let overview = serde_json::from_slice::<Value>(&results).expect("JSON")["overview"].take();
    assert_eq!(
        overview["categories"],
        json!({"graded": 2, "not-started": 1, "does-not-compile": 1, "unreadable": 2})
    );
    // Both that ran have all points of `echo`, and no other counts as zero.
    let echo = overview["exercises"][0].clone();
    assert_eq!(overview["points"]["count"], 2, "{overview:#}");
    assert_eq!(overview["points"]["mean"].as_f64(), echo["max_points"].as_f64());
    assert_eq!(echo["points"]["mean"].as_f64(), echo["max_points"].as_f64());
    assert_eq!((&echo["not_started"], &echo["does_not_compile"]), (&json!(1), &json!(1)));
    let heartbeat = &overview["exercises"][1];
    assert_eq!((&heartbeat["points"], &heartbeat["does_not_compile"]), (&Value::Null, &json!(1)));
    let bars = overview["histogram"].as_array().expect("bars");
    let sum: u64 = bars.iter().map(|bar| bar["count"].as_u64().expect("a number")).sum();
    assert_eq!(sum, 2);
    // Only programs that ran can stop at a check.
    assert_eq!(overview["stops_most"], Value::Null, "{overview:#}");
    assert!(
        text.contains("6 submissions: 2 graded, 1 not started, 1 does not compile, 2 unreadable."),
        "{text}"
    );
    let page = std::fs::read_to_string(out.join("index.html")).expect("a page");
    for words in ["Points of the graded", "Points by exercise", "does not compile"] {
        assert!(page.contains(words), "{words}");
    }
}
