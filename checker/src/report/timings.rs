//! Renders where the time of a grading went.

use std::fmt::Write;
use std::time::Duration;

use crate::grade::Graded;
use harness::exercise::Exercise;

/// The width of the bars, in columns.
const COLUMNS: u64 = 36;

/// Draws each check's start and duration on one scale, and names what limits the whole.
///
/// `spared` lists exercises that did not wait for uptime, because the program passed before.
pub fn table(graded: &[Graded], build: Duration, total: Duration, spared: &[Exercise]) -> String {
    let mut out = String::new();
    let end = graded.iter().map(|graded| graded.span.1).max().unwrap_or_default().max(1);
    let _ = writeln!(
        out,
        "{:<24} {:>6} {:>6}  0 ms {:>width$} ms",
        "check",
        "start",
        "ms",
        end,
        width = COLUMNS as usize - 8
    );
    for graded in graded {
        let (from, to) = (graded.span.0 * COLUMNS / end, (graded.span.1 * COLUMNS).div_ceil(end));
        let bar = "█".repeat(usize::try_from(to - from).unwrap_or_default());
        let before = " ".repeat(usize::try_from(from).unwrap_or_default());
        let _ = writeln!(
            out,
            "{:<24} {:>6} {:>6}  {before}{bar}",
            graded.check.id, graded.span.0, graded.millis
        );
    }
    let _ = writeln!(
        out,
        "\nbuild {:.2} s, checks {:.2} s, in all {:.2} s",
        build.as_secs_f64(),
        end as f64 / 1_000.0,
        total.as_secs_f64()
    );
    if let Some(longest) = graded.iter().max_by_key(|graded| graded.millis) {
        let share = longest.millis * 100 / end;
        let _ = writeln!(
            out,
            "the longest check is {} with {} ms, {share} % of the checks' time",
            longest.check.id, longest.millis
        );
    }
    let slack = |graded: &Graded| graded.lateness.map(|late| late.limit.saturating_sub(late.worst));
    if let Some(tightest) =
        graded.iter().filter(|graded| slack(graded).is_some()).min_by_key(|graded| slack(graded))
        && let Some(late) = tightest.lateness
    {
        let _ = writeln!(
            out,
            "heartbeats: events came up to {} ms late; from {} ms on, no failure counts; \
             slack {} ms ({})",
            late.worst.as_millis(),
            late.limit.as_millis(),
            late.limit.saturating_sub(late.worst).as_millis(),
            tightest.check.id
        );
    }
    for exercise in spared {
        let _ = writeln!(
            out,
            "{exercise} did not wait for its first second: this program passed in an earlier run"
        );
    }
    out
}
