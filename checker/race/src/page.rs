//! A race as a page that needs no network.

use std::fmt::Write;

use crate::summary::{Race, Result};
use crate::table::{count, short};

const STYLE: &str = "
  :root { color-scheme: light dark; --ink: #202224; --paper: #fffffe; --line: #d8dadc; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --paper: #16181a; --line: #3a3e42; } }
  body { font: 16px/1.5 system-ui, 'DejaVu Sans', Arial, sans-serif; color: var(--ink); background: var(--paper);
         max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  svg { width: 100%; min-width: 44rem; height: auto; }
  figure { margin: 1rem 0; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  figcaption { font-weight: bold; padding: .5rem 0; }
  th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
  td, th:first-child { white-space: nowrap; }
  th:first-child { text-align: left; font-weight: normal; }
";

/// The page, with this drawing in it.
pub fn html(race: &Race, drawing: &str) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Polling against push</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Polling against push</h1>\n"
    );
    let _ = writeln!(out, "<p>{}</p>\n<div class=\"wide\">{drawing}</div>", escape(&story(race)));
    let milliseconds = |result: &Result| {
        let latency = &result.latency;
        let (low, high) = latency.p50_between;
        let figures =
            [latency.p50, latency.p90, latency.p99, latency.max, result.theory_ms].map(short);
        let [p50, p90, p99, max, theory] = figures;
        vec![p50, format!("{} to {}", short(low), short(high)), p90, p99, max, theory]
    };
    let heads = ["p50", "p50, 95 % interval", "p90", "p99", "max", "p50 in theory"];
    table(
        &mut out,
        race,
        "From sending to arrival, in milliseconds, with one subscriber",
        &heads,
        milliseconds,
    );
    let costs = |result: &Result| {
        let (cost, idle) = (result.cost(1), result.idle_minute);
        let told = |figure: Option<f64>| figure.map_or("?".to_string(), count);
        vec![
            cost.map_or("?".to_string(), |cost| short(cost.each(cost.requests as u64))),
            told(cost.map(|cost| cost.each(cost.listening.up))),
            told(cost.map(|cost| cost.each(cost.listening.down))),
            told(idle.map(|idle| idle.requests)),
            told(idle.map(|idle| idle.bytes_up)),
            told(idle.map(|idle| idle.bytes_down)),
            told(cost.map(|cost| cost.joining.up as f64)),
            told(cost.map(|cost| cost.joining.down as f64)),
        ]
    };
    let heads = [
        "requests a message",
        "bytes up",
        "bytes down",
        "requests an idle minute",
        "bytes up",
        "bytes down",
        "joining, bytes up",
        "bytes down",
    ];
    table(&mut out, race, "What one subscriber costs on the wire", &heads, costs);
    for (caption, figure) in GROWTH {
        let crowds: Vec<usize> = crowds(race);
        let heads: Vec<String> =
            crowds.iter().map(|crowd| format!("{crowd} subscribers")).collect();
        let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
        table(&mut out, race, caption, &heads, |result| {
            crowds.iter().map(|crowd| figure(result, *crowd).unwrap_or("–".to_string())).collect()
        });
    }
    for result in &race.contestants {
        for left in &result.left_out {
            let _ = writeln!(
                out,
                "<p>{}, {} subscribers: {}.</p>",
                result.name,
                left.subscribers,
                escape(&left.why)
            );
        }
    }
    let _ = writeln!(
        out,
        "<p>A second race with seed {} counts the same, and has medians within {} ms.</p>\n</body>\n</html>",
        race.seed,
        short(race.noise_ms)
    );
    out
}

type Figure = fn(&Result, usize) -> Option<String>;

const GROWTH: [(&str, Figure); 2] = [
    (
        "Bytes on the wire, both ways, for each message published to so many subscribers",
        |result, crowd| {
            let cost = result.cost(crowd)?;
            Some(count(
                (cost.listening.up + cost.listening.down) as f64 / cost.published.max(1) as f64,
            ))
        },
    ),
    (
        "Milliseconds of the server's processor time for each thousand messages delivered",
        |result, crowd| result.cost(crowd)?.cpu_ms_per_1000().map(short),
    ),
];

/// With how many subscribers it was counted.
pub fn crowds(race: &Race) -> Vec<usize> {
    let most = race.contestants.iter().max_by_key(|result| result.costs.len());
    most.map(|result| result.costs.iter().map(|cost| cost.subscribers).collect())
        .unwrap_or_default()
}

fn story(race: &Race) -> String {
    let distance = if race.rtt_ms == 0 {
        "on loopback".to_string()
    } else {
        format!("{} ms away and back", race.rtt_ms)
    };
    let load = race.machine.load.map(|load| format!(", load {load:.1}")).unwrap_or_default();
    format!(
        "{} events at random moments in {:.0} s, one each {} ms on the average, published to {} and to an HTTP \
         baseline, {distance}. {} on {}, {} processors{load}. The dashed line is the floor: bytes sent on by a bare TCP \
         relay.",
        race.events,
        race.seconds,
        race.apart_ms,
        race.server,
        race.machine.os,
        race.machine.arch,
        race.machine.cpus
    )
}

fn table(
    out: &mut String,
    race: &Race,
    caption: &str,
    heads: &[&str],
    row: impl Fn(&Result) -> Vec<String>,
) {
    let _ = write!(
        out,
        "<figure><figcaption>{}</figcaption><div class=\"wide\"><table>\n<tr><th></th>",
        escape(caption)
    );
    for head in heads {
        let _ = write!(out, "<th>{}</th>", escape(head));
    }
    out.push_str("</tr>\n");
    for result in &race.contestants {
        let _ = write!(out, "<tr><th>{}</th>", escape(&result.name));
        for cell in row(result) {
            let _ = write!(out, "<td>{}</td>", escape(&cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></div></figure>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
