//! A program that passed after its first second of uptime does not wait for it again.

mod common;

use common::check;
use common::workbook::Workbook;
use harness::exercise::{Exercise, Target};
use harness::server::build::workspace;
use serde_json::Value;

/// Returns true if the student's echo skips the wait, and how long `echo::reply` takes.
fn grade(workbook: &Workbook) -> (bool, u64) {
    let args = ["grade", "echo::reply", "--format", "json", "--timings"];
    let output = workbook.checker(&args).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let millis = check(&result, "echo::reply")["millis"].as_u64().expect("milliseconds");
    (said.contains("echo did not wait for its first second"), millis)
}

#[test]
fn only_a_program_that_was_waited_for_is_spared_the_wait() {
    let workbook = Workbook::copy();
    let solution = workspace().join(Exercise::Echo.source(Target::Solutions));
    let right = std::fs::read_to_string(solution).expect("it can be read");
    let edited = right.replacen("from_millis(50)", "from_millis(51)", 1);
    assert_ne!(right, edited, "the solution no longer has what is edited here");

    for program in [&right, &edited] {
        workbook.write(Exercise::Echo, program);
        let (spared, millis) = grade(&workbook);
        assert!(!spared && millis >= 1_000, "a new program was judged after {millis} ms");
        assert!(grade(&workbook).0, "the same program was waited for again");
    }
    workbook.write(Exercise::Echo, &right);
    assert!(grade(&workbook).0, "a program that was changed back was waited for again");
    workbook.write(Exercise::Echo, &format!("{right}// A comment changes nothing.\n"));
    assert!(grade(&workbook).0, "a comment was waited for");
}
