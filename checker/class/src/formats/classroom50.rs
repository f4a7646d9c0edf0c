//! Classroom 50: `result.json` of schema `classroom50/result/v1`, see
//! <https://github.com/foundation50/classroom50/wiki/Advanced-Autograding>.
//!
//! The runner adds owner, dates and the type of the assignment. It passes the rest in the
//! environment.

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
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, second) = (since / 86_400, since % 86_400);
    // Days since 1 March 2000, so that a leap day ends a year.
    let day = days - 11_017;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let year = 2000 + 400 * era + year + u64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!(
        "{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}
