//! Tests that code in the lessons compiles, and that names and links in them exist.
//!
//! A comment above a code block, `<!-- kind: value, kind: value -->`, tells how its code is tested:
//! - `excerpt: path`: the block is a part of this file.
//! - `place: echo TODO 4`: the block compiles below this TODO of the skeleton.
//! - `diff: path`: the block is a diff of this file; it applies, and the result compiles.
//!
//! Paths begin at the workspace's root.

#[path = "../common/mod.rs"]
mod common;
mod contract;
mod fragments;
mod hour;
mod markdown;
mod places;
mod quiz;
mod red;
mod script;
mod todos;
mod updates;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use baseline::transports::plan::Contestant;
use checker::museum::Fault;
use harness::exercise::{Exercise, Target};
use harness::wire::frame::{Control, Data, Frame, OpCode};
use serde_json::Value;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use markdown::{
    Page, anchors, blocks, code_spans, kebab, lessons, links, names, pages, prose, read, root,
};

/// Removes the indentation that all lines share.
fn flush_left(lines: &[&str]) -> Vec<String> {
    let indentation = lines.iter().filter(|line| !line.trim().is_empty());
    let indentation =
        indentation.map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    lines.iter().map(|line| line.get(indentation..).unwrap_or_default().to_string()).collect()
}

fn contains(file: &str, excerpt: &[&str]) -> bool {
    let lines: Vec<_> = file.lines().collect();
    let wanted = flush_left(excerpt);
    !wanted.is_empty() && lines.windows(wanted.len()).any(|window| flush_left(window) == wanted)
}

#[test]
fn code_is_an_excerpt_of_a_file_that_is_compiled() {
    let mut count = 0;
    for page in &lessons() {
        for block in blocks(page) {
            let place = format!("{}:{}", page.name, block.line);
            let Some(path) = block.mark("excerpt") else {
                let is_code = block.language.starts_with("rust") || block.language == "diff";
                let compiled = ["place", "diff"].iter().any(|kind| block.mark(kind).is_some());
                assert!(compiled || !is_code, "{place}: the code is no excerpt and not compiled");
                continue;
            };
            count += 1;
            let found = contains(&read(path), &block.lines);
            assert!(found, "{place} is not in {path}:\n{}", block.lines.join("\n"));
        }
    }
    assert!(count > 5, "{count} excerpts only");
}

/// Lesson 7 shows the steps to `solution-fast` in their order, with every changed line except the
/// imports. The first patch is left out: it only makes echo loads measurable.
#[test]
fn the_steps_to_the_tuned_server_are_quoted_in_full() {
    let page = Page {
        name: "lessons/07-what-it-costs.md".into(),
        text: read("lessons/07-what-it-costs.md"),
    };
    let mut quoted: Vec<(&str, Vec<&str>)> = Vec::new();
    for block in blocks(&page).into_iter().filter(|block| block.language == "diff") {
        let path = block.mark("excerpt").unwrap_or_default();
        match quoted.last_mut().filter(|(last, _)| *last == path) {
            Some((_, lines)) => lines.extend(block.lines),
            None => quoted.push((path, block.lines)),
        }
    }
    let folder = "solutions/fast/steps";
    let entries = fs::read_dir(root().join(folder)).expect("the folder of the steps");
    let mut steps: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    steps.sort();
    let steps: Vec<String> = steps.iter().skip(1).map(|name| format!("{folder}/{name}")).collect();
    let order: Vec<&str> = quoted.iter().map(|(path, _)| *path).collect();
    assert_eq!(order, steps, "the steps that the page quotes, and those that there are");
    for (path, lines) in &quoted {
        let text = read(path);
        let changed = text.lines().skip(2).filter(|line| line.starts_with(['+', '-']));
        for line in changed.filter(|line| !line[1..].starts_with("use ")) {
            assert!(lines.contains(&line), "{}: {path}: without {line:?}", page.name);
        }
    }
}

#[test]
fn json_and_toml_can_be_parsed() {
    for page in &pages() {
        for block in blocks(page) {
            let place = format!("{}:{}", block.page.name, block.line);
            let text = block.lines.join("\n");
            if block.language == "toml" {
                toml::from_str::<toml::Table>(&text)
                    .unwrap_or_else(|error| panic!("{place}: {error}"));
            }
            if block.language == "json" {
                serde_json::from_str::<Value>(&text)
                    .unwrap_or_else(|error| panic!("{place}: {error}"));
            }
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for page in &pages() {
        for (line, target) in links(page) {
            let place = format!("{}:{line}: {target}", page.name);
            if target.starts_with("https://") {
                continue;
            }
            assert!(!target.contains("://"), "{place}: https, or a file");
            let (file, anchor) = target
                .split_once('#')
                .map_or((target.as_str(), None), |(file, at)| (file, Some(at)));
            let folder = Path::new(&page.name).parent().unwrap_or(Path::new(""));
            let path = if file.is_empty() { PathBuf::from(&page.name) } else { folder.join(file) };
            assert!(root().join(&path).exists(), "{place}: there is no such file");
            // Links out of the book are tested elsewhere.
            let stays = !page.name.starts_with("lessons/") || !file.contains("..");
            assert!(stays, "{place} leads out of the book, where mdBook doesn't follow");
            if let Some(anchor) = anchor {
                let there = Page { name: String::new(), text: read(&path.to_string_lossy()) };
                assert!(anchors(&there).contains(anchor), "{place}: there is no such heading");
            }
        }
    }
}

/// Pages and headings that the skeletons, the solutions and the checker name exist.
#[test]
fn what_points_at_a_lesson_finds_it() {
    let mut sources = vec!["checker/checks/src/mod.rs".to_string()];
    sources.extend(checks::all().iter().map(|check| check.lesson().to_string()));
    for target in [Target::Day1, Target::Solutions] {
        sources.extend(Exercise::ALL.iter().map(|exercise| read(&exercise.source(target))));
    }
    sources.extend(Exercise::ALL.iter().map(|exercise| exercise.lesson().to_string()));
    let mut count = 0;
    for source in &sources {
        for rest in names(source, "lessons/", |c| kebab(c) || ['.', '#'].contains(&c)) {
            let target = rest.trim_end_matches('.');
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let page = Page { name: String::new(), text: read(&format!("lessons/{file}")) };
            let found = anchor.is_empty() || anchors(&page).contains(anchor);
            assert!(found, "lessons/{target}: there is no such heading");
            count += 1;
        }
    }
    assert!(count > 30, "{count} pointers only");
}

/// Finds ids of checks. In Rust code, `broadcast::` may also be the module of a channel.
fn ids(page: &Page) -> Vec<String> {
    let rust: BTreeSet<_> =
        blocks(page).iter().filter(|block| block.language == "rust").map(|b| b.line).collect();
    let mut found = Vec::new();
    let mut skipping = false;
    for (number, line) in page.text.lines().enumerate() {
        if line.starts_with("```") {
            skipping = rust.contains(&(number + 2));
        }
        for exercise in ["echo", "heartbeat", "broadcast", "latency"] {
            let start = format!("{exercise}::");
            let rests = names(line, &start, |c| c.is_alphanumeric() || c == '_')
                .filter(|rest| !skipping && !rest.is_empty());
            let rests = rests.filter(|rest| !rest.starts_with(char::is_uppercase));
            found.extend(rests.map(|rest| format!("{exercise}::{rest}")));
        }
    }
    found
}

#[test]
fn checks_that_are_named_exist_and_none_is_left_out() {
    for page in &pages() {
        for id in ids(page) {
            assert!(checks::find(&id).is_some(), "{}: there is no check {id}", page.name);
        }
    }
    for exercise in Exercise::ALL {
        let page = Page { name: exercise.lesson().into(), text: read(exercise.lesson()) };
        let named = ids(&page);
        for check in checks::all().iter().filter(|check| check.exercise == exercise) {
            assert!(
                named.iter().any(|id| id == check.id),
                "{} does not name {}",
                page.name,
                check.id
            );
        }
    }
}

/// Returns the command lines of a page, from blocks and from code in the text.
fn commands(page: &Page) -> Vec<String> {
    let mut found = Vec::new();
    for block in blocks(page) {
        let joined = block.lines.join("\n").replace("\\\n", " ");
        let typed = joined.lines().filter(|_| ["console", "sh"].contains(&block.language));
        found.extend(typed.map(|line| line.trim_start_matches("$ ").to_string()));
    }
    // A code span may continue on the next line.
    let text: Vec<_> = prose(page).into_iter().map(|(_, line)| line).collect();
    for paragraph in text.join("\n").split("\n\n") {
        let (_, spans) = code_spans(paragraph);
        found.extend(spans.iter().map(|span| span.replace('\n', " ")));
    }
    found
}

#[test]
fn commands_can_be_typed() {
    let help = |args: &[&str]| {
        // `class --help` would build for minutes.
        let mut command = if args == ["class"] { common::classroom() } else { common::checker() };
        let output = command.args(args).arg("--help").output().expect("it runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let words = |text: &str| -> BTreeSet<String> {
        text.split_whitespace().map(|word| word.trim_matches(['[', ']', ',']).into()).collect()
    };
    let subcommands: BTreeSet<String> = help(&[])
        .lines()
        .filter_map(|line| Some(line.strip_prefix("  ")?.split(' ').next()?.to_string()))
        .collect();
    let mut options: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let packages = packages();
    let faults: BTreeSet<String> = faults().into_iter().map(|fault| fault.name).collect();
    let mut count = 0;
    for page in &pages() {
        for command in commands(page) {
            let place = format!("{}: {command}", page.name);
            // A command may begin with environment variables.
            if let Some((_, rest)) = command.split_once("cargo checker") {
                count += 1;
                // `--command "…"` contains options of another program. cmd.exe accepts these
                // quotes, too.
                assert!(!rest.contains('\''), "{place}: to cmd.exe that is no quote");
                let own = rest.split('"').step_by(2).collect::<Vec<_>>().join(" ");
                let own = own.split('#').next().unwrap_or_default();
                let mut typed = own.split_whitespace().filter(|word| *word != "…");
                let Some(subcommand) = typed.next() else { continue };
                assert!(subcommands.contains(subcommand), "{place}: there is no `{subcommand}`");
                let known =
                    options.entry(subcommand.into()).or_insert_with(|| words(&help(&[subcommand])));
                for word in typed.clone().filter(|word| word.starts_with("--")) {
                    assert!(known.contains(word), "{place}: there is no {word}");
                }
                if subcommand == "museum" {
                    for word in typed.take_while(|word| !word.starts_with("--")) {
                        assert!(faults.contains(word), "{place}: there is no {word}");
                    }
                }
            } else if let Some((_, rest)) = command.split_once("cargo ") {
                let mut typed = rest.split_whitespace();
                while let Some(word) = typed.next() {
                    if ["-p", "--package"].contains(&word) {
                        count += 1;
                        let package = typed.next().unwrap_or_default();
                        assert!(
                            packages.contains(package),
                            "{place}: there is no package `{package}`"
                        );
                    }
                }
            }
        }
        for name in names(&page.text, "--fault ", kebab) {
            assert!(faults.contains(name), "{}: there is no fault `{name}`", page.name);
        }
    }
    assert!(count > 30, "{count} commands only");
}

fn packages() -> BTreeSet<String> {
    let cargo = harness::server::build::cargo();
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output =
        Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages.filter_map(|package| Some(package["name"].as_str()?.to_string())).collect()
}

fn faults() -> Vec<Fault> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(checker::museum::open()).expect("the museum opens").1.faults
}

#[test]
fn a_page_has_its_parts() {
    for page in &lessons() {
        let has = |part: &str| assert!(anchors(page).contains(part), "{} has no {part}", page.name);
        has("try-it");
        has("questions");
        if Exercise::ALL.iter().any(|exercise| exercise.lesson() == page.name) {
            has("the-exercise");
            has("if-it-stays-red");
        }
        let count = |what: &str| page.text.matches(what).count();
        assert_eq!(count("<details>"), count("</details>"), "{}", page.name);
        assert_eq!(count("<details>"), count("<summary>"), "{}", page.name);
        // A summary is HTML, in which Markdown is not rendered.
        for rest in page.text.split("<summary>").skip(1) {
            let summary = rest.split("</summary>").next().unwrap_or_default();
            assert!(
                !summary.contains(['`', '*', '[']),
                "{}: {summary}: `<code>` is how HTML says it",
                page.name
            );
        }
        assert!(page.text.contains("\nAfter this page "), "{} does not say what for", page.name);
    }
}

/// The lesson shows the race with the names of all its transports.
#[test]
fn the_race_is_the_one_that_is_run() {
    let all = lessons();
    let race =
        all.iter().flat_map(blocks).find(|block| block.mark == Some("race")).expect("a race");
    for contestant in Contestant::ALL {
        let name = contestant.name();
        assert!(race.lines.iter().any(|line| line.starts_with(&name)), "{name} takes part");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

/// The worked examples of lesson 2 are correct.
#[test]
fn the_handshake_and_the_frames_by_hand_are_right() {
    let page = read("lessons/02-the-handshake.md");
    let accept = derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ==");
    assert!(page.contains(&format!("Sec-WebSocket-Accept: {accept}\n")));

    let key = [0x12, 0x34, 0x56, 0x78];
    let text = OpCode::Data(Data::Text);
    let close = OpCode::Control(Control::Close);
    let hello = Frame::new(text, "Hello").masked(key).encode();
    let goodbye = Frame::new(close, 1_000_u16.to_be_bytes()).masked(key).encode();
    assert!(page.contains(&format!("\n{}\n", hex(&hello))));
    for sent in [hello, goodbye] {
        let typed: String = sent.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        assert!(page.contains(&format!("printf '{typed}'")), "{typed}");
    }
    let answer = Frame::new(text, "Server received: Hello").encode();
    let answered = Frame::new(close, 1_000_u16.to_be_bytes()).encode();
    assert!(page.contains(&format!("\n{}\n{}\n", hex(&answer), hex(&answered))));
}

/// The README shows the grade of a fresh clone.
#[test]
fn the_readme_shows_what_is_printed() {
    let workbook = common::workbook::Workbook::copy();
    let (code, said) = workbook.call(&["grade", "--all", "--seed", "123456"]);
    assert_eq!(code, 1, "{said}");
    let end = said.find("0 of 33 checks passed").unwrap_or_else(|| panic!("{said}"));
    let block = said[end..].trim_end();
    assert!(
        read("README.md").contains(&format!("```text\n{block}\n```")),
        "the README does not show\n{block}"
    );
}
