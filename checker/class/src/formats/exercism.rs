//! Exercism: a test runner's `results.json`, version 3, see
//! <https://exercism.org/docs/building/tooling/test-runners/interface>.

use serde_json::{Value, json};

use crate::model::{Check, Status, Submission};

/// The most characters of a top-level message.
const MESSAGE: usize = 65_535;

pub(crate) fn results(result: &Submission) -> Value {
    let no_program = |check: &Check| check.summary.ends_with("does not compile.");
    let broken =
        result.checks().filter(|check| no_program(check)).map(Check::describe).collect::<Vec<_>>();
    let passed = result.totals.passed;
    if result.status != Status::Graded || (passed == 0 && !broken.is_empty()) {
        // Status `error` is for what did not run at all.
        let message = result.reason.clone().unwrap_or_else(|| broken.join("\n"));
        let message: String = message.chars().take(MESSAGE).collect();
        return json!({ "version": 3, "status": "error", "message": message, "tests": [] });
    }
    let tests: Vec<Value> = result
        .exercises
        .iter()
        .zip(1..)
        .flat_map(|(exercise, task)| {
            exercise.checks.iter().map(move |check| {
                let status = match check.outcome.as_str() {
                    "passed" => "pass",
                    "failed" => "fail",
                    _ => "error",
                };
                let message = (!check.passed()).then(|| check.describe());
                let code = checks::find(&check.id).map_or("", |check| check.row());
                json!({
                    "name": check.id,
                    "status": status,
                    "message": message,
                    "output": null,
                    "test_code": code,
                    "task_id": task,
                })
            })
        })
        .collect();
    let status = if passed == result.totals.all() { "pass" } else { "fail" };
    json!({ "version": 3, "status": status, "message": null, "tests": tests })
}
