//! A build that was seen to be right after its first second is not made to wait for it again; any other is.

mod common;

use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use checker::server::build::{build, workspace};
use common::{check, checker};
use serde_json::Value;

const PACKAGE: &str = "solution-echo";

/// Whether the solution was spared the wait, and how long `echo::reply` took.
fn grade() -> (bool, u64) {
    let args = ["grade", "echo::reply", "--target", "solutions", "--format", "json", "--timings"];
    let output = checker().args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let result: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let millis = check(&result, "echo::reply")["millis"].as_u64().expect("milliseconds");
    (said.contains("echo was not waited for to be a second old"), millis)
}

/// As cargo does when something has changed.
fn written_anew(program: &Path) {
    // Linux lets nobody write to a program that runs, and Windows has no time be set by who can't write.
    let file = File::options().read(true).write(cfg!(windows)).open(program).expect("the program that was built");
    file.set_modified(SystemTime::now()).expect("its time can be set");
}

#[test]
fn only_a_build_that_was_waited_for_is_spared_the_wait() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let built = runtime.block_on(build(&[PACKAGE])).expect("cargo runs");
    let program = workspace().join(built[PACKAGE].as_ref().expect("it compiles"));
    for _ in 0..2 {
        written_anew(&program);
        let (spared, millis) = grade();
        assert!(!spared && millis >= 1_000, "a new build was judged after {millis} ms");
        assert!(grade().0, "the same build was waited for again");
    }
}
