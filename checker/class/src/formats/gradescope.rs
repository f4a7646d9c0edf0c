//! Gradescope: `results.json`, see
//! <https://gradescope-autograders.readthedocs.io/en/latest/specs/>.

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
                "output": check.describe(),
                "output_format": "text",
                "visibility": "visible",
            })
        })
        .collect();
    let output = match (&result.status, &result.reason) {
        (Status::Graded, _) if result.is_open() => format!(
            "{} A check that could not be judged is not the fault of the submission, which gets no \
             score until it was graded again.",
            super::github::sentence(result)
        ),
        (Status::Graded, _) => super::github::sentence(result),
        (status, reason) => format!("{}: {}", status.name(), reason.as_deref().unwrap_or_default()),
    };
    let mut results = json!({
        "output": output,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "seed": result.seed,
            "left_out": result.left_out,
            "sandbox": result.sandbox,
            "landlock_abi": result.landlock_abi,
            "notes": result.notes,
        },
    });
    // Gradescope calls a grading with neither a score nor tests a failure, and shows it to the
    // instructor. That is wanted where something could not be judged: it must not become 0 points.
    if result.status == Status::Graded && !result.is_open() {
        results["score"] = result.points.into();
        results["tests"] = tests.into();
    }
    results
}
