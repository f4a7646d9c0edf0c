//! Renders a race as a page that needs no network.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::summary::{CPU_MEASURE, Race, Result};
use super::table::{count, short};

const STYLE: &str = "
  :root { color-scheme: light dark; --ink: #202224; --paper: #fffffe; --line: #d8dadc; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6e8ea; --paper: #16181a; --line: #3a3e42; }
  }
  body { font: 16px/1.5 system-ui, 'DejaVu Sans', Arial, sans-serif; color: var(--ink);
         background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  svg { width: 100%; min-width: 44rem; height: auto; }
  figure { margin: 1rem 0; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  figcaption { font-weight: bold; padding: .5rem 0; }
  th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); text-align: right; }
  td, th:first-child { white-space: nowrap; }
  th:first-child { text-align: left; font-weight: normal; }
";

/// Renders the page, with this SVG drawing in it.
pub fn html(race: &Race, drawing: &str) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Polling against push" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Polling against push" }
                p { (conditions(race)) }
                div.wide { (PreEscaped(drawing)) }
                (latencies(race))
                (costs(race))
                @for (caption, figure) in GROWTH {
                    (growth(race, caption, figure))
                }
                @for result in &race.contestants {
                    @for left in &result.left_out {
                        p { (result.name) ", " (left.subscribers) " subscribers: " (left.why) "." }
                    }
                }
                p {
                    "A second race with seed " (race.seed)
                    " counts the same, and has medians within " (short(race.noise_ms)) " ms."
                }
            }
        }
    };
    page.into_string()
}

fn latencies(race: &Race) -> Markup {
    let heads = ["p50", "p50, 95 % interval", "p90", "p99", "max", "p50 in theory"];
    let caption = "From sending to arrival, in milliseconds, with one subscriber";
    table(race, caption, heads, |result| {
        let latency = &result.latency;
        let (low, high) = latency.p50_between;
        vec![
            short(latency.p50),
            format!("{} to {}", short(low), short(high)),
            short(latency.p90),
            short(latency.p99),
            short(latency.max),
            short(result.theory_ms),
        ]
    })
}

fn costs(race: &Race) -> Markup {
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
    table(race, "What one subscriber costs on the wire", heads, |result| {
        let (cost, idle) = (result.cost(1), result.idle_minute);
        let optional = |figure: Option<f64>| figure.map_or("?".to_string(), count);
        vec![
            cost.map_or("?".to_string(), |cost| short(cost.each(cost.requests as u64))),
            optional(cost.map(|cost| cost.each(cost.listening.up))),
            optional(cost.map(|cost| cost.each(cost.listening.down))),
            optional(idle.map(|idle| idle.requests)),
            optional(idle.map(|idle| idle.bytes_up)),
            optional(idle.map(|idle| idle.bytes_down)),
            optional(cost.map(|cost| cost.joining.up as f64)),
            optional(cost.map(|cost| cost.joining.down as f64)),
        ]
    })
}

type Figure = fn(&Result, usize) -> Option<String>;

const GROWTH: [(&str, Figure); 2] = [
    (
        "Bytes on the wire, both ways, for each message published to all subscribers",
        |result, crowd| {
            let cost = result.cost(crowd)?;
            let bytes = (cost.listening.up + cost.listening.down) as f64;
            Some(count(bytes / cost.published.max(1) as f64))
        },
    ),
    (CPU_MEASURE, |result, crowd| result.cost(crowd)?.cpu_ms_per_1000().map(short)),
];

fn growth(race: &Race, caption: &str, figure: Figure) -> Markup {
    let most = race.contestants.iter().max_by_key(|result| result.costs.len());
    let costs = most.map_or(&[][..], |result| &result.costs);
    let heads = costs.iter().map(|cost| format!("{} subscribers", cost.subscribers));
    table(race, caption, heads, |result| {
        costs
            .iter()
            .map(|cost| figure(result, cost.subscribers).unwrap_or("–".to_string()))
            .collect()
    })
}

fn conditions(race: &Race) -> String {
    let distance = if race.rtt_ms == 0 {
        "on loopback".to_string()
    } else {
        format!("round trip {} ms", race.rtt_ms)
    };
    let load = race.machine.load.map(|load| format!(", load {load:.1}")).unwrap_or_default();
    format!(
        "{} events at random times in {:.0} s, with a mean of {} ms between them, published to {} \
         and to an HTTP baseline, {distance}. {} on {}, {} processors{load}. The dashed line is \
         the floor: a TCP relay without a protocol. {}",
        race.events,
        race.seconds,
        race.apart_ms,
        race.server,
        race.machine.os,
        race.machine.arch,
        race.machine.cpus,
        race.few_events().unwrap_or_default()
    )
}

fn table(
    race: &Race,
    caption: &str,
    heads: impl IntoIterator<Item = impl maud::Render>,
    row: impl Fn(&Result) -> Vec<String>,
) -> Markup {
    html! {
        figure {
            figcaption { (caption) }
            div.wide {
                table {
                    tr { th {} @for head in heads { th { (head) } } }
                    @for result in &race.contestants {
                        tr {
                            th { (result.name) }
                            @for cell in row(result) { td { (cell) } }
                        }
                    }
                }
            }
        }
    }
}
