//! The tables, the JSON and the chart.

use std::fmt::Write;
use std::path::Path;

use plotters::prelude::*;
use serde_json::{Value, json};

use crate::figures::{Figures, Row};
use crate::peer::Peer;
use crate::steps::Step;
use crate::workload::{Load, Quantity};

/// The width of a row's title.
const TITLE: usize = 38;
/// The width of a peer's column: the longest name is `fastwebsockets`.
const CELL: usize = 14;

/// Where and how a run was measured.
pub struct Conditions {
    /// The machine in one line.
    pub machine: String,
    /// The number of rounds.
    pub rounds: u32,
    /// Server and generator have a processor each.
    pub pinned: bool,
}

impl Conditions {
    /// Returns the lines above the tables.
    pub fn render(&self) -> String {
        let how = if self.pinned {
            "The server and the load generator have one processor each. Rates are for each second\n\
             of the server's CPU time."
        } else {
            "Server and load generator share the processors. Rates are by the clock."
        };
        let rounds = if self.rounds == 1 { "1 round" } else { &format!("{} rounds", self.rounds) };
        format!("{}. Medians of {rounds}; the servers take turns.\n{how}\n", self.machine)
    }
}

/// Renders the tables that compare the peers.
pub fn table(figures: &Figures, peers: &[Peer]) -> String {
    let others: Vec<Peer> = peers.iter().copied().filter(|peer| *peer != Peer::Node).collect();
    let mut out = String::from(
        "How many times better than Node's ws. A * marks a load with a backlog: one write can\n\
         carry many messages.\n\n",
    );
    header(&mut out, &others);
    for row in &figures.rows {
        let cell = |peer| row.ratio(peer).map(|ratio| format!("{ratio:.2}"));
        line(&mut out, &title(row), others.iter().map(|peer| cell(*peer)));
    }
    out.push_str("\nThe values: medians, and below them the range over the rounds.\n\n");
    header(&mut out, peers);
    for row in &figures.rows {
        let values = peers.iter().map(|peer| row.value(*peer).map(short));
        line(&mut out, &format!("{}, {}", title(row), row.quantity.unit()), values);
        let range = |(least, most)| format!("{}-{}", short(least), short(most));
        line(&mut out, "", peers.iter().map(|peer| row.spread(*peer).map(range)));
    }
    let rates = || figures.rows.iter().filter(|row| row.quantity == Quantity::Rate);
    if rates().next().is_some() {
        out.push_str("\nLatency, 99th percentile in ms, and the server's CPU load.\n\n");
        header(&mut out, peers);
        for row in rates() {
            let cell = |peer| {
                let p99 = row.median(peer, |sample| sample.p99);
                let p99 = p99.map_or("-".to_string(), |p99| format!("{p99:.2}"));
                let busy = row.median(peer, |sample| sample.busy)?;
                Some(format!("{p99} {:.0} %", busy * 100.0))
            };
            line(&mut out, &title(row), peers.iter().map(|peer| cell(*peer)));
        }
    }
    out
}

fn header(out: &mut String, peers: &[Peer]) {
    line(out, "", peers.iter().map(|peer| Some(peer.to_string())));
}

/// Appends one line of a table. A title too long for its column has a line of its own.
fn line(out: &mut String, title: &str, cells: impl Iterator<Item = Option<String>>) {
    let mut row = format!("{title:TITLE$}");
    if title.chars().count() > TITLE {
        row = format!("{title}\n{:TITLE$}", "");
    }
    for cell in cells {
        let _ = write!(row, " {:>CELL$}", cell.unwrap_or_default());
    }
    let _ = writeln!(out, "{}", row.trim_end());
}

fn title(row: &Row) -> String {
    let star = if row.load.has_backlog() { " *" } else { "" };
    match row.quantity {
        Quantity::Rate => format!("{}{star}", row.load),
        Quantity::Memory => format!("{}: memory", row.load),
        Quantity::Ping => format!("{}: pings", row.load),
    }
}

fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.2}M", v / 1e6),
        v if v >= 1e4 => format!("{:.0}k", v / 1e3),
        v if v >= 100.0 => format!("{v:.0}"),
        v => format!("{v:.1}"),
    }
}

/// Renders the targets of `solution-fast` and what was reached. Returns `None` if none of them was
/// measured.
pub fn targets(figures: &Figures) -> Option<String> {
    let ratio = |load, quantity| figures.row(load, quantity)?.ratio(Peer::Fast);
    let rate = |load| ratio(load, Quantity::Rate);
    let memory = figures.row(Load::IDLE, Quantity::Memory).and_then(|row| row.value(Peer::Fast));
    let at_least = |least: f64, value: f64| (format!("{value:.2}"), value >= least);
    let targets = [
        (
            "echo, 64 B, 16 in flight: at least 10 times ws",
            rate(Load::ECHO_PIPELINED).map(|value| at_least(10.0, value)),
        ),
        (
            "broadcast, 100 clients, 64 in flight: at least 15 times ws",
            rate(Load::BROADCAST_PIPELINED).map(|value| at_least(15.0, value)),
        ),
        (
            "idle connection: at most 8 KiB",
            memory.map(|value| (format!("{value:.1}"), value <= 8.0)),
        ),
        (
            "ping: at least as cheap as ws",
            ratio(Load::IDLE, Quantity::Ping).map(|value| at_least(1.0, value)),
        ),
    ];
    let mut out = String::from("The targets of `fast`.\n\n");
    let before = out.len();
    for (target, reached) in targets {
        let Some((value, reached)) = reached else { continue };
        let verdict = if reached { "reached" } else { "missed" };
        let _ = writeln!(out, "{target:60} {value:>8} {verdict}");
    }
    (out.len() > before).then_some(out)
}

/// Renders one row for each step from the plain server to the tuned one.
pub fn steps(figures: &Figures, steps: &[Step]) -> String {
    let columns = [
        (Load::ECHO_PIPELINED, Quantity::Rate, "echo 64 B *"),
        (Load::ECHO_LARGE, Quantity::Rate, "echo 64 KiB"),
        (Load::BROADCAST_PIPELINED, Quantity::Rate, "to 100 *"),
        (Load::BROADCAST_SINGLE, Quantity::Rate, "to 100"),
        (Load::IDLE, Quantity::Memory, "memory"),
        (Load::IDLE, Quantity::Ping, "pings"),
    ];
    let mut out = String::from("Step by step: how many times better than Node's ws.\n\n");
    let mut row = |title: &str, cells: [String; 6]| {
        let _ = write!(out, "{title:22}");
        for cell in cells {
            let _ = write!(out, " {cell:>11}");
        }
        out.push('\n');
    };
    row("", columns.map(|(_, _, heading)| heading.to_string()));
    for (number, step) in steps.iter().enumerate() {
        let cells = columns.map(|(load, quantity, _)| {
            let ratio = figures.row(load, quantity).and_then(|row| row.ratio(Peer::Step(number)));
            ratio.map_or("-".to_string(), |ratio| format!("{ratio:.2}"))
        });
        // The first patch only adds the mode in which echo loads are measured.
        row(if number == 0 { "plain" } else { &step.name }, cells);
    }
    out
}

/// Renders the cost for each client against the number of clients.
pub fn growth(figures: &Figures) -> String {
    let mut out = String::from("How the cost of `fast` grows with its clients.\n\n");
    let _ = writeln!(
        out,
        "{:>8} {:>24} {:>28}",
        "clients", "µs a delivery, one at a time", "KiB a connection"
    );
    for (clients, delivery, memory) in per_client(figures) {
        let cell =
            |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.2}"));
        let _ = writeln!(out, "{clients:>8} {:>24} {:>28}", cell(delivery), cell(memory));
    }
    out
}

/// A number of clients, microseconds of CPU time for one delivery, KiB for one connection.
type PerClient = (usize, Option<f64>, Option<f64>);

fn per_client(figures: &Figures) -> Vec<PerClient> {
    let mut sizes: Vec<usize> = Load::growth().iter().map(|load| load.clients()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let value = |load, quantity| figures.row(load, quantity)?.value(Peer::Fast);
    let row = |clients| {
        let rate = value(Load::Broadcast { clients, in_flight: 1 }, Quantity::Rate);
        (clients, rate.map(|rate| 1e6 / rate), value(Load::Idle { clients }, Quantity::Memory))
    };
    sizes.into_iter().map(row).collect()
}

/// Converts everything that was measured to JSON.
pub fn json(
    figures: &Figures,
    grown: &Figures,
    missing: &[(Peer, String)],
    conditions: &Conditions,
) -> Value {
    let rows = |figures: &Figures| -> Vec<Value> {
        let row = |row: &Row| {
            let peers: serde_json::Map<String, Value> = row
                .samples
                .iter()
                .map(|(peer, samples)| {
                    let (median, ratio) = (row.value(*peer), row.ratio(*peer));
                    let value =
                        json!({"median": median, "times_better_than_ws": ratio, "rounds": samples});
                    (peer.to_string(), value)
                })
                .collect();
            json!({
                "load": row.load.to_string(),
                "quantity": row.quantity,
                "unit": row.quantity.unit(),
                "backlog": row.load.has_backlog(),
                "peers": peers,
            })
        };
        figures.rows.iter().map(row).collect()
    };
    let missing: Vec<Value> =
        missing.iter().map(|(peer, why)| json!({"peer": peer.to_string(), "why": why})).collect();
    json!({
        "machine": conditions.machine,
        "rounds": conditions.rounds,
        "missing": missing,
        "loads": rows(figures),
        "growth": rows(grown),
    })
}

/// Draws the CPU time of a broadcast and the memory of all connections against the number of
/// clients, on logarithmic axes. A grey line shows proportional growth.
///
/// # Errors
/// If the file cannot be written.
pub fn chart(
    figures: &Figures,
    path: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let rows = per_client(figures);
    let series = |of: &dyn Fn(&PerClient) -> Option<f64>| -> Vec<(f64, f64)> {
        rows.iter().filter_map(|row| Some((row.0 as f64, of(row)? * row.0 as f64))).collect()
    };
    let panels = [
        ("A broadcast to all: µs of the server's CPU time", series(&|row| row.1)),
        ("All connections: KiB of the server's memory", series(&|row| row.2)),
    ];
    let root = SVGBackend::new(path, (960, 420)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| error.to_string())?;
    for (area, (caption, points)) in root.split_evenly((1, 2)).iter().zip(&panels) {
        draw(area, caption, points).map_err(|error| error.to_string())?;
    }
    root.present().map_err(|error| error.to_string())?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw(
    area: &Area<'_>,
    caption: &str,
    points: &[(f64, f64)],
) -> Result<(), Box<dyn std::error::Error>> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(()) };
    // The cost if every client were as cheap as one of the largest number.
    let straight = |clients: f64| last.1 * clients / last.0;
    let low =
        points.iter().map(|point| point.1.min(straight(point.0))).fold(f64::MAX, f64::min).max(0.1);
    let high = points.iter().map(|point| point.1).fold(0.0, f64::max) * 2.0;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d((first.0..last.0 * 1.2).log_scale(), (low / 2.0..high).log_scale())?;
    chart.configure_mesh().x_desc("clients").light_line_style(WHITE).draw()?;
    let line = points.iter().map(|point| (point.0, straight(point.0)));
    chart.draw_series(LineSeries::new(line, BLACK.mix(0.3)))?;
    let measured = LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)).point_size(4);
    chart.draw_series(measured)?;
    Ok(())
}
