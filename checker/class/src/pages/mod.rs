//! HTML pages: one file each, without scripts, and without fonts or pictures from elsewhere.

mod class;
mod similarity;
mod submission;

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use class::class;
pub(crate) use similarity::side_by_side;
pub(crate) use submission::{hand_back, submission};

/// Below 40 rem a table's cells stand below each other, so that no page scrolls sideways.
const STYLE: &str = "
  :root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d0d7de;
          --box: #f6f8fa; --good: #116329; --bad: #a40e26; --dim: #57606a; }
  @media (prefers-color-scheme: dark) {
    :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --box: #161b22;
            --good: #56d364; --bad: #ff7b72; --dim: #9198a1; }
    a { color: #79c0ff; }
  }
  * { box-sizing: border-box; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto;
         padding: 0 1rem; color: var(--ink); background: var(--paper);
         overflow-wrap: anywhere; }
  table { border-collapse: collapse; margin: 1rem 0; }
  th, td { text-align: left; padding: .25rem .75rem; border-bottom: 1px solid var(--line);
           vertical-align: top; }
  th, .n { white-space: nowrap; }
  td:first-child { min-width: 8rem; }
  .n { text-align: right; font-variant-numeric: tabular-nums; }
  pre { background: var(--box); padding: 1rem; font-size: 14px; white-space: pre-wrap; }
  .passed { color: var(--good); } .failed { color: var(--bad); }
  .blocked, .unknown { color: var(--dim); }
  .points { font-size: 1.5rem; font-weight: bold; }
  .comment, .failure { border-left: .25rem solid var(--line); padding-left: 1rem; }
  .failure { border-color: var(--bad); }
  .bar { background: var(--good); height: 1rem; }
  .bars td:last-child { width: 20rem; }
  meter { max-width: 100%; }
  mark { color: inherit; background: #f5d76e66; }
  .sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
  .sides > * { min-width: 0; }
  @media (max-width: 40rem) {
    body { margin: 1rem auto; }
    table, tbody, tr, td { display: block; }
    tr.head { display: none; }
    .sides { grid-template-columns: 1fr; }
    tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
    td, .bars td:last-child { border: 0; padding: 0; width: auto; }
    td.n { text-align: left; }
    td[data-label]:not(:empty)::before { content: attr(data-label) ': '; color: var(--dim); }
  }
";

/// Renders a page with this title.
fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (body)
            }
        }
    };
    page.into_string() + "\n"
}

/// A list below a heading, or nothing if the list is empty.
fn list(title: &str, items: &[String]) -> Markup {
    html! {
        @if !items.is_empty() {
            h2 { (title) }
            ul { @for item in items { li { (item) } } }
        }
    }
}
