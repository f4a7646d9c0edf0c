//! Snapshots of the output of an invented race.

use std::time::Duration;

use baseline::transports::measure::Sample;
use baseline::transports::plan::Contestant;
use baseline::transports::proxy::Bytes;
use race::chart::{figure, svg};
use race::cost::Cost;
use race::idle::Idle;
use race::summary::{Latency, LeftOut, Machine, Race, Result, curve, histogram};
use race::{csv, page, table};

/// Five messages. Each transport takes ten times as long as the next.
fn made_up() -> Race {
    let contestants = Contestant::ALL.iter().rev().enumerate().map(|(place, key)| {
        let unit = 100 * 4_u64.pow(place as u32);
        let latency = |event| Duration::from_micros(unit * (event as u64 + 8) / 10);
        let samples: Vec<Sample> =
            (0..5).map(|event| Sample { event, subscriber: 0, latency: latency(event) }).collect();
        let histogram = histogram(samples.iter().map(|sample| sample.latency));
        let cost = |subscribers| Cost {
            subscribers,
            published: 5,
            delivered: 5 * subscribers,
            requests: place * subscribers,
            listening: Bytes { up: unit * subscribers as u64, down: 300 * subscribers as u64 },
            publishing: Bytes { up: 500, down: 300 },
            joining: Bytes { up: 100, down: 200 },
            cpu_ms: (place != 2).then_some(unit as f64 / 100.0),
        };
        let many = *key == Contestant::Short(Duration::from_millis(10));
        Result {
            key: *key,
            name: key.name(),
            theory_ms: key
                .theory(Duration::ZERO, Duration::ZERO, Duration::from_millis(30))
                .as_secs_f64()
                * 1_000.0,
            latency: Latency::of(&histogram),
            costs: if many { vec![cost(1)] } else { vec![cost(1), cost(100)] },
            left_out: if many {
                vec![LeftOut { subscribers: 100, why: "too many".to_string() }]
            } else {
                Vec::new()
            },
            idle_minute: (place != 1).then_some(Idle {
                requests: place as f64,
                bytes_up: 0.0,
                bytes_down: unit as f64,
            }),
            seen: Bytes { up: 1, down: 2 },
            curve: curve(&histogram),
            samples,
        }
    });
    let mut contestants: Vec<Result> = contestants.collect();
    contestants.reverse();
    let machine = Machine { os: "linux", arch: "x86_64", cpus: 2, load: Some(0.25) };
    let race = Race {
        seed: 7,
        server: "<yours> & \"mine\"".to_string(),
        rtt_ms: 0,
        apart_ms: 30,
        seconds: 12.0,
        events: 5,
        reconnect: false,
        machine,
        noise_ms: 0.0,
        contestants,
    };
    race.with_noise()
}

#[test]
fn the_table_fits_80_columns() {
    let table = table::table(&made_up());
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    insta::assert_snapshot!(table);
}

/// One measure of CPU time, named in both places. A handful of events is named, too.
#[test]
fn the_table_and_the_page_name_the_same_measures() {
    let mut race = made_up();
    let page = |race: &Race| page::html(race, &svg(&figure(race)).expect("it can be drawn"));
    let measure = "CPU time, in ms for 1 000 messages delivered";
    assert!(table::table(&race).contains(measure));
    assert!(page(&race).contains(measure));
    let few = "p99 of 5 events is the slowest of them; with --every 120 there are 100.";
    assert!(table::table(&race).contains(few));
    assert!(page(&race).contains(few));
    race.events = 100;
    assert!(!table::table(&race).contains("is the slowest of them"));
}

#[test]
fn what_is_drawn_is_what_was_measured() {
    insta::assert_debug_snapshot!(figure(&made_up()));
}

#[test]
fn every_message_is_in_the_csv() {
    insta::assert_snapshot!(csv::csv(&made_up()).expect("it can be written"));
}

#[test]
fn the_json_says_the_same() {
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&made_up().contestants[5]).expect("it is JSON")
    );
}

/// The chart has text elements, no external resources, and colours for dark mode.
#[test]
fn the_drawing_and_the_page_stand_alone() {
    let race = made_up();
    let drawing = svg(&figure(&race)).expect("it can be drawn");
    let page = page::html(&race, &drawing);
    for result in &race.contestants {
        // In the names and in the labels of the bars.
        assert!(
            drawing.matches(result.name.as_str()).count() >= 2,
            "{} is not in the drawing",
            result.name
        );
        assert!(page.contains(&format!("<th>{}</th>", result.name)));
    }
    for words in [
        "milliseconds from sending to arrival",
        "messages arrived, %",
        "bytes (logarithmic)",
        ">\nfloor\n",
    ] {
        assert!(drawing.contains(words), "no {words:?} in the drawing");
    }
    for text in [&drawing, &page] {
        assert!(!text.contains("NaN") && !text.contains("inf\""), "a figure is none");
        let without_namespace = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for elsewhere in ["http:", "https:", "url(", "<script", "@import", "href"] {
            assert!(!without_namespace.contains(elsewhere), "{elsewhere} leads elsewhere");
        }
        assert!(
            text.contains("prefers-color-scheme:dark")
                || text.contains("prefers-color-scheme: dark")
        );
        for tag in ["svg", "text", "style", "title"] {
            let (opened, closed) = (
                text.matches(&format!("<{tag}")).count(),
                text.matches(&format!("</{tag}>")).count(),
            );
            assert_eq!(opened, closed, "<{tag}> and </{tag}>");
        }
    }
    assert!(page.contains("&lt;yours&gt; &amp; &quot;mine&quot;"));
    // Each colour has a dark variant.
    let style = drawing.split_once("</style>").expect("a style");
    for paint in style.1.split(['"', ' ']).filter(|word| word.starts_with('#') && word.len() == 7) {
        assert!(style.0.contains(paint), "{paint} has no colour for the dark");
    }
}
