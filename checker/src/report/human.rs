//! Renders verdicts as text in 80 columns, with colours.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::json::Totals;
use crate::grade::{Graded, Outcome, Report};
use crate::known_mistakes;
use harness::exercise::{Exercise, Target};
use harness::verdict::FailureKind;
use harness::wire::transcript::TranscriptLine;

const WIDTH: usize = 80;
/// The column where the text after a label begins.
const INDENT: usize = 11;
/// The number of characters shown before and after the first difference of two texts.
const AROUND: usize = 26;

pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const DIM: Style = Style::new().dimmed();
const LABEL: Style = AnsiColor::Cyan.on_default();
pub(super) const STRONG: Style = Style::new().bold();

/// Renders a failed check with its evidence.
pub fn failure(graded: &Graded, report: &Report) -> String {
    let mut out = String::new();
    let summary = format!("{}: {}", graded.check.id, report.words.headline);
    for line in textwrap::wrap(&summary, WIDTH) {
        let _ = writeln!(out, "{BAD}{line}{BAD:#}");
    }
    if report.failure.kind == FailureKind::NotStarted {
        write_row(&mut out, "next", &report.hint);
        return out;
    }
    out.push('\n');
    write_row(&mut out, "contract", graded.check.row());
    write_row(&mut out, "when", &report.words.when);
    if report.failure.kind == FailureKind::DoesNotCompile {
        let _ = writeln!(out, "\n{}", report.words.got);
    } else if report.words.literal {
        literal(&mut out, &report.words.expected, &report.words.got);
    } else {
        write_row(&mut out, "expected", &report.words.expected);
        write_row(&mut out, "got", &report.words.got);
    }
    conversation(&mut out, &report.transcript);
    log(&mut out, report);
    out.push('\n');
    write_row(&mut out, "hint", &report.hint);
    write_row(&mut out, "lesson", graded.check.lesson);
    out
}

pub(super) fn write_row(out: &mut String, label: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    let indent = " ".repeat(INDENT);
    let lines = text.lines().flat_map(|line| textwrap::wrap(line, WIDTH - INDENT));
    for (i, line) in lines.enumerate() {
        let _ = match i {
            0 => writeln!(out, "{LABEL}{label:<INDENT$}{LABEL:#}{line}"),
            _ => writeln!(out, "{indent}{line}"),
        };
    }
}

/// Renders two texts one above the other, with a caret below their first difference.
fn literal(out: &mut String, expected: &str, got: &str) {
    let escaped = |text: &str| -> Vec<String> {
        text.chars().map(|c| c.escape_debug().to_string()).collect()
    };
    let (expected, got) = (escaped(expected), escaped(got));
    let differs = expected
        .iter()
        .zip(&got)
        .position(|(a, b)| a != b)
        .unwrap_or(expected.len().min(got.len()));
    let start = differs.saturating_sub(AROUND);
    let window = |chars: &[String]| {
        let end = (differs + AROUND).min(chars.len());
        let dots = |more: bool| if more { "…" } else { "" };
        format!(
            "{}\"{}\"{}",
            dots(start > 0),
            chars[start.min(end)..end].concat(),
            dots(end < chars.len())
        )
    };
    let _ = writeln!(out, "{LABEL}{:<INDENT$}{LABEL:#}{}", "expected", window(&expected));
    let _ = writeln!(out, "{LABEL}{:<INDENT$}{LABEL:#}{}", "got", window(&got));
    let common: usize = expected[start..differs].iter().map(|c| c.chars().count()).sum();
    let column = INDENT + 1 + usize::from(start > 0) + common;
    let _ = writeln!(out, "{}{BAD}^{BAD:#} differs here", " ".repeat(column));
}

fn conversation(out: &mut String, lines: &[TranscriptLine]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n{STRONG}The conversation{STRONG:#} {DIM}(ms; → to the server, ← to the client){DIM:#}"
    );
    let several = lines.iter().any(|line| line.client != lines[0].client);
    let mut last = 0;
    for line in lines {
        if line.n > last + 1 {
            let _ = writeln!(out, "{DIM}        … {} more …{DIM:#}", line.n - last - 1);
        }
        last = line.n;
        let client = if several { format!("client {:<3}", line.client) } else { String::new() };
        let arrow = if line.direction == "to-server" { "→" } else { "←" };
        let length = line.length.map(|length| length.to_string()).unwrap_or_default();
        // Three dots mark a frame that is not the last of its message.
        let kind = format!("{}{}", line.kind, if line.fin == Some(false) { "…" } else { "" });
        let text = format!(
            "{:>3} {:>7.1}  {client}{arrow} {kind:<13}{length:>5}  {}",
            line.n, line.millis, line.text
        );
        let text = clip(&text, WIDTH - 2);
        let _ = if line.marked {
            writeln!(out, "{BAD}> {text}{BAD:#}")
        } else {
            writeln!(out, "  {}", text.trim_end())
        };
    }
}

fn log(out: &mut String, report: &Report) {
    if !report.panic.is_empty() {
        let _ = writeln!(out, "\n{STRONG}The server panicked{STRONG:#}");
        indent(out, &report.panic);
    }
    let others: Vec<String> =
        report.printed.iter().filter(|line| !report.panic.contains(line)).cloned().collect();
    if !others.is_empty() {
        let _ = writeln!(out, "\n{STRONG}The server printed last{STRONG:#}");
        indent(out, &others);
    }
    if let Some(status) = &report.ended {
        let _ = writeln!(out, "\n{BAD}The server's process ended ({status}).{BAD:#}");
    }
}

fn indent(out: &mut String, lines: &[String]) {
    for line in lines {
        let shown = clip(line, WIDTH - 4);
        let _ = writeln!(out, "    {}", shown.replace(|c: char| c.is_control() && c != '\t', "·"));
    }
}

/// Cuts a line to `width` characters, with `…` at the cut.
fn clip(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_string();
    }
    line.chars().take(width - 1).chain(['…']).collect()
}

/// Renders a verdict in one line.
pub fn line(graded: &Graded) -> String {
    let id = graded.check.id;
    match &graded.outcome {
        Outcome::Passed => format!("{GOOD}  passed{GOOD:#}   {id}"),
        Outcome::Failed(report) => {
            let text = format!("  failed   {id:<22} {}", report.words.headline);
            format!("{BAD}{}{BAD:#}", clip(&text, WIDTH))
        }
        Outcome::Blocked(by) => format!("{DIM}  blocked  {id:<22} by {by}{DIM:#}"),
        Outcome::Inconclusive(reason) => {
            let lines =
                textwrap::wrap(reason, WIDTH - INDENT).join(&format!("\n{}", " ".repeat(INDENT)));
            format!("  unknown  {id}\n{}{lines}", " ".repeat(INDENT))
        }
    }
}

/// Renders all verdicts, one line for each.
pub fn overview(graded: &[Graded]) -> String {
    let mut out = String::new();
    for exercise in Exercise::ALL {
        let of_exercise: Vec<&Graded> =
            graded.iter().filter(|graded| graded.check.exercise == exercise).collect();
        if of_exercise.is_empty() {
            continue;
        }
        let passed =
            of_exercise.iter().filter(|graded| matches!(graded.outcome, Outcome::Passed)).count();
        let _ = writeln!(out, "{STRONG}{exercise}{STRONG:#}  {passed} of {}", of_exercise.len());
        for graded in of_exercise {
            let _ = writeln!(out, "{}", line(graded));
        }
        out.push('\n');
    }
    out
}

/// Renders the totals and the next step, for the end of the output.
pub fn next_step(graded: &[Graded], target: Option<Target>, seed: u64) -> String {
    let totals = Totals::of(graded);
    let mut out = String::new();
    let first = graded.iter().find_map(|graded| match &graded.outcome {
        Outcome::Failed(report) => Some((graded, report)),
        _ => None,
    });
    let count = format!("{} of {} checks passed", totals.passed, totals.all());
    let Some((failed, report)) = first else {
        let _ = match totals.unknown {
            0 => writeln!(
                out,
                "{GOOD}{count}.{GOOD:#} Everything the contract asks for was seen on the wire."
            ),
            n => {
                writeln!(
                    out,
                    "{count}; {n} could not be judged, for the reason beside each.\n\
                     Fix what it names, or close programs that keep this machine busy. \
                     Then run it again."
                )
            }
        };
        return out;
    };
    let blocked = if totals.blocked > 0 {
        format!(", {} wait for those that failed", totals.blocked)
    } else {
        String::new()
    };
    let _ = writeln!(out, "{STRONG}{count}{blocked}.{STRONG:#} (seed {seed})\n");
    let id = failed.check.id;
    let exercise = failed.check.exercise;
    if report.failure.kind == FailureKind::NotStarted {
        let _ = writeln!(out, "{STRONG}Next: {exercise}.{STRONG:#} Not started yet. Start here:");
        write_row(&mut out, "  read", exercise.lesson());
    } else {
        let _ = writeln!(out, "{STRONG}Next: {id}.{STRONG:#}");
        write_row(&mut out, "  why", &report.words.headline);
        write_row(&mut out, "  hint", &report.hint);
        if let Some(piece) = known_mistakes::looks_like(graded, exercise) {
            write_row(
                &mut out,
                "  familiar",
                &format!("this looks like {}: {}", piece.name, piece.sentence),
            );
        }
        write_row(&mut out, "  read", failed.check.lesson);
        write_row(&mut out, "  stuck?", &format!("cargo checker hint {id}"));
    }
    if let Some(target) = target {
        write_row(&mut out, "  edit", &exercise.source(target));
        let prefix = if target == Target::Solutions { "CHECKER_TARGET=solutions " } else { "" };
        write_row(&mut out, "  grade", &format!("{prefix}cargo test -p checker {exercise}::"));
    }
    out
}
