//! The pages of one submission: the instructor's, and the one that the student gets back.

use maud::{Markup, html};

use crate::hand_back;
use crate::model::{Check, Submission};

/// Renders the page of one submission for the instructor.
pub(crate) fn submission(result: &Submission, report: &str) -> String {
    let body = html! {
        @if result.person.is_some() { p { (hand_back::title(result)) } }
        (body(result, report))
        @if !result.sandbox.is_empty() {
            p {
                "Sandbox: " (result.sandbox_label()) "; memory is limited by a "
                (result.memory_limit) "."
            }
        }
    };
    super::page(&result.name, &body)
}

/// Renders the page that the student gets back.
pub(crate) fn hand_back(result: &Submission, report: &str) -> String {
    super::page(&hand_back::title(result), &body(result, report))
}

fn body(result: &Submission, report: &str) -> Markup {
    html! {
        p.points { (result.final_points()) " of " (result.max_points) " points" }
        @for remark in hand_back::remarks(result) { p { (remark) } }
        @if let Some(comment) = &result.manual.comment { p.comment { (comment) } }
        (failures(result))
        @if !result.exercises.is_empty() { (checks(result)) }
        (super::list("Notes", &result.notes))
        (super::list("Not submitted", &result.missing))
        (super::list("Not taken from the submission", &result.left_out))
        h2 { "Report" }
        pre { (report) }
    }
}

/// The checks that failed, the first one first.
fn failures(result: &Submission) -> Markup {
    let failed: Vec<&Check> = result.checks().filter(|check| check.outcome == "failed").collect();
    html! {
        @if !failed.is_empty() {
            h2 { "What failed" }
            @for check in failed {
                section.failure {
                    h3 { (check.id) }
                    p { (check.summary) }
                    @if let (Some(expected), Some(got)) = (&check.expected, &check.got) {
                        pre { "expected: " (expected) "\ngot: " (got) }
                    }
                    @if let Some(hint) = &check.hint { p { (hint) } }
                    p { "Lesson: " (check.lesson) }
                }
            }
        }
    }
}

fn checks(result: &Submission) -> Markup {
    html! {
        h2 { "All checks" }
        table {
            tr.head { th { "Check" } th { "Verdict" } th.n { "Points" } th {} }
            @for check in result.checks() {
                tr {
                    td { (check.id) }
                    td class=(check.outcome) { (check.outcome) }
                    td.n data-label="points" { (check.points) "/" (check.max_points) }
                    td { (check.summary) }
                }
            }
        }
    }
}
