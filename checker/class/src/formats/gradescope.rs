//! Gradescope: `results.json`, see <https://gradescope-autograders.readthedocs.io/en/latest/specs/>.

use serde_json::{Value, json};

use crate::model::{Status, Submission};

pub(crate) fn results(result: &Submission) -> Value {
    let tests: Vec<Value> = result
        .checks()
        .map(|check| {
            json!({
                "name": check.id,
                "score": check.points,
                "max_score": check.max_points,
                "status": if check.passed() { "passed" } else { "failed" },
                "output": check.told(),
                "output_format": "text",
                "visibility": "visible",
            })
        })
        .collect();
    let output = match (&result.status, &result.reason) {
        (Status::Graded, _) => super::github::sentence(result),
        (status, reason) => format!("{}: {}", status.name(), reason.as_deref().unwrap_or_default()),
    };
    let mut results = json!({
        "output": output,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": { "seed": result.seed, "left_out": result.left_out },
        "tests": tests,
    });
    if result.status == Status::Graded {
        // Gradescope takes the sum of the tests otherwise, and calls a grading without both a failure.
        results["score"] = result.points.into();
    }
    results
}
