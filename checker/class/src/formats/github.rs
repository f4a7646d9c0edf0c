//! GitHub Actions: a job's summary, and annotations, see
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use std::fmt::Write;

use crate::model::Submission;

/// Points and verdicts in one sentence.
pub(crate) fn sentence(result: &Submission) -> String {
    let totals = result.totals;
    let sentence = format!(
        "{} of {} points: {} of {} checks passed, {} failed, {} blocked, {} could not be judged.",
        result.points,
        result.max_points,
        totals.passed,
        totals.all(),
        totals.failed,
        totals.blocked,
        totals.unknown
    );
    [vec![sentence], result.costs()].concat().join(" ")
}

/// The text for the file that `GITHUB_STEP_SUMMARY` names.
pub(crate) fn summary(result: &Submission) -> String {
    let mut out = format!("## {}\n\n{}\n\n", cell(&result.name), cell(&sentence(result)));
    if let Some(reason) = &result.reason {
        let _ = writeln!(out, "{}: {}\n", result.status.name(), cell(reason));
    }
    if !result.sandbox.is_empty() {
        let _ = writeln!(out, "Sandbox: {}.\n", result.sandbox_label());
    }
    if result.exercises.is_empty() {
        return out;
    }
    out += "| check | verdict | points | |\n| --- | --- | ---: | --- |\n";
    for check in result.checks() {
        let _ = writeln!(
            out,
            "| `{}` | {} | {}/{} | {} |",
            check.id,
            check.outcome,
            check.points,
            check.max_points,
            cell(&check.summary)
        );
    }
    out
}

/// A line for each error. GitHub shows them beside the file.
pub(crate) fn annotations(result: &Submission) -> String {
    let mut out = String::new();
    for exercise in &result.exercises {
        for check in exercise.checks.iter().filter(|check| check.outcome == "failed") {
            let title = property(&check.id);
            let _ = writeln!(
                out,
                "::error file=day1/{}/src/main.rs,title={title}::{}",
                exercise.name,
                data(&check.describe())
            );
        }
    }
    if let Some(reason) = &result.reason {
        let _ = writeln!(out, "::error title={}::{}", result.status.name(), data(reason));
    }
    out
}

/// Text that stays in its cell and is no HTML.
fn cell(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('|', "\\|");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
