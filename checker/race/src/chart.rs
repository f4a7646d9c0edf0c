//! Draws a race as an SVG without external references.
//!
//! Each curve has a mark and a label beside its colour, so that the chart can be read in black and
//! white. Text uses the viewer's sans-serif font. The colours follow the viewer's dark mode.

use std::io;

use plotters::coord::{CoordTranslate, Shift};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use thiserror::Error;

use crate::summary::{Point, Race, Result as Shown};
use crate::table::{count, short};
use baseline::transports::plan::Contestant;

const SIZE: (u32, u32) = (900, 860);
const FONT: &str = "sans-serif";
const INK: RGBColor = RGBColor(0x20, 0x22, 0x24);
const PALE: RGBColor = RGBColor(0xd8, 0xda, 0xdc);
const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xfe);
/// Each colour, and its replacement in dark mode.
const DARK: [(&str, &str); 9] = [
    ("#202224", "#e6e8ea"),
    ("#D8DADC", "#3a3e42"),
    ("#FFFFFE", "#16181a"),
    ("#8C2D04", "#f4a582"),
    ("#CC4C02", "#fd8d3c"),
    ("#B07D00", "#f0c24b"),
    ("#2B6A3F", "#7fcf98"),
    ("#08519C", "#74b2ec"),
    ("#6A2C91", "#c99be6"),
];

/// A chart that cannot be drawn.
#[derive(Debug, Error)]
pub enum ChartError {
    /// The drawing backend failed.
    #[error("the chart cannot be drawn: {0}")]
    Draw(#[from] DrawingAreaErrorKind<io::Error>),
    /// The drawing has no first element.
    #[error("the chart is empty")]
    Empty,
}

/// The data of a drawing, which tests compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The cumulative curves.
    pub curves: Vec<Curve>,
    /// Bytes on the wire for each message to one subscriber, both ways.
    pub message: Vec<Bar>,
    /// Bytes on the wire in an idle minute of one subscriber, both ways, where they are known.
    pub idle: Vec<Bar>,
    /// The lower bound: the median latency of a bare relay in milliseconds.
    pub floor_ms: f64,
    /// A sentence about the conditions of the race.
    pub caption: String,
}

/// A curve and its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The contestant.
    pub contestant: Contestant,
    /// The points, from left to right.
    pub points: Vec<Point>,
    /// The median in milliseconds.
    pub p50: f64,
    /// The median of the theory in milliseconds.
    pub theory: f64,
}

/// A bar and its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The contestant.
    pub contestant: Contestant,
    /// Its length.
    pub bytes: f64,
}

/// Returns the data of a race's drawing.
pub fn figure(race: &Race) -> Figure {
    let bars = |bytes: fn(&Shown) -> Option<f64>| {
        let bar = |shown: &Shown| Some(Bar { contestant: shown.key, bytes: bytes(shown)? });
        race.contestants.iter().filter_map(bar).collect()
    };
    let curve = |shown: &Shown| Curve {
        contestant: shown.key,
        points: shown.curve.clone(),
        p50: shown.latency.p50,
        theory: shown.theory_ms,
    };
    let distance = if race.rtt_ms == 0 {
        "on loopback".to_string()
    } else {
        format!("round trip {} ms", race.rtt_ms)
    };
    Figure {
        curves: race.contestants.iter().map(curve).collect(),
        message: bars(|shown| shown.cost(1).map(crate::cost::Cost::bytes_each)),
        idle: bars(|shown| shown.idle_minute.map(|idle| idle.bytes())),
        floor_ms: race.of(Contestant::Relay).map_or(0.0, |floor| floor.latency.p50),
        caption: format!(
            "{} events, one each {} ms on the average, {distance}; {} {}, {} processors; seed {}",
            race.events,
            race.apart_ms,
            race.machine.os,
            race.machine.arch,
            race.machine.cpus,
            race.seed
        ),
    }
}

/// Draws the figure.
pub fn svg(figure: &Figure) -> Result<String, ChartError> {
    let mut out = String::new();
    draw(figure, &mut out)?;
    let (head, body) = out.split_once(">\n").ok_or(ChartError::Empty)?;
    let dark: String = DARK
        .iter()
        .map(|(light, dark)| {
            format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
        })
        .collect();
    let faces = "text{font-family:system-ui,'DejaVu Sans',Arial,sans-serif}";
    let title =
        "From sending to arrival, and bytes on the wire: polling, server-sent events, WebSocket";
    Ok(format!(
        "{head} role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n\
         <style>{faces}@media(prefers-color-scheme:dark){{{dark}}}</style>\n{body}"
    ))
}

fn draw(figure: &Figure, out: &mut String) -> Result<(), ChartError> {
    let area = SVGBackend::with_string(out, SIZE).into_drawing_area();
    area.fill(&PAPER)?;
    let (curves, bars) = area.split_vertically(500);
    let (curves, names) = curves.split_horizontally(SIZE.0 - 200);
    draw_curves(figure, &curves)?;
    draw_names(&figure.curves, &names)?;
    let (message, idle) = bars.split_horizontally(SIZE.0 / 2 + 70);
    draw_bars(&figure.message, "Bytes for each message delivered (both ways)", true, &message)?;
    draw_bars(&figure.idle, "Bytes in an idle minute (both ways)", false, &idle)?;
    let caption = ink(12).pos(Pos::new(HPos::Center, VPos::Bottom));
    area.draw(&Text::new(figure.caption.clone(), (SIZE.0 as i32 / 2, SIZE.1 as i32 - 8), caption))?;
    area.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw_curves(figure: &Figure, area: &Area) -> Result<(), ChartError> {
    let times = || figure.curves.iter().flat_map(|curve| curve.points.iter().map(|point| point.ms));
    let slowest = times().fold(1.0, f64::max) * 1.6;
    let fastest = times().fold(0.1, f64::min).max(0.01) * 0.8;
    let mut chart = ChartBuilder::on(area)
        .caption(
            "From sending to arrival: the share of messages that are there after so long",
            ink(16),
        )
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(54)
        .build_cartesian_2d((fastest..slowest).log_scale(), 0.0..104.0)?;
    chart
        .configure_mesh()
        .light_line_style(PAPER)
        .bold_line_style(PALE)
        .axis_style(INK)
        .label_style(ink(13))
        .axis_desc_style(ink(14))
        .x_desc("milliseconds from sending to arrival (logarithmic)")
        .y_desc("messages arrived, %")
        .x_label_formatter(&|ms| format_tick(*ms))
        .y_label_formatter(&|share| format!("{share:.0}"))
        .y_labels(6)
        .draw()?;
    // The floor is a vertical line at its median.
    let floor = [(figure.floor_ms, 0.0), (figure.floor_ms, 104.0)];
    chart.draw_series(DashedLineSeries::new(floor, 3, 4, INK.stroke_width(1)))?;
    let foot = ink(12).pos(Pos::new(HPos::Right, VPos::Center));
    chart.draw_series([
        EmptyElement::at((figure.floor_ms, 101.5)) + Text::new("floor", (-5, 0), foot)
    ])?;
    for curve in &figure.curves {
        chart.draw_series(LineSeries::new(
            steps(&curve.points),
            colour(curve.contestant).stroke_width(2),
        ))?;
        let marks =
            [10.0, 30.0, 50.0, 70.0, 90.0].map(|share| (percentile(&curve.points, share), share));
        for at in marks {
            mark(curve.contestant, at, chart.plotting_area())?;
        }
    }
    Ok(())
}

/// Draws the legend: marks and medians, in the order of the curves from right to left.
fn draw_names(curves: &[Curve], area: &Area) -> Result<(), ChartError> {
    for (row, curve) in curves.iter().enumerate() {
        let colour = colour(curve.contestant);
        let y = 62 + 54 * row as i32;
        area.draw(&PathElement::new([(4, y), (40, y)], colour.stroke_width(2)))?;
        mark(curve.contestant, (22, y), area)?;
        let left = |size| ink(size).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new(curve.contestant.name(), (48, y - 8), left(13)))?;
        let figures = format!("p50 {} ms, theory {}", short(curve.p50), short(curve.theory));
        area.draw(&Text::new(figures, (48, y + 9), left(12)))?;
    }
    Ok(())
}

/// Draws the mark that tells a curve from the others without its colour. The floor has none.
fn mark<T: CoordTranslate>(
    contestant: Contestant,
    at: T::From,
    area: &DrawingArea<SVGBackend, T>,
) -> Result<(), ChartError>
where
    T::From: Clone,
{
    let (full, thin) = (colour(contestant).filled(), colour(contestant).stroke_width(2));
    match contestant {
        Contestant::Short(period) if period.as_millis() >= 1_000 => {
            area.draw(&Circle::new(at, 5, full))?
        }
        Contestant::Short(period) if period.as_millis() >= 100 => {
            area.draw(&TriangleMarker::new(at, 6, full))?
        }
        Contestant::Short(_) => area.draw(&Cross::new(at, 4, thin))?,
        Contestant::Long => area.draw(&Circle::new(at, 5, thin))?,
        Contestant::Events => {
            let diamond = [(0, -6), (6, 0), (0, 6), (-6, 0), (0, -6)];
            area.draw(&(EmptyElement::at(at) + PathElement::new(diamond, thin)))?;
        }
        Contestant::Push => {
            area.draw(&(EmptyElement::at(at) + Rectangle::new([(-4, -4), (4, 4)], full)))?;
        }
        Contestant::Relay => {}
    }
    Ok(())
}

fn draw_bars(bars: &[Bar], caption: &str, labels: bool, area: &Area) -> Result<(), ChartError> {
    let most = bars.iter().map(|bar| bar.bytes).fold(10.0, f64::max);
    let least = bars.iter().map(|bar| bar.bytes).filter(|bytes| *bytes > 0.0).fold(most, f64::min);
    let from = 10_f64.powf(least.log10().floor());
    // Room at the right for a bar's figure.
    let to = from * (most / from).powf(1.35);
    let rows = bars.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ink(15))
        .margin(12)
        .margin_bottom(34)
        .x_label_area_size(40)
        .y_label_area_size(if labels { 150 } else { 12 })
        .build_cartesian_2d((from..to).log_scale(), 0.0..rows)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(PAPER)
        .bold_line_style(PALE)
        .axis_style(INK)
        .label_style(ink(12))
        .axis_desc_style(ink(13))
        .x_desc(format!("bytes (logarithmic), bars begin at {}", format_tick(from)))
        .x_label_formatter(&|bytes| format_tick(*bytes))
        .x_labels(5)
        .draw()?;
    for (row, bar) in bars.iter().enumerate() {
        let middle = rows - row as f64 - 0.5;
        let colour = colour(bar.contestant);
        let corners = [(from, middle - 0.33), (bar.bytes.max(from), middle + 0.33)];
        // The floor's bar is an outline.
        let style =
            ShapeStyle { filled: bar.contestant != Contestant::Relay, ..colour.stroke_width(2) };
        chart.draw_series([Rectangle::new(corners, style)])?;
        let figure = ink(12).pos(Pos::new(HPos::Left, VPos::Center));
        let end = (bar.bytes.max(from), middle);
        chart.draw_series([EmptyElement::at(end) + Text::new(count(bar.bytes), (6, 0), figure)])?;
        if labels {
            let name = ink(13).pos(Pos::new(HPos::Right, VPos::Center));
            let text = Text::new(bar.contestant.name(), (-8, 0), name);
            chart.draw_series([EmptyElement::at((from, middle)) + text])?;
        }
    }
    Ok(())
}

/// Returns the steps of a cumulative curve, which is level between its points.
fn steps(points: &[Point]) -> Vec<(f64, f64)> {
    let mut before = 0.0;
    let mut line = Vec::new();
    for point in points {
        line.push((point.ms, before));
        before = point.share * 100.0;
        line.push((point.ms, before));
    }
    line
}

/// Returns the milliseconds after which this percentage had arrived.
fn percentile(points: &[Point], share: f64) -> f64 {
    let point = points.iter().find(|point| point.share * 100.0 >= share).or(points.last());
    point.map_or(1.0, |point| point.ms)
}

fn colour(contestant: Contestant) -> RGBColor {
    match contestant {
        Contestant::Short(period) if period.as_millis() >= 1_000 => RGBColor(0x8c, 0x2d, 0x04),
        Contestant::Short(period) if period.as_millis() >= 100 => RGBColor(0xcc, 0x4c, 0x02),
        Contestant::Short(_) => RGBColor(0xb0, 0x7d, 0x00),
        Contestant::Long => RGBColor(0x2b, 0x6a, 0x3f),
        Contestant::Events => RGBColor(0x6a, 0x2c, 0x91),
        Contestant::Push => RGBColor(0x08, 0x51, 0x9c),
        Contestant::Relay => INK,
    }
}

fn ink(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// Formats the label of an axis: 0.1, 1, 10, 1 000.
fn format_tick(figure: f64) -> String {
    if figure >= 1.0 {
        return count(figure);
    }
    format!("{figure:.3}").trim_end_matches('0').trim_end_matches('.').to_string()
}
