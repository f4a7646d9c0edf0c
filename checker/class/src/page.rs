//! HTML pages: one file each, without scripts, and without fonts or pictures from elsewhere.

use std::fmt::Write;

use crate::model::Submission;
use crate::overview::Overview;

const STYLE: &str = "\
    body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;\
    color:#1b1f24;background:#fff}\
    table{border-collapse:collapse;margin:1rem 0}\
    th,td{text-align:left;padding:.25rem .75rem;border-bottom:1px solid #d0d7de;\
    vertical-align:top}\
    td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\
    pre{background:#f6f8fa;padding:1rem;overflow:auto;font-size:14px}.passed{color:#116329}\
    .failed{color:#a40e26}.blocked,.unknown{color:#57606a}\
    @media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}\
    pre{background:#161b22}th,td{border-color:#30363d}.passed{color:#56d364}\
    .failed{color:#ff7b72}.blocked,.unknown{color:#9198a1}a{color:#79c0ff}}";

/// Escapes text for HTML.
pub(crate) fn escape_html(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

fn page(title: &str, body: &str) -> String {
    let title = escape_html(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n{body}</body></html>\n"
    )
}

fn list(title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String =
        items.iter().map(|item| format!("<li>{}</li>\n", escape_html(item))).collect();
    format!("<h2>{title}</h2>\n<ul>{items}</ul>\n")
}

/// The page of one submission.
pub(crate) fn submission(result: &Submission, report: &str) -> String {
    let mut body = String::new();
    let _ = writeln!(
        body,
        "<p><strong>{} of {} points</strong>, {}.</p>",
        result.points,
        result.max_points,
        result.status.name()
    );
    if let Some(reason) = &result.reason {
        let _ = writeln!(body, "<p>{}</p>", escape_html(reason));
    }
    if !result.exercises.is_empty() {
        body +=
            "<table><tr><th>Check</th><th>Verdict</th><th class=\"n\">Points</th><th></th></tr>\n";
        for check in result.checks() {
            let (id, outcome, summary) =
                (escape_html(&check.id), escape_html(&check.outcome), escape_html(&check.summary));
            let _ = writeln!(
                body,
                "<tr><td>{id}</td><td class=\"{outcome}\">{outcome}</td>\
                 <td class=\"n\">{}/{}</td><td>{summary}</td></tr>",
                check.points, check.max_points
            );
        }
        body += "</table>\n";
    }
    if !result.sandbox.is_empty() {
        let sandbox = escape_html(&result.sandbox_label());
        let _ = writeln!(
            body,
            "<p>Sandbox: {sandbox}; memory is limited by a {}.</p>",
            escape_html(&result.memory_limit)
        );
    }
    body += &list("Notes", &result.notes);
    body += &list("Not submitted", &result.missing);
    body += &list("Not taken from the submission", &result.left_out);
    let _ = writeln!(body, "<h2>Report</h2>\n<pre>{}</pre>", escape_html(report));
    page(&result.name, &body)
}

/// The page of the class.
pub(crate) fn class(results: &[Submission], overview: &Overview) -> String {
    let mut body = String::new();
    let _ = writeln!(
        body,
        "<p>{} submissions: {} graded, {} unreadable, {} broken. \
         {} of {} points on average of the graded.</p>",
        results.len(),
        overview.graded,
        overview.unreadable,
        overview.broken,
        overview.average,
        overview.max_points
    );
    if let Some(stopper) = &overview.stops_most {
        let _ = writeln!(
            body,
            "<p>Most submissions fail first at <strong>{}</strong> ({} submissions).</p>",
            escape_html(&stopper.name),
            stopper.count
        );
    }
    body += "<h2>Submissions</h2>\n<table><tr><th>Submission</th>\
             <th class=\"n\">Points</th><th class=\"n\">Passed</th><th class=\"n\">Failed</th>\
             <th class=\"n\">Blocked</th><th class=\"n\">Unknown</th><th></th></tr>\n";
    for result in results {
        let name = escape_html(&result.name);
        let note = match (&result.reason, &result.same_as) {
            (Some(reason), _) => format!("{}: {}", result.status.name(), escape_html(reason)),
            (None, Some(other)) => format!("the same sources as {}", escape_html(other)),
            (None, None) => String::new(),
        };
        let totals = result.totals;
        let _ = writeln!(
            body,
            "<tr><td><a href=\"submissions/{name}/report.html\">{name}</a></td>\
             <td class=\"n\">{}/{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td>{note}</td></tr>",
            result.points,
            result.max_points,
            totals.passed,
            totals.failed,
            totals.blocked,
            totals.unknown
        );
    }
    body += "</table>\n<h2>Pass rate by check</h2>\n<table><tr><th>Check</th>\
             <th class=\"n\">Passed</th><th class=\"n\">Of</th><th></th></tr>\n";
    for rate in &overview.checks {
        let _ = writeln!(
            body,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td><meter min=\"0\" max=\"{}\" value=\"{}\"></meter></td></tr>",
            escape_html(&rate.id),
            rate.passed,
            rate.judged,
            rate.judged.max(1),
            rate.passed
        );
    }
    body += "</table>\n";
    let alike: Vec<_> = overview.alike.iter().filter(|group| group.submissions.len() > 1).collect();
    if !alike.is_empty() {
        body += "<h2>Likely identical</h2>\n<p>The same tokens but for names, comments and layout. \
                 This is a hint and no verdict: short programs that follow one lesson look alike.\
                 </p>\n<ul>";
        for group in alike {
            let _ = writeln!(
                body,
                "<li>{}: {}</li>",
                escape_html(&group.exercise),
                escape_html(&group.submissions.join(", "))
            );
        }
        body += "</ul>\n";
    }
    page("Class results", &body)
}
