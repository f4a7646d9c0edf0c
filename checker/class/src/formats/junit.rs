//! JUnit XML: a suite for each exercise, a case for each check.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::FormatError;
use crate::model::{Check, Submission};

pub(crate) fn report(result: &Submission) -> Result<String, FormatError> {
    let mut report = Report::new(legal(&result.name));
    for exercise in &result.exercises {
        let mut suite = TestSuite::new(exercise.name.as_str());
        let time = exercise.checks.iter().map(|check| check.millis).sum();
        suite.set_time(Duration::from_millis(time));
        suite.add_test_cases(exercise.checks.iter().map(|check| case(&exercise.name, check)));
        report.add_test_suite(suite);
    }
    if let Some(reason) = &result.reason {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(legal(reason)).set_type(result.status.name());
        let mut suite = TestSuite::new("submission");
        suite.add_test_case(TestCase::new("it can be graded", status));
        report.add_test_suite(suite);
    }
    let xml = report.to_string()?;
    Ok(without_sum_of_skipped(&xml))
}

/// Removes the sum of skipped cases from the root element: the schema of Jenkins has no such
/// attribute.
fn without_sum_of_skipped(xml: &str) -> String {
    let Some(root) = xml.find("<testsuites") else { return xml.to_string() };
    let end = xml[root..].find('>').map_or(xml.len(), |end| root + end);
    let Some(begin) = xml[root..end].rfind(" skipped=\"").map(|begin| root + begin) else {
        return xml.to_string();
    };
    let value = begin + " skipped=\"".len();
    let after = xml[value..end].find('"').map_or(end, |quote| value + quote + 1);
    format!("{}{}", &xml[..begin], &xml[after..])
}

fn case(exercise: &str, check: &Check) -> TestCase {
    let mut status = match check.outcome.as_str() {
        "passed" => TestCaseStatus::success(),
        "failed" => TestCaseStatus::non_success(NonSuccessKind::Failure),
        "blocked" => TestCaseStatus::skipped(),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if !check.passed() {
        status.set_message(legal(&check.summary));
    }
    if check.outcome == "failed" {
        status.set_type("contract").set_description(legal(&check.describe()));
    }
    let name = check.id.split_once("::").map_or(check.id.as_str(), |(_, name)| name);
    let mut case = TestCase::new(name, status);
    case.set_classname(exercise).set_time(Duration::from_millis(check.millis));
    case
}

/// Text without the two characters that XML 1.0 forbids and quick-junit leaves in.
fn legal(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
