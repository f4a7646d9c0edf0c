//! Reads the Markdown of the lessons line by line.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// A page of Markdown.
pub(crate) struct Page {
    /// From the workspace's root.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A fenced block.
pub(crate) struct Block<'a> {
    pub(crate) page: &'a Page,
    /// The number of its first line.
    pub(crate) line: usize,
    pub(crate) language: &'a str,
    /// The text of the comment above it.
    pub(crate) mark: Option<&'a str>,
    pub(crate) lines: Vec<&'a str>,
}

impl<'a> Block<'a> {
    /// Returns the value of `kind` in the block's comment.
    pub(crate) fn mark(&self, kind: &str) -> Option<&'a str> {
        let mut marks = self.mark?.split(", ").filter_map(|mark| mark.split_once(": "));
        marks.find(|(name, _)| *name == kind).map(|(_, value)| value)
    }
}

pub(crate) fn root() -> PathBuf {
    harness::server::build::workspace()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
        .replace("\r\n", "\n")
}

/// The lessons, in the order of the book's table of contents. Pages without a number are no
/// lessons.
pub(crate) fn lessons() -> Vec<Page> {
    let contents = Page { name: "lessons/SUMMARY.md".into(), text: read("lessons/SUMMARY.md") };
    let files = links(&contents).into_iter().map(|(_, file)| file);
    let files = files.filter(|file| file.starts_with(|c: char| c.is_ascii_digit()));
    let files = files.map(|file| format!("lessons/{file}"));
    let pages: Vec<_> = files.map(|name| Page { text: read(&name), name }).collect();
    assert!(pages.len() >= 6, "there are {} pages only", pages.len());
    pages
}

/// Returns all pages for readers of the workbook.
pub(crate) fn pages() -> Vec<Page> {
    let others = [
        "lessons/SUMMARY.md",
        "lessons/contract.md",
        "lessons/other-languages.md",
        "lessons/quiz.md",
        "lessons/troubleshooting.md",
        "lessons/updates.md",
        "AGENTS.md",
        "day1/AGENTS.md",
        "README.md",
        "CONTRIBUTING.md",
        "day1/README.md",
        "solutions/README.md",
    ];
    let others = others.into_iter().filter(|name| root().join(name).exists());
    let others = others.map(|name| Page { name: name.into(), text: read(name) });
    lessons().into_iter().chain(others).collect()
}

pub(crate) fn blocks(page: &Page) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let mut above = "";
    for (number, line) in page.text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let mark = above.strip_prefix("<!-- ").and_then(|mark| mark.strip_suffix(" -->"));
                open = Some(Block { page, line: number + 2, language, mark, lines: Vec::new() });
            }
            (Some(_), Some(rest)) => {
                assert_eq!(rest, "", "{}:{}: a fence inside of a block", page.name, number + 1);
                found.extend(open.take());
            }
            (Some(block), None) => block.lines.push(line),
            (None, None) => {}
        }
        above = line;
    }
    assert!(open.is_none(), "{}: a block has no end", page.name);
    found
}

/// Returns the lines outside of blocks, with their numbers.
pub(crate) fn prose(page: &Page) -> Vec<(usize, &str)> {
    let mut inside = false;
    let lines = page.text.lines().enumerate().filter(|(_, line)| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    lines.map(|(number, line)| (number + 1, line)).collect()
}

/// Separates a line from its code spans.
pub(crate) fn code_spans(line: &str) -> (String, Vec<&str>) {
    let pieces = line.split('`').enumerate();
    let (text, code): (Vec<_>, Vec<_>) = pieces.partition(|(place, _)| place % 2 == 0);
    (text.iter().map(|(_, piece)| *piece).collect(), code.iter().map(|(_, piece)| *piece).collect())
}

/// Returns the targets of links, with their line numbers.
pub(crate) fn links(page: &Page) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(page) {
        let (text, _) = code_spans(line);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        found.extend(targets.map(|(target, _)| (number, target.to_string())));
    }
    found
}

/// Returns the anchors of a page's headings, as forges and mdBook make them.
pub(crate) fn anchors(page: &Page) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(page) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept =
            heading.trim().chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let slug = slug.to_lowercase();
        let again = (1..).map(|n| format!("{slug}-{n}"));
        let free = [slug.clone()].into_iter().chain(again).find(|slug| !anchors.contains(slug));
        anchors.extend(free);
    }
    anchors
}

/// Returns the words that begin with `start` and consist of characters for which `part` is true.
pub(crate) fn names<'a>(
    text: &'a str,
    start: &'a str,
    part: impl Fn(char) -> bool + 'a,
) -> impl Iterator<Item = &'a str> {
    text.match_indices(start).map(move |(at, _)| {
        let rest = &text[at + start.len()..];
        &rest[..rest.find(|c| !part(c)).unwrap_or(rest.len())]
    })
}

pub(crate) fn kebab(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}
