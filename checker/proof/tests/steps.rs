//! The steps of lesson 7: each compiles and keeps the contract, and the last is `solution-fast`.

mod common;
#[path = "../../bench/src/steps.rs"]
#[allow(unreachable_pub)] // In the bench it is a public module.
mod steps;

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::process::Command;

use common::workbook::Workbook;
use common::{graded, outcomes};
use harness::exercise::Exercise;

#[test]
fn each_step_keeps_the_contract_and_the_last_one_is_the_tuned_server() {
    let workbook = Workbook::copy();
    let steps = steps::read(workbook.root()).unwrap_or_else(|error| panic!("{error}"));
    assert!(steps.len() > 5, "there are {} steps", steps.len());
    let file = workbook.root().join(steps::FAST);
    let fast = fs::read_to_string(&file).expect("the tuned server").replace("\r\n", "\n");
    let [_, (_, target)] = workbook.environment();
    let program = target.join(format!("debug/solution-fast{EXE_SUFFIX}"));
    for step in &steps {
        fs::write(&file, &step.source).expect("the copy can be written");
        let mut cargo = Command::new(harness::server::build::cargo());
        cargo.args(["build", "--quiet", "--offline", "--package", "solution-fast"]);
        cargo.current_dir(workbook.root()).envs(workbook.environment());
        let output = cargo.output().expect("cargo runs");
        let printed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && printed.is_empty(), "{}: {printed}", step.name);
        for exercise in Exercise::ALL {
            // A step with a room for all clients is a broadcast server. The others are echo
            // servers.
            let command = match exercise {
                Exercise::Broadcast => program.display().to_string(),
                _ => format!("{} echo", program.display()),
            };
            let (code, result) = graded(&[exercise.name(), "--command", &command]);
            assert_eq!(code, 0, "{}, {exercise}: {:?}", step.name, outcomes(&result));
        }
    }
    let last = steps.last().expect("a step");
    assert_eq!(last.source, fast, "the result of {}, and {}", last.name, steps::FAST);
}
