//! Renders verdicts as text in 80 columns, with colours.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::json::Totals;
use super::remarks::remarks;
use crate::evidence::Observation;
use crate::grade::{Graded, Outcome, Report};
use harness::exercise::{Exercise, Target};
use harness::server::build::{UNUSED_MUST_USE, Warning, workspace};
use harness::verdict::FailureKind;
use harness::wire::transcript::{TranscriptLine, hex};

const WIDTH: usize = 80;
/// The column where the text after a label begins.
const INDENT: usize = 11;
/// The number of characters shown before and after the first difference of two texts.
const AROUND: usize = 26;
/// The number of bytes shown in hexadecimal.
const HEX_BYTES: usize = 8;

pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const DIM: Style = Style::new().dimmed();
const LABEL: Style = AnsiColor::Cyan.on_default();
pub(super) const STRONG: Style = Style::new().bold();

/// The layout of a report.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The number of columns.
    pub width: usize,
    /// The contract's row is shown as well.
    pub verbose: bool,
    /// Only the most telling lines of conversation, output and warnings are shown.
    pub compact: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Layout { width: WIDTH, verbose: false, compact: false }
    }
}

/// Renders a failed check with its evidence.
pub fn failure(graded: &Graded, report: &Report) -> String {
    failure_in(graded, report, Layout::default())
}

/// Renders a failed check with its evidence in this layout.
pub fn failure_in(graded: &Graded, report: &Report, layout: Layout) -> String {
    let (width, check, words) = (layout.width, graded.check, &report.words);
    let mut out = String::new();
    for line in textwrap::wrap(&format!("{}  {}", check.id, words.headline), width) {
        let _ = writeln!(out, "{BAD}{line}{BAD:#}");
    }
    let kind = report.failure.kind;
    if kind == FailureKind::NotStarted {
        row(&mut out, "next", &report.next, width);
        return out;
    }
    out.push('\n');
    if kind == FailureKind::DoesNotCompile {
        let _ = writeln!(out, "{}\n", words.got);
        row(&mut out, "next", &report.next, width);
        return out;
    }
    if layout.verbose {
        row(&mut out, "contract", check.row(), width);
    }
    row(&mut out, "when", &words.when, width);
    if words.literal {
        literal(&mut out, &words.expected, &words.got, width);
    } else {
        row(&mut out, "expected", &words.expected, width);
        row(&mut out, "got", &got(report), width);
    }
    for observation in &report.observations {
        let (label, text) = observed(observation);
        row(&mut out, label, text, width);
    }
    panic(&mut out, report, width);
    if layout.compact {
        // The next step is on the first screen.
        warnings(&mut out, &report.warnings, layout);
        conversation(&mut out, &report.transcript, layout);
        next(&mut out, graded, report, width);
        output(&mut out, report, layout);
    } else {
        conversation(&mut out, &report.transcript, layout);
        output(&mut out, report, layout);
        warnings(&mut out, &report.warnings, layout);
        next(&mut out, graded, report, width);
    }
    out
}

/// Renders the question, and the places that help with it.
fn next(out: &mut String, graded: &Graded, report: &Report, width: usize) {
    let starts = report.failure.kind != FailureKind::DoesNotStart;
    out.push('\n');
    let label = if starts { "question" } else { "next" };
    row(out, label, &report.next, width);
    row(out, "read", graded.check.lesson(), width);
    row(out, "stuck?", &format!("cargo checker hint {}", graded.check.id), width);
}

/// Returns what came, in the words of the frame that did not arrive completely if there is one.
fn got(report: &Report) -> String {
    let unfinished = report.observations.iter().find_map(|observation| match observation {
        Observation::Unfinished { len, arrived } => Some((len, arrived)),
        _ => None,
    });
    match unfinished {
        Some((len, arrived)) => {
            format!("a frame that announced {len} bytes, of which {arrived} came")
        }
        None => report.words.got.clone(),
    }
}

fn observed(observation: &Observation) -> (&'static str, &'static str) {
    match observation {
        Observation::LoggedOnly => ("log", "The server logged this message and sent nothing."),
        Observation::NotLogged => {
            ("log", "The server logged other messages, but not this one: it never read it.")
        }
        Observation::Spinning => {
            ("processor", "The server keeps a processor busy while it sends nothing.")
        }
        Observation::Unfinished { .. } => ("frame", "The last frame is incomplete."),
    }
}

pub(super) fn write_row(out: &mut String, label: &str, text: &str) {
    row(out, label, text, WIDTH);
}

fn row(out: &mut String, label: &str, text: &str, width: usize) {
    if text.is_empty() {
        return;
    }
    let indent = " ".repeat(INDENT);
    let options = textwrap::Options::new(width - INDENT)
        // A link that is broken at a hyphen cannot be copied.
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = text.lines().flat_map(|line| textwrap::wrap(line, &options));
    for (i, line) in lines.enumerate() {
        let _ = match i {
            0 => writeln!(out, "{LABEL}{label:<INDENT$}{LABEL:#}{line}"),
            _ => writeln!(out, "{indent}{line}"),
        };
    }
}

/// Renders two texts one above the other, with a caret below their first difference.
fn literal(out: &mut String, expected_text: &str, got_text: &str, width: usize) {
    let escaped = |text: &str| -> Vec<String> {
        text.chars().map(|c| c.escape_debug().to_string()).collect()
    };
    let (expected, got) = (escaped(expected_text), escaped(got_text));
    let differs = expected
        .iter()
        .zip(&got)
        .position(|(a, b)| a != b)
        .unwrap_or(expected.len().min(got.len()));
    let around = AROUND.min((width - INDENT - 4) / 2);
    let start = differs.saturating_sub(around);
    let window = |chars: &[String]| {
        let end = (differs + around).min(chars.len());
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
    // Different characters may look alike, or be invisible.
    let unclear = |text: &str| text.chars().nth(differs).is_some_and(|c| !c.is_ascii());
    if unclear(expected_text) || unclear(got_text) {
        hexadecimal(out, expected_text, got_text, width);
    }
}

/// Renders two different texts in hexadecimal, from their first difference on.
fn hexadecimal(out: &mut String, expected: &str, got: &str, width: usize) {
    let same: usize = expected
        .chars()
        .zip(got.chars())
        .take_while(|(one, other)| one == other)
        .map(|(same, _)| same.len_utf8())
        .sum();
    let bytes = |text: &str| hex(&text.as_bytes()[same..], HEX_BYTES);
    let text = format!("expected {}, got {}", bytes(expected), bytes(got));
    row(out, "in hex", &text, width);
}

/// The number of lines of a conversation in a compact report.
const COMPACT_LINES: usize = 5;

fn conversation(out: &mut String, lines: &[TranscriptLine], layout: Layout) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "\n{STRONG}The conversation{STRONG:#} {DIM}(ms; → to the server, ← to the client){DIM:#}"
    );
    let several = lines.iter().any(|line| line.client != lines[0].client);
    // The marked line is at the end, because later events are cut.
    let first = if layout.compact { lines.len().saturating_sub(COMPACT_LINES) } else { 0 };
    if first > 0 {
        let _ = writeln!(out, "{DIM}        … {} before …{DIM:#}", lines[first].n - 1);
    }
    for (i, line) in lines.iter().enumerate().skip(first) {
        if line.folded > 0 && i > first {
            let alike = if line.alike { "more like this" } else { "more" };
            let _ = writeln!(out, "{DIM}        … {} {alike} …{DIM:#}", line.folded);
        }
        let client = if several { format!("client {:<3}", line.client) } else { String::new() };
        let arrow = if line.direction == "to-server" { "→" } else { "←" };
        if line.kind == "nothing" {
            let _ = writeln!(out, "{BAD}>              {client}{arrow} {}{BAD:#}", line.text);
            continue;
        }
        let length = line.length.map(|length| length.to_string()).unwrap_or_default();
        // Three dots mark a frame that is not the last of its message.
        let kind = format!("{}{}", line.kind, if line.fin == Some(false) { "…" } else { "" });
        let text = format!(
            "{:>3} {:>7.1}  {client}{arrow} {kind:<13}{length:>5}  {}",
            line.n, line.millis, line.text
        );
        let text = clip(&text, layout.width - 2);
        let _ = if line.marked {
            writeln!(out, "{BAD}> {text}{BAD:#}")
        } else {
            writeln!(out, "  {}", text.trim_end())
        };
    }
}

/// Renders the panic. Its text is wrapped and never cut.
fn panic(out: &mut String, report: &Report, width: usize) {
    if report.panic.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{STRONG}The server panicked{STRONG:#}");
    for line in &report.panic {
        for line in textwrap::wrap(&printable(line), width - 4) {
            let _ = writeln!(out, "    {line}");
        }
    }
}

/// The number of lines of the server's output in a compact report.
const COMPACT_OUTPUT: usize = 2;

fn output(out: &mut String, report: &Report, layout: Layout) {
    let others: Vec<&String> =
        report.printed.iter().filter(|line| !report.panic.contains(line)).collect();
    if !others.is_empty() {
        let _ = writeln!(out, "\n{STRONG}The server printed last{STRONG:#}");
        let first = if layout.compact { others.len().saturating_sub(COMPACT_OUTPUT) } else { 0 };
        for line in &others[first..] {
            let _ = writeln!(out, "    {}", clip(&printable(line), layout.width - 4));
        }
    }
    if let Some(status) = &report.ended {
        let _ = writeln!(out, "\n{BAD}The server's process ended ({status}).{BAD:#}");
    }
}

/// The most warnings in a report.
const WARNINGS: usize = 2;

fn warnings(out: &mut String, warnings: &[Warning], layout: Layout) {
    if warnings.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{STRONG}rustc warned{STRONG:#}");
    let shown = if layout.compact { 1 } else { WARNINGS };
    for warning in warnings.iter().take(shown) {
        for line in shown_lines(warning) {
            let _ = writeln!(out, "    {}", clip(line, layout.width - 4));
        }
    }
    if warnings.len() > shown {
        let _ = writeln!(out, "    {DIM}… {} more{DIM:#}", warnings.len() - shown);
    }
}

/// Returns the lines of a warning without its frame, and without rustc's advice, which may hide the
/// error: `let _ =` silences an unused future. A lint that explains no failure is cut to its place.
fn shown_lines(warning: &Warning) -> impl Iterator<Item = &str> {
    let most = if warning.lint == UNUSED_MUST_USE { usize::MAX } else { 2 };
    warning
        .rendered
        .lines()
        .take_while(|line| !line.starts_with("help:"))
        .filter(|line| !matches!(line.trim(), "" | "|") && !line.contains("= note: `#["))
        .take(most)
}

/// Replaces control characters, which would change the terminal.
fn printable(line: &str) -> String {
    line.replace(|c: char| c.is_control() && c != '\t', "·")
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
            0 => writeln!(out, "{GOOD}{count}.{GOOD:#}"),
            n => {
                writeln!(
                    out,
                    "{count}; {n} could not be judged, for the reason beside each.\n\
                     Fix what it names, or close programs that keep this machine busy. \
                     Then run it again."
                )
            }
        };
        if totals.unknown == 0 && target == Some(Target::Day1) {
            out.push_str(&after_green(graded, "cargo test -p checker"));
        }
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
        let _ = writeln!(out, "{STRONG}Next: {id}{STRONG:#}");
        write_row(&mut out, "  why", &report.words.headline);
        if report.failure.kind == FailureKind::DoesNotCompile {
            write_row(&mut out, "  next", &report.next);
        } else {
            write_row(&mut out, "  question", &report.next);
            write_row(&mut out, "  read", failed.check.lesson());
            write_row(&mut out, "  stuck?", &format!("cargo checker hint {id}"));
        }
    }
    if let Some(target) = target {
        write_row(&mut out, "  edit", &exercise.source(target));
        let prefix = if target == Target::Solutions { "CHECKER_TARGET=solutions " } else { "" };
        write_row(&mut out, "  grade", &format!("{prefix}cargo test -p checker {exercise}::"));
    }
    out
}

/// Renders the next step after the last exercise that passed; empty if a part of it was graded.
///
/// `command` grades an exercise if its name is appended.
pub fn after_green(graded: &[Graded], command: &str) -> String {
    let Some(exercise) = graded.iter().map(|graded| graded.check.exercise).max() else {
        return String::new();
    };
    let count = |graded: usize| {
        graded == checks::all().iter().filter(|check| check.exercise == exercise).count()
    };
    if !count(graded.iter().filter(|graded| graded.check.exercise == exercise).count()) {
        return String::new();
    }
    let mut out = format!("Every check of {exercise} passed.\n\n");
    write_row(&mut out, "compare", &finished(exercise));
    let source = std::fs::read_to_string(workspace().join(exercise.source(Target::Day1)));
    for remark in source.map(|source| remarks(&source)).unwrap_or_default() {
        write_row(&mut out, "remark", remark);
    }
    match Exercise::ALL.into_iter().find(|next| *next > exercise) {
        Some(next) => {
            write_row(&mut out, "next", &format!("Read {}.", next.lesson()));
            let filter = if command.contains("test") { "::" } else { "" };
            write_row(&mut out, "then", &format!("{command} {next}{filter}"));
        }
        None => {
            write_row(&mut out, "next", "That was the last exercise. Read lessons/06-summary.md.")
        }
    }
    out
}

/// Returns the path of the finished exercise, with the line at which the TODOs begin.
fn finished(exercise: Exercise) -> String {
    let path = exercise.source(Target::Solutions);
    let source = std::fs::read_to_string(workspace().join(&path)).unwrap_or_default();
    match source.lines().position(|line| line.starts_with("async fn serve(")) {
        Some(before) => format!("{path}:{}", before + 1),
        None => path,
    }
}
