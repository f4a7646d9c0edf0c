//! The report as one self-contained page, with each conversation as a sequence diagram.

use std::fmt::Write;

use crate::grade::{Graded, Outcome, Report};
use crate::report::human::{self, Layout};
use crate::report::json::Totals;
use harness::wire::transcript::TranscriptLine;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;\
padding:0 1rem;color:#1b1b1b;background:#fff}pre{background:#f4f4f4;padding:1rem;overflow-x:auto}\
h2{color:#b00020}svg{max-width:100%;height:auto;font:13px monospace}table{border-collapse:collapse}\
td{padding:.1rem .8rem .1rem 0}";
/// The distances in a diagram, in pixels.
const ROW: usize = 26;
const COLUMN: usize = 150;
const TEXT: usize = 420;

/// Renders all verdicts and each failure.
pub fn page(graded: &[Graded], seed: u64) -> String {
    let totals = Totals::of(graded);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Report</title>\
         <style>{STYLE}</style>\n<h1>{} of {} checks passed</h1>\n<p>Seed {seed}</p>\n<table>\n",
        totals.passed,
        totals.all()
    );
    for graded in graded {
        let (outcome, detail) = match &graded.outcome {
            Outcome::Passed => ("passed", String::new()),
            Outcome::Failed(report) => ("failed", report.words.headline.clone()),
            Outcome::Blocked(by) => ("blocked", format!("by {by}")),
            Outcome::Inconclusive(reason) => ("unknown", reason.clone()),
        };
        let (id, detail) = (graded.check.id, escape(&detail));
        let _ = writeln!(out, "<tr><td>{outcome}<td><a href=\"#{id}\">{id}</a><td>{detail}");
    }
    out.push_str("</table>\n");
    for graded in graded {
        if let Outcome::Failed(report) = &graded.outcome {
            failure(&mut out, graded, report);
        }
    }
    out + "</html>\n"
}

fn failure(out: &mut String, graded: &Graded, report: &Report) {
    let id = graded.check.id;
    let _ = writeln!(out, "<h2 id=\"{id}\">{id}: {}</h2>", escape(&report.words.headline));
    diagram(out, &report.transcript);
    let text = human::failure_in(graded, report, Layout { verbose: true, ..Layout::default() });
    let text = anstream::adapter::strip_str(&text).to_string();
    let _ = writeln!(out, "<pre tabindex=\"0\">{}</pre>", escape(&text));
}

/// Draws one lifeline for each client and one for the server, and an arrow for each event.
fn diagram(out: &mut String, lines: &[TranscriptLine]) {
    let mut clients: Vec<usize> = lines.iter().map(|line| line.client).collect();
    clients.sort_unstable();
    clients.dedup();
    if clients.is_empty() {
        return;
    }
    let x = |client: usize| {
        60 + COLUMN * clients.iter().position(|other| *other == client).unwrap_or_default()
    };
    let server = 60 + COLUMN * clients.len();
    let height = ROW * (lines.len() + 2);
    let _ = writeln!(
        out,
        "<svg viewBox=\"0 0 {} {height}\" xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" \
         aria-label=\"The conversation as a diagram; the text below has the same\">",
        server + TEXT
    );
    let ends = clients.iter().map(|client| (x(*client), format!("client {client}")));
    for (x, name) in ends.chain([(server, "server".to_string())]) {
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"16\" text-anchor=\"middle\">{name}</text>\
             <path d=\"M{x} 22V{height}\" stroke=\"#bbb\"/>"
        );
    }
    for (row, line) in lines.iter().enumerate() {
        let y = ROW * (row + 2) - 8;
        let colour = if line.marked { "#b00020" } else { "#333" };
        let (from, to, tip) = match line.direction {
            "to-server" => (x(line.client), server, server - 7),
            _ => (server, x(line.client), x(line.client) + 7),
        };
        let folded = if line.folded > 0 {
            format!("… {} more, then ", line.folded)
        } else {
            String::new()
        };
        let length = line.length.map(|length| format!(" {length}")).unwrap_or_default();
        let text = escape(&format!("{folded}{}{length} {}", line.kind, line.text));
        let (above, below) = (y - 4, y + 4);
        let _ = writeln!(
            out,
            "<path d=\"M{from} {y}H{to}M{tip} {above}L{to} {y}L{tip} {below}\" fill=\"none\" \
             stroke=\"{colour}\"/><text x=\"{}\" y=\"{below}\" fill=\"{colour}\">{text}</text>",
            server + 12
        );
    }
    out.push_str("</svg>\n");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
