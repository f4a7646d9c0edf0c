//! The page of one submission.

use maud::{Markup, html};

use crate::model::{Check, Submission};

/// Renders the page of one submission for the instructor.
pub(crate) fn submission(result: &Submission, report: &str) -> String {
    let body = html! {
        (head(result))
        @if let Some(reason) = &result.reason {
            p { (result.status.name()) ": " (reason) }
        }
        (failures(result))
        @if !result.exercises.is_empty() { (checks(result)) }
        @if !result.sandbox.is_empty() {
            p {
                "Sandbox: " (result.sandbox_label()) "; memory is limited by a "
                (result.memory_limit) "."
            }
        }
        (super::list("Notes", &result.notes))
        (super::list("Not submitted", &result.missing))
        (super::list("Not taken from the submission", &result.left_out))
        h2 { "Report" }
        pre { (report) }
    };
    super::page(&result.name, &body)
}

/// Person, points and comment.
fn head(result: &Submission) -> Markup {
    html! {
        @if let Some(person) = &result.person {
            p { (person.name) @if !person.id.is_empty() { " (" (person.id) ")" } }
        }
        p.points { (result.final_points()) " of " (result.max_points) " points" }
        @if result.manual.points.is_some() {
            p { "Set by hand; " (result.points) " by the checks." }
        }
        @if result.late == Some(true) {
            p { "Handed in late" @if let Some(time) = &result.submitted { ", at " (time) } "." }
        }
        @if let Some(comment) = &result.manual.comment { p.comment { (comment) } }
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
