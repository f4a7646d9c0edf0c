//! Classroom 50: `result.json` of schema `classroom50/result/v1`, see
//! <https://github.com/foundation50/classroom50/wiki/Advanced-Autograding>.
//!
//! The runner adds owner, dates and the type of the assignment. It passes the rest in the
//! environment.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::FormatError;
use crate::model::{Status, Submission};

pub(crate) fn result(result: &Submission) -> Result<Value, FormatError> {
    if result.status != Status::Graded {
        return Err(FormatError::NotGraded(result.name.clone()));
    }
    let variable = |name: &'static str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.ok_or(FormatError::NotSet(name))
    };
    let commit = variable("COMMIT_URL")?;
    let review = variable("REVIEW_URL").unwrap_or_else(|_| commit.clone());
    let tests: Vec<Value> = result
        .checks()
        .map(|check| {
            json!({
                "test-name": check.id,
                "passed": check.passed(),
                "score": check.points,
                "max-score": check.max_points,
            })
        })
        .collect();
    Ok(json!({
        "schema": "classroom50/result/v1",
        "classroom": variable("CLASSROOM")?,
        "assignment": variable("ASSIGNMENT")?,
        "submission": variable("SUBMISSION_TAG")?,
        "commit": commit,
        "release": variable("RELEASE_URL")?,
        "review": review,
        "datetime": variable("SUBMITTED_AT").unwrap_or_else(|_| now()),
        "score": result.points,
        "max-score": result.max_points,
        "tests": tests,
    }))
}

/// The time in UTC, to the second.
fn now() -> String {
    // Formatting panics for a clock that is set before 1970.
    let now = SystemTime::now().max(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(now).to_string()
}
