//! The page of the class.

use maud::{Markup, html};

use crate::model::Submission;
use crate::overview::{Category, Overview, People};
use crate::similarity::Alike;

/// Renders the page of the class.
pub(crate) fn class(results: &[Submission], overview: &Overview) -> String {
    let body = html! {
        p { (overview.submissions) " submissions: " (overview.categories()) "." }
        p { (overview.points()) }
        @if let Some(check) = &overview.stops_most {
            p {
                "Most submissions fail first at " strong { (check.name) }
                " (" (check.count) " submissions)."
            }
        }
        (submissions(results))
        @if let Some(of) = &overview.people { (people(of)) }
        (histogram(overview))
        (exercises(overview))
        (rates(overview))
        @if !overview.alike.pairs.is_empty() { (similar(&overview.alike)) }
    };
    super::page("Class results", &body)
}

fn submissions(results: &[Submission]) -> Markup {
    let with_people = results.iter().any(|result| result.person.is_some());
    html! {
        h2 { "Submissions" }
        table {
            tr.head {
                th { "Submission" }
                @if with_people { th { "Name" } }
                th { "Category" } th.n { "Points" } th.n { "Passed" }
                th.n { "Failed" } th.n { "Blocked" } th.n { "Unknown" } th {}
            }
            @for result in results {
                @let totals = result.totals;
                tr {
                    td {
                        a href={ "submissions/" (result.name) "/report.html" } { (result.name) }
                    }
                    @if with_people {
                        td { @if let Some(person) = &result.person { (person.name) } }
                    }
                    td { (Category::of(result).name()) }
                    td.n data-label="points" { (result.final_points()) "/" (result.max_points) }
                    td.n data-label="passed" { (totals.passed) }
                    td.n data-label="failed" { (totals.failed) }
                    td.n data-label="blocked" { (totals.blocked) }
                    td.n data-label="unknown" { (totals.unknown) }
                    td { (note(result)) }
                }
            }
        }
    }
}

fn note(result: &Submission) -> String {
    let mut notes = Vec::new();
    notes.extend((result.late == Some(true)).then(|| "late".to_string()));
    notes.extend(result.manual.points.map(|_| format!("{} by the checks", result.points)));
    notes.extend(result.reason.clone());
    notes.extend(result.same_as.as_ref().map(|other| format!("the same sources as {other}")));
    notes.join("; ")
}

fn people(people: &People) -> Markup {
    html! {
        (super::list("Without a hand-in", &people.without_hand_in))
        (super::list("Not in the roster", &people.not_in_roster))
    }
}

fn histogram(overview: &Overview) -> Markup {
    let most = overview.histogram.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
    html! {
        h2 { "Points of the graded" }
        table.bars {
            tr.head { th { "Points" } th.n { "Submissions" } th {} }
            @for bar in &overview.histogram {
                tr {
                    td data-label="points" { (bar.from) "–" (bar.to) }
                    td.n data-label="submissions" { (bar.count) }
                    td { div.bar style={ "width:" (100 * bar.count / most) "%" } {} }
                }
            }
        }
    }
}

fn exercises(overview: &Overview) -> Markup {
    html! {
        h2 { "Points by exercise" }
        table {
            tr.head {
                th { "Exercise" } th.n { "Average" } th.n { "Median" } th.n { "Of" }
                th.n { "Ran" } th.n { "Not started" } th.n { "Does not compile" }
                th.n { "Not submitted" } th.n { "Not judged" }
            }
            @for exercise in &overview.exercises {
                @let points = exercise.points;
                tr {
                    td { (exercise.name) }
                    td.n data-label="average" {
                        @if let Some(points) = points { (format!("{:.1}", points.mean)) }
                    }
                    td.n data-label="median" { @if let Some(points) = points { (points.median) } }
                    td.n data-label="of" { (exercise.max_points) }
                    td.n data-label="ran" { (points.map_or(0, |points| points.count)) }
                    td.n data-label="not started" { (exercise.not_started) }
                    td.n data-label="does not compile" { (exercise.does_not_compile) }
                    td.n data-label="not submitted" { (exercise.not_submitted) }
                    td.n data-label="not judged" { (exercise.not_judged) }
                }
            }
        }
        p { "Averages are of the servers that ran." }
    }
}

fn rates(overview: &Overview) -> Markup {
    html! {
        h2 { "Pass rate by check" }
        table {
            tr.head { th { "Check" } th.n { "Passed" } th.n { "Of" } th {} }
            @for rate in &overview.checks {
                tr {
                    td { (rate.id) }
                    td.n data-label="passed" { (rate.passed) }
                    td.n data-label="of" { (rate.judged) }
                    td { meter min="0" max=(rate.judged.max(1)) value=(rate.passed) {} }
                }
            }
        }
    }
}

fn similar(alike: &Alike) -> Markup {
    html! {
        h2 { "Much in common" }
        p {
            "Names, comments, layout and the workbook's skeleton do not count. This is a hint and "
            "no verdict: short programs that follow one lesson look alike. The last column says "
            "how much both are like the workbook's solution. "
            "Pairs that it explains least come first."
            @if alike.more > 0 { " " (alike.more) " more pairs are not listed." }
        }
        table {
            tr.head {
                th { "Submissions" } th { "Exercise" } th.n { "In common" }
                th.n { "Like the solution" }
            }
            @for pair in &alike.pairs {
                @let names = format!("{} and {}", pair.submissions.0, pair.submissions.1);
                tr {
                    td { a href=(pair.page) { (names) } }
                    td { (pair.exercise) }
                    td.n data-label="in common" { (pair.percent) " %" }
                    td.n data-label="like the solution" { (pair.solution_percent) " %" }
                }
            }
        }
    }
}
