//! The tables, the JSON and the chart.

use std::fmt::Write;
use std::path::Path;

use plotters::prelude::*;
use serde_json::{Value, json};

use crate::figures::{Figures, Row};
use crate::peer::Peer;
use crate::workload::{Figure, Load};

/// The table for people: ratios first.
pub fn table(
    figures: &Figures,
    peers: &[Peer],
    rounds: usize,
    place: &str,
    pinned: bool,
) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{place}; medians of {rounds} interleaved rounds.");
    let _ = writeln!(
        out,
        "{}\n\nHow many times better than Node's ws. A * marks a backlog: there, one write may serve many messages.\n",
        if pinned {
            "The server on one processor, the generator on another; rates are for each second of the server's processor."
        } else {
            "Servers and generator share the processors; rates are by the clock."
        }
    );
    // The plain ones have a table of their own.
    let peers: Vec<Peer> = peers.iter().copied().filter(|peer| !PLAIN.contains(peer)).collect();
    let others: Vec<Peer> = peers.iter().copied().filter(|peer| *peer != Peer::Node).collect();
    header(&mut out, &others);
    for row in &figures.rows {
        let _ = write!(out, "{:42}", title(row));
        for peer in &others {
            cell(&mut out, row.ratio(*peer, Peer::Node).map(|ratio| format!("{ratio:.2}")));
        }
        out.push('\n');
    }
    let _ = writeln!(out, "\nThe figures themselves, and their spread over the rounds.\n");
    header(&mut out, &peers);
    for row in &figures.rows {
        let _ = write!(out, "{:42}", format!("{}, {}", title(row), row.figure.unit()));
        for peer in &peers {
            cell(&mut out, row.median(*peer, |told| Some(told.value)).map(short));
        }
        let _ = write!(out, "\n{:42}", "");
        for peer in &peers {
            cell(
                &mut out,
                row.spread(*peer).map(|(least, most)| format!("{}-{}", short(least), short(most))),
            );
        }
        out.push('\n');
    }
    if figures.rows.iter().all(|row| row.figure != Figure::Rate) {
        return out;
    }
    let _ = writeln!(
        out,
        "\nThe slowest of 100 messages, in milliseconds (told, not judged), and how busy the server was.\n"
    );
    header(&mut out, &peers);
    for row in figures.rows.iter().filter(|row| row.figure == Figure::Rate) {
        let _ = write!(out, "{:42}", title(row));
        for peer in &peers {
            let p99 = row
                .median(*peer, |told| told.p99)
                .map_or("-".to_string(), |p99| format!("{p99:.2}"));
            let busy = row
                .median(*peer, |told| told.busy)
                .map(|busy| format!("{p99} {:.0} %", busy * 100.0));
            cell(&mut out, busy);
        }
        out.push('\n');
    }
    out
}

const PLAIN: [Peer; 2] = [Peer::Plain, Peer::PlainSmall];

/// What the solutions gained over the plainest server on the same library, each as a ratio to ws; nothing where the
/// plain ones were not measured.
pub fn gained(figures: &Figures) -> Option<String> {
    let columns = [Peer::Plain, Peer::PlainSmall, Peer::Solution];
    let mut out = String::from("How many times better than Node's ws; a * marks a backlog.\n\n");
    let _ = write!(out, "{:42}", "");
    for peer in columns {
        let _ = write!(out, " {:>11}", peer.name());
    }
    let before = out.len();
    for row in &figures.rows {
        let ratios: Option<Vec<f64>> =
            columns.iter().map(|peer| row.ratio(*peer, Peer::Node)).collect();
        let Some(ratios) = ratios else { continue };
        let _ = write!(out, "\n{:42}", title(row));
        for ratio in ratios {
            let _ = write!(out, " {ratio:>11.2}");
        }
    }
    (out.len() > before).then_some(out + "\n")
}

fn header(out: &mut String, peers: &[Peer]) {
    let _ = write!(out, "{:42}", "");
    for peer in peers {
        let _ = write!(out, " {:>14}", peer.name());
    }
    out.push('\n');
}

fn cell(out: &mut String, text: Option<String>) {
    let _ = write!(out, " {:>14}", text.unwrap_or_default());
}

fn title(row: &Row) -> String {
    let star = if row.load.has_backlog() { " *" } else { "" };
    match row.figure {
        Figure::Rate => format!("{}{star}", row.load),
        Figure::Memory => format!("{}: memory", row.load),
        Figure::Ping => format!("{}: pings", row.load),
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

/// How the cost grows with the clients, in words.
pub fn growth(figures: &Figures) -> String {
    let mut out = String::from("How the solution's cost grows with its clients.\n\n");
    let _ = writeln!(
        out,
        "{:>8} {:>24} {:>28}",
        "clients", "µs a delivery, one at a time", "KiB a connection"
    );
    for (clients, delivery, memory) in per_client(figures) {
        let tell =
            |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.2}"));
        let _ = writeln!(out, "{clients:>8} {:>24} {:>28}", tell(delivery), tell(memory));
    }
    out
}

/// A number of clients, microseconds of processor for a delivery to one of them, and KiB for its connection.
type PerClient = (usize, Option<f64>, Option<f64>);

fn per_client(figures: &Figures) -> Vec<PerClient> {
    let mut sizes: Vec<usize> = Load::growing().iter().map(|load| load.clients()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let of = |load: Load, figure: Figure| {
        let row = figures.rows.iter().find(|row| row.load == load && row.figure == figure)?;
        row.median(Peer::Solution, |told| Some(told.value))
    };
    let one = |clients| {
        let rate = of(Load::Broadcast { clients, in_flight: 1 }, Figure::Rate);
        (clients, rate.map(|rate| 1e6 / rate), of(Load::Idle { clients }, Figure::Memory))
    };
    sizes.into_iter().map(one).collect()
}

/// All that was measured.
pub fn json(
    figures: &Figures,
    grown: &Figures,
    missing: &[(Peer, String)],
    rounds: usize,
    place: &str,
) -> Value {
    let rows = |figures: &Figures| -> Vec<Value> {
        let row = |row: &Row| {
            let peers: serde_json::Map<String, Value> = row
                .told
                .iter()
                .map(|(peer, told)| {
                    let median = row.median(*peer, |told| Some(told.value));
                    let ratio = row.ratio(*peer, Peer::Node);
                    (
                        peer.name().into(),
                        json!({"median": median, "times_better_than_ws": ratio, "rounds": told}),
                    )
                })
                .collect();
            let (load, unit, backlog) =
                (row.load.to_string(), row.figure.unit(), row.load.has_backlog());
            json!({"load": load, "figure": row.figure, "unit": unit, "backlog": backlog, "peers": peers})
        };
        figures.rows.iter().map(row).collect()
    };
    let missing: Vec<Value> =
        missing.iter().map(|(peer, why)| json!({"peer": peer.name(), "why": why})).collect();
    json!({
        "machine": place,
        "rounds": rounds,
        "missing": missing,
        "loads": rows(figures),
        "growth": rows(grown),
    })
}

/// Draws how the cost grows: the time a broadcast takes, and the memory, against the clients, on logarithmic axes,
/// each beside a straight line.
///
/// # Errors
/// When it can't be drawn or written.
pub fn chart(figures: &Figures, path: &Path) -> Result<(), String> {
    let told = per_client(figures);
    let series = |of: &dyn Fn(&PerClient) -> Option<f64>| -> Vec<(f64, f64)> {
        told.iter().filter_map(|row| Some((row.0 as f64, of(row)? * row.0 as f64))).collect()
    };
    let panels = [
        ("A broadcast to all: µs of the server's processor", series(&|row| row.1)),
        ("All connections: KiB of the server's memory", series(&|row| row.2)),
    ];
    let failed = |error: &dyn std::fmt::Display| format!("the chart can't be drawn: {error}");
    let root = SVGBackend::new(path, (960, 420)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    for (area, (caption, points)) in root.split_evenly((1, 2)).iter().zip(&panels) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
        // From the largest back: what a client costs there, for any number of them.
        let straight = |clients: f64| last.1 * clients / last.0;
        let low = points
            .iter()
            .map(|point| point.1.min(straight(point.0)))
            .fold(f64::MAX, f64::min)
            .max(0.1);
        let high = points.iter().map(|point| point.1).fold(0.0, f64::max) * 2.0;
        let mut chart = ChartBuilder::on(area)
            .caption(*caption, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d((first.0..last.0 * 1.2).log_scale(), (low / 2.0..high).log_scale())
            .map_err(|error| failed(&error))?;
        let mesh = chart.configure_mesh().x_desc("clients").light_line_style(WHITE).draw();
        mesh.map_err(|error| failed(&error))?;
        let line = points.iter().map(|point| (point.0, straight(point.0)));
        chart.draw_series(LineSeries::new(line, BLACK.mix(0.3))).map_err(|error| failed(&error))?;
        let drawn = chart.draw_series(
            LineSeries::new(points.iter().copied(), BLUE.stroke_width(2)).point_size(4),
        );
        drawn.map_err(|error| failed(&error))?;
    }
    root.present().map_err(|error| failed(&error))
}
