//! Renders a race as tables of 80 columns.

use std::fmt::Write;

use crate::cost::Cost;
use crate::summary::{CPU_MEASURE, Machine, Race, Result};

/// The columns of a bar, and the powers of ten that it spans.
const BAR: f64 = 16.0;
const DECADES: f64 = 5.0;
/// The milliseconds and the bytes at which bars begin.
const SHORTEST: f64 = 0.1;
const FEWEST: f64 = 10.0;

/// Renders a race for the terminal.
pub fn table(race: &Race) -> String {
    let mut out = String::new();
    latencies(&mut out, race);
    costs(&mut out, race);
    growth(&mut out, race);
    notes(&mut out, race);
    out
}

fn latencies(out: &mut String, race: &Race) {
    let _ = writeln!(out, "From sending to arrival, in ms, with one subscriber");
    let _ = writeln!(
        out,
        "{:<18}{:>8}{:>8}{:>8}{:>8}{:>8}  p50, log from {SHORTEST}",
        "", "p50", "p90", "p99", "max", "theory"
    );
    for result in &race.contestants {
        let latency = &result.latency;
        let _ = writeln!(
            out,
            "{:<18}{:>8}{:>8}{:>8}{:>8}{:>8}  {}",
            result.name,
            short(latency.p50),
            short(latency.p90),
            short(latency.p99),
            short(latency.max),
            theory(result),
            bar(latency.p50, SHORTEST)
        );
    }
    out.push('\n');
}

fn costs(out: &mut String, race: &Race) {
    let _ = writeln!(out, "What one subscriber costs on the wire");
    let _ = writeln!(out, "{:<18}{:>17}{:>20}{:>8}", "", "a message", "an idle minute", "");
    let _ = writeln!(
        out,
        "{:<18}{:>8}{:>9}{:>10}{:>10}{:>7}  log from {FEWEST} B",
        "", "requests", "bytes", "requests", "bytes", "join"
    );
    for result in &race.contestants {
        let Some(cost) = result.cost(1) else { continue };
        let idle = result.idle_minute;
        let optional = |figure: Option<f64>| figure.map_or("?".to_string(), count);
        let _ = writeln!(
            out,
            "{:<18}{:>8}{:>9}{:>10}{:>10}{:>7}  {}",
            result.name,
            short(cost.each(cost.requests as u64)),
            count(cost.bytes_each()),
            optional(idle.map(|idle| idle.requests)),
            optional(idle.map(|idle| idle.bytes())),
            count((cost.joining.up + cost.joining.down) as f64),
            bar(cost.bytes_each(), FEWEST)
        );
    }
    out.push('\n');
}

fn growth(out: &mut String, race: &Race) {
    let Some(most) = race.contestants.iter().max_by_key(|result| result.costs.len()) else {
        return;
    };
    let crowds: Vec<usize> = most.costs.iter().map(|cost| cost.subscribers).collect();
    let _ = writeln!(out, "How it grows with the number of subscribers");
    let columns: String = crowds.iter().map(|crowd| format!("{crowd:>10}")).collect();
    let _ = writeln!(out, "{:<18}{columns}{columns}", "");
    let half = crowds.len() * 10;
    let _ = writeln!(out, "{:<18}{:>half$}{:>half$}", "", "bytes for one message", "CPU, in ms *");
    for result in &race.contestants {
        let mut line = format!("{:<18}", result.name);
        for crowd in &crowds {
            let bytes = result.cost(*crowd).map(|cost| {
                (cost.listening.up + cost.listening.down) as f64 / cost.published.max(1) as f64
            });
            let _ = write!(line, "{:>10}", bytes.map_or("-".to_string(), count));
        }
        for crowd in &crowds {
            let cpu = result.cost(*crowd).and_then(Cost::cpu_ms_per_1000);
            let _ = write!(line, "{:>10}", cpu.map_or("-".to_string(), short));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = writeln!(out, "* {CPU_MEASURE}");
    out.push('\n');
}

fn notes(out: &mut String, race: &Race) {
    let Machine { os, arch, cpus, load } = &race.machine;
    let load = load.map(|load| format!(", load {load:.1}")).unwrap_or_default();
    let distance = if race.rtt_ms == 0 {
        "on loopback".to_string()
    } else {
        format!("{} ms away and back", race.rtt_ms)
    };
    let _ = writeln!(
        out,
        "{} events in {:.0} s, one each {} ms on the average (Poisson), {distance};",
        race.events, race.seconds, race.apart_ms
    );
    let _ = writeln!(out, "{os} on {arch}, {cpus} processors{load}; seed {}.", race.seed);
    if let Some(note) = race.few_events() {
        let _ = writeln!(out, "{note}");
    }
    let _ = writeln!(out, "Theory is of the median, on a machine that takes no time.");
    let _ = writeln!(
        out,
        "A second run with this seed counts the same, and has medians within {} ms.",
        short(race.noise_ms)
    );
    let mut left_out = race
        .contestants
        .iter()
        .flat_map(|result| result.left_out.iter().map(|left| (&result.name, left)));
    if let Some((name, left)) = left_out.next() {
        let _ = writeln!(out, "- {name}, {} subscribers: {}.", left.subscribers, left.why);
    }
}

fn theory(result: &Result) -> String {
    if result.theory_ms == 0.0 { "0".to_string() } else { short(result.theory_ms) }
}

/// Formats a number with three significant digits.
pub fn short(figure: f64) -> String {
    match figure {
        0.0 => "0".to_string(),
        f if f < 1.0 => format!("{f:.2}"),
        f if f < 100.0 => format!("{f:.1}"),
        f => format!("{f:.0}"),
    }
}

/// Formats a whole number with a space between thousands.
pub fn count(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// Renders a bar on a logarithmic scale that begins at `from`.
fn bar(figure: f64, from: f64) -> String {
    let decades = (figure / from).log10().clamp(0.0, DECADES);
    let eighths = (decades / DECADES * BAR * 8.0).round() as usize;
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{part}", "█".repeat(eighths / 8))
}
