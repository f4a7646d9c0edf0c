//! No exercise passes with an unfinished TODO.

use std::collections::BTreeSet;

use checker::skeleton;
use harness::exercise::Exercise;
use mistakes::catalogue::{self, Chapter, Kind};
use mistakes::grading::{self, Found, Row, Settings};
use mistakes::table;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// A fixed seed makes a failure repeatable. `cargo checker mistakes --runs N` tries others.
const SETTINGS: Settings = Settings { runs: 1, jobs: 8, seed: 1 };

fn chapters() -> Vec<Chapter> {
    catalogue::chapters().expect("the catalogue can be read")
}

/// For each mistake, the check in the catalogue is the first to fail.
#[test]
fn every_mistake_is_caught() {
    let runtime = Runtime::new().expect("a runtime");
    let rows = runtime.block_on(async {
        let servers = grading::servers().await.expect("every mistake compiles");
        let (done, _names) = mpsc::unbounded_channel();
        grading::grade(&servers, &chapters(), SETTINGS, done).await
    });
    println!("{}", table::summary(&rows));
    // Only what is wrong is printed, since build machines often cut a long output.
    let wrong: Vec<_> = rows.iter().filter(|row| !row.holds()).cloned().collect();
    assert!(wrong.is_empty(), "{}{}", table::table(&wrong), unexpected_reports(&wrong));
    for row in &rows {
        for found in &row.found {
            if let Found::Failure { check, headline, report } = found {
                assert_style(&row.mistake.name, headline);
                assert_no_answer(check, report);
            }
        }
    }
}

/// Returns the reports of the failures that another check should have found.
fn unexpected_reports(rows: &[Row]) -> String {
    let unexpected = rows.iter().flat_map(|row| row.found.iter().map(move |found| (row, found)));
    let unexpected = unexpected.filter(|(row, found)| !row.is_expected(found));
    let reports = unexpected.map(|(row, found)| match found {
        Found::Failure { report, .. } => format!("\n{}\n{report}", row.mistake.name),
        Found::Nothing | Found::Unknown(_) => String::new(),
    });
    reports.collect()
}

/// A headline is one sentence of at most 90 characters, without a colon.
fn assert_style(mistake: &str, headline: &str) {
    assert!(headline.ends_with('.'), "{mistake}: {headline}");
    assert!(headline.chars().count() <= 90, "{mistake}: {headline}");
    assert!(!headline.contains(": "), "{mistake}: {headline}");
}

/// No name in a first report is one that only a later hint has.
fn assert_no_answer(id: &str, report: &str) {
    let check = checks::find(id).expect("a check");
    let hints = check.hints();
    let known = format!("{} {}", hints[0], check.row());
    // In a conversation, in the output and in a warning there may be any word.
    let is_row = |line: &&str| {
        !line.starts_with("got ") && !line.starts_with("expected ") && !line.starts_with("    ")
    };
    let prose = report.lines().filter(is_row).collect::<Vec<_>>().join(" ");
    let code = hints[1..].iter().flat_map(|hint| hint.split('`').skip(1).step_by(2));
    for name in code.filter_map(api_name) {
        assert!(known.contains(name) || !prose.contains(name), "{id}: {name} in {report}");
    }
}

/// Returns the name in a piece of code that no English word is: a path's last part, a name with an
/// underscore or with a capital inside, or a call.
fn api_name(code: &str) -> Option<&str> {
    let path = code.split(['(', '!']).next()?;
    let name = path.rsplit([':', '.']).next()?;
    let is_word = |name: &str| name.chars().skip(1).all(|c| c.is_ascii_lowercase());
    match is_word(name) {
        // `std::process::exit` is looked for as a path: a report may say "exit".
        true if path.contains("::") => Some(path),
        true => None,
        false => Some(name).filter(|name| name.len() > 2),
    }
}

/// Each TODO is left out, half done and done at the wrong place.
#[test]
fn every_todo_has_its_mistakes() {
    for chapter in chapters() {
        let exercise = Exercise::named(chapter.exercise).expect("an exercise");
        let mistakes = chapter.mistakes.iter().map(|mistake| (mistake.todo, mistake.kind));
        let allowed = chapter.allowed.iter().map(|allowed| (allowed.todo, allowed.kind));
        let known: Vec<(u8, Kind)> = mistakes.chain(allowed).collect();
        let todos = todos(skeleton::of(exercise));
        assert!(!todos.is_empty(), "{exercise} has no TODO");
        for todo in &todos {
            for kind in [Kind::LeftOut, Kind::HalfDone, Kind::WrongPlace] {
                assert!(known.contains(&(*todo, kind)), "{exercise}: TODO {todo} {kind:?}?");
            }
        }
        for (todo, _) in known {
            assert!(todos.contains(&todo), "{exercise} has no TODO {todo}");
        }
    }
}

/// Returns the numbers of a skeleton's TODOs.
fn todos(skeleton: &str) -> BTreeSet<u8> {
    let after = skeleton.lines().filter_map(|line| line.trim().strip_prefix("// TODO "));
    after.filter_map(|rest| rest.split(':').next()?.parse().ok()).collect()
}

#[test]
fn the_catalogue_is_in_order() {
    let mut names = BTreeSet::new();
    for chapter in chapters() {
        for mistake in &chapter.mistakes {
            let name = &mistake.name;
            assert!(names.insert(name.clone()), "{name} is there twice");
            assert!(mistake.sentence.ends_with('.'), "{name}: {}", mistake.sentence);
            let check = checks::find(&mistake.caught_by);
            let exercise = check.map(|check| check.exercise.name());
            assert_eq!(exercise, Some(chapter.exercise), "{name}: {}", mistake.caught_by);
            let source = chapter.source(mistake).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_ne!(source, chapter.solution, "{name} changes nothing");
        }
    }
    assert!(names.len() >= 75, "only {} mistakes", names.len());
}
