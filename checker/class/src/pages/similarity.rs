//! The page with two similar programs side by side.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::similarity::Pair;
use crate::text;

/// More lines of a program are not shown.
const LINES: usize = 2_000;

/// Renders both programs, with the lines marked that they have in common.
pub(crate) fn side_by_side(
    pair: &Pair,
    texts: (&str, &str),
    lines: &(BTreeSet<u32>, BTreeSet<u32>),
) -> String {
    let (first, second) = (&pair.submissions.0, &pair.submissions.1);
    let body = html! {
        p.points { (pair.percent) " % of " (pair.exercise) " in common" }
        p {
            "Names, comments, layout and the workbook's skeleton do not count. "
            "Both are " (pair.solution_percent) " % like the workbook's solution. "
            "This is a hint and no verdict: short programs that follow one lesson look alike."
        }
        div.sides {
            (side(first, texts.0, &lines.0))
            (side(second, texts.1, &lines.1))
        }
    };
    super::page(&format!("{first} and {second}"), &body)
}

fn side(name: &str, program: &str, shared: &BTreeSet<u32>) -> Markup {
    html! {
        section {
            h2 { (name) }
            pre {
                @for (number, line) in (1..).zip(program.lines()).take(LINES) {
                    @let line = text::line(line, 500);
                    @if shared.contains(&number) { mark { (line) } } @else { (line) }
                    "\n"
                }
            }
        }
    }
}
