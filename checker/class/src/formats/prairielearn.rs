//! PrairieLearn: an external grader's `results.json`, see
//! <https://docs.prairielearn.com/externalGrading/>.

use serde_json::{Value, json};

use crate::model::{Status, Submission};

pub(crate) fn results(result: &Submission) -> Value {
    if result.status != Status::Graded {
        let reason = result.reason.clone().unwrap_or_default();
        return json!({ "gradable": false, "format_errors": [reason] });
    }
    if result.totals.unknown > 0 {
        // It is not the fault of the student, and costs no attempt.
        let words = format!(
            "{} checks could not be judged on this machine; submit again",
            result.totals.unknown
        );
        return json!({ "gradable": false, "format_errors": [words] });
    }
    let tests: Vec<Value> = result
        .checks()
        .map(|check| {
            json!({
                "name": check.id,
                "points": check.points,
                "max_points": check.max_points,
                "message": check.summary,
                "output": if check.passed() { String::new() } else { check.describe() },
            })
        })
        .collect();
    let score = f64::from(result.points) / f64::from(result.max_points.max(1));
    json!({ "gradable": true, "score": score, "message": super::github::sentence(result), "tests": tests })
}
