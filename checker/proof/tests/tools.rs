//! The student's tools: hints, explanations, lists, and a reset that keeps the student's work.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use checker::journal::{Entry, Event, Journal};
use checker::skeleton;
use common::workbook::Workbook;
use harness::exercise::{Exercise, Target};

#[test]
fn a_skeleton_is_the_exercise_of_a_fresh_clone() {
    for exercise in Exercise::ALL {
        let path = harness::server::build::workspace().join(exercise.source(Target::Day1));
        let source = fs::read_to_string(&path).expect("the exercise").replace("\r\n", "\n");
        if !source.contains("todo!(\"TODO 1") {
            common::skip(&format!(
                "somebody works on {}, so it is not compared with its skeleton",
                path.display()
            ));
            continue;
        }
        assert_eq!(
            source,
            skeleton::of(exercise).replace("\r\n", "\n"),
            "checker/skeletons/{exercise}.rs"
        );
    }
}

#[test]
fn every_check_has_points_a_ladder_and_an_explanation() {
    let mut fewest = usize::MAX;
    for check in checks::all() {
        assert!((1..=5).contains(&check.points()), "{}: {} points", check.id, check.points());
        let ladder = check.hints();
        fewest = fewest.min(ladder.len());
        let first = ladder.first().unwrap_or_else(|| panic!("{} has no hints", check.id));
        assert!(first.contains('?'), "{}: the first rung is a question", check.id);
        assert!(ladder.iter().all(|rung| rung.len() > 40), "{}: {ladder:#?}", check.id);
        let why = check.explanation();
        assert!(why.why.len() > 80, "{}: {}", check.id, why.why);
        assert_ne!(why.right, why.wrong, "{}", check.id);
        for line in why.right.lines().chain(why.wrong.lines()) {
            assert!(line.chars().count() <= 80, "{}: too wide: {line}", check.id);
        }
    }
    assert!(fewest >= 3, "one ladder has {fewest} rungs only");
}

/// A hint describes the next step and contains no code.
#[test]
fn no_hint_is_a_line_of_the_solution() {
    let mut lines = BTreeSet::new();
    for exercise in Exercise::ALL {
        let path = harness::server::build::workspace().join(exercise.source(Target::Solutions));
        let source = fs::read_to_string(path).expect("a solution");
        let code =
            source.lines().map(str::trim).filter(|line| line.len() > 20 && !line.starts_with("//"));
        lines.extend(code.map(|line| line.trim_end_matches([',', ';', '{']).trim().to_string()));
    }
    assert!(lines.len() > 50, "{} lines only", lines.len());
    for check in checks::all() {
        for rung in check.hints() {
            let given = lines.iter().find(|line| rung.contains(line.as_str()));
            assert_eq!(given, None, "{}: {rung}", check.id);
        }
    }
}

/// The pages and headings in hints and explanations exist.
#[test]
fn what_the_tools_point_at_is_there() {
    let mut targets: Vec<String> =
        checks::all().iter().map(|check| check.lesson().to_string()).collect();
    assert!(targets.iter().filter(|target| target.contains('#')).count() >= 32, "{targets:#?}");
    for check in checks::all() {
        for rung in check.hints() {
            let words = rung.split_whitespace().map(|word| word.trim_end_matches('.').to_string());
            targets.extend(words.filter(|word| word.starts_with("lessons/")));
        }
    }
    for target in targets {
        let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
        let page =
            fs::read_to_string(harness::server::build::workspace().join(file)).expect("a page");
        let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
        let mut slugs = headings
            .map(|heading| heading.to_lowercase().replace(' ', "-").replace(['?', ','], ""));
        assert!(heading.is_empty() || slugs.any(|slug| slug == heading), "{target}");
    }
}

#[test]
fn a_ladder_is_climbed_by_asking_again() {
    let workbook = Workbook::copy();
    let rungs = |said: &str| {
        said.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count()
    };
    for rung in 1..=3 {
        let (code, said) = workbook.call(&["hint", "echo::close"]);
        assert_eq!((code, rungs(&said)), (0, rung), "{said}");
        assert!(said.contains(&format!("hint {rung} of 3")), "{said}");
    }
    let (_, said) = workbook.call(&["hint", "echo::close"]);
    assert!(rungs(&said) == 3 && said.contains("This was the last"), "{said}");
    let (_, other) = workbook.call(&["hint", "echo::ping"]);
    assert_eq!(rungs(&other), 1, "another check has a ladder of its own: {other}");
    let (_, again) = workbook.call(&["hint", "echo::close", "--again"]);
    assert_eq!(rungs(&again), 1, "{again}");
    // Without a name, the hint is for the first check that did not pass.
    let (_, first) = workbook.call(&["hint"]);
    assert!(first.starts_with("echo::handshake"), "{first}");
}

#[test]
fn a_broken_memory_is_a_forgotten_one() {
    let workbook = Workbook::copy();
    fs::create_dir_all(workbook.root().join("target/checker")).expect("a folder");
    for name in ["hints.json", "grades.json"] {
        fs::write(workbook.root().join("target/checker").join(name), "{\"half a fi")
            .expect("it is written");
    }
    let (code, said) = workbook.call(&["hint", "echo::close"]);
    assert!(code == 0 && said.contains("hint 1 of 3"), "{said}");
    let (code, said) = workbook.call(&["list"]);
    assert!(code == 0 && said.contains("not graded yet"), "{said}");
}

#[test]
fn a_list_names_everything() {
    let workbook = Workbook::copy();
    let (code, said) = workbook.call(&["list"]);
    assert_eq!(code, 0, "{said}");
    for check in checks::all() {
        assert!(said.contains(check.id), "{said}");
    }
    let total: u32 = checks::all().iter().map(|check| check.points()).sum();
    assert!(said.contains(&format!("0 of {total} points")), "{said}");
    let (_, one) = workbook.call(&["list", "echo"]);
    assert!(one.contains("echo::log") && !one.contains("heartbeat::"), "{one}");
}

#[test]
fn what_does_not_exist_is_named() {
    let workbook = Workbook::copy();
    for (args, words) in [
        (["hint", "echo::clsoe"], ["`echo::clsoe`", "did you mean `echo::close`?"]),
        (["hint", "close"], ["`close`", "did you mean `echo::close`"]),
        (["explain", "echo"], ["`echo` is an exercise", "cargo checker list echo"]),
        (["reset", "ehco"], ["'ehco'", "did you mean `echo`?"]),
        (["list", "ehco"], ["'ehco'", "did you mean `echo`?"]),
        (["completions", "fsh"], ["fsh", "bash"]),
    ] {
        let (code, said) = workbook.call(&args);
        assert_eq!(code, 2, "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
    }
}

#[test]
fn every_shell_is_completed() {
    let workbook = Workbook::copy();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, script) = workbook.call(&["completions", shell]);
        assert_eq!(code, 0, "{script}");
        for word in ["grade", "hint", "explain", "reset"] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
    }
}

#[test]
fn an_explanation_has_all_of_its_parts() {
    let workbook = Workbook::copy();
    for check in checks::all() {
        let (code, said) = workbook.call(&["explain", check.id]);
        assert_eq!(code, 0, "{said}");
        for part in ["Why it matters", "Right", "Wrong", "read   lessons/", "cargo checker hint"] {
            assert!(said.contains(part), "{} has no {part}: {said}", check.id);
        }
    }
}

/// Lists the other files beside the exercise.
fn kept(workbook: &Workbook) -> Vec<PathBuf> {
    let source = workbook.source(Exercise::Echo);
    let folder = source.parent().map(Path::to_path_buf).expect("a folder");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| *path != source);
    files.sort();
    files
}

fn is_skeleton(workbook: &Workbook) -> bool {
    fs::read_to_string(workbook.source(Exercise::Echo))
        .is_ok_and(|text| text == skeleton::of(Exercise::Echo))
}

#[test]
fn a_reset_keeps_what_was_there() {
    let workbook = Workbook::copy();
    let (code, said) = workbook.call(&["reset", "echo"]);
    assert!(code == 0 && said.contains("already") && kept(&workbook).is_empty(), "{said}");
    // Two resets within a second use different names.
    for text in ["fn main() {}", "fn main() { todo!() }", "not even Rust"] {
        workbook.write(Exercise::Echo, text);
        let (code, said) = workbook.call(&["reset", "echo"]);
        assert_eq!(code, 0, "{said}");
        assert!(is_skeleton(&workbook));
        let copy = said.split_whitespace().last().expect("a name").trim_end_matches('.');
        assert_eq!(
            fs::read_to_string(workbook.root().join(copy)).expect("the copy that is named"),
            text
        );
    }
    let texts: BTreeSet<String> =
        kept(&workbook).iter().map(|path| fs::read_to_string(path).expect("text")).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
}

#[test]
fn a_reset_copes_with_merge_markers_and_bytes() {
    let workbook = Workbook::copy();
    let conflict = b"<<<<<<< HEAD\nfn main() {}\n=======\n\xff\xfe no UTF-8\r\n>>>>>>> theirs\n";
    fs::write(workbook.source(Exercise::Echo), conflict).expect("it is written");
    let (code, said) = workbook.call(&["reset", "echo"]);
    assert!(code == 0 && is_skeleton(&workbook), "{said}");
    assert_eq!(fs::read(&kept(&workbook)[0]).expect("the copy"), conflict);
}

#[test]
fn a_reset_brings_back_a_file_or_folder_that_is_gone() {
    let workbook = Workbook::copy();
    let source = workbook.source(Exercise::Echo);
    fs::remove_file(&source).expect("it is removed");
    let (code, said) = workbook.call(&["reset", "echo"]);
    assert!(code == 0 && is_skeleton(&workbook) && kept(&workbook).is_empty(), "{said}");
    fs::remove_dir_all(source.parent().expect("a folder")).expect("it is removed");
    let (code, said) = workbook.call(&["reset", "echo"]);
    assert!(code == 0 && is_skeleton(&workbook), "{said}");
}

#[test]
fn a_reset_of_a_read_only_file_keeps_it() {
    let workbook = Workbook::copy();
    let source = workbook.source(Exercise::Echo);
    workbook.write(Exercise::Echo, "mine");
    let mut permissions = fs::metadata(&source).expect("it is there").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&source, permissions).expect("it is read-only");
    let (code, said) = workbook.call(&["reset", "echo"]);
    assert!(code == 0 && is_skeleton(&workbook), "{said}");
    assert_eq!(fs::read_to_string(&kept(&workbook)[0]).expect("the copy"), "mine");
}

/// A folder in place of the file is not replaced.
#[test]
fn a_reset_that_fails_changes_nothing() {
    let workbook = Workbook::copy();
    let source = workbook.source(Exercise::Echo);
    fs::remove_file(&source).expect("it is removed");
    fs::create_dir(&source).expect("a folder");
    fs::write(source.join("notes.txt"), "mine").expect("it is written");
    let (code, said) = workbook.call(&["reset", "echo"]);
    assert!(code == 3 && said.contains("day1/echo/src/main.rs"), "{said}");
    assert_eq!(fs::read_to_string(source.join("notes.txt")).expect("it is still there"), "mine");
    assert!(kept(&workbook).is_empty(), "{:?}", kept(&workbook));
}

#[test]
fn a_journal_is_kept_on_request_only() {
    let workbook = Workbook::copy();
    let entries = |said: &str| said.lines().filter(|line| line.contains("hint for")).count();
    workbook.call(&["hint", "echo::close"]);
    let (code, said) = workbook.call(&["journal"]);
    assert!(code == 0 && said.contains("is off and has 0 entries"), "{said}");
    workbook.call(&["journal", "on"]);
    workbook.call(&["hint", "echo::close"]);
    workbook.call(&["hint", "echo::ping"]);
    let (_, said) = workbook.call(&["journal"]);
    assert_eq!(entries(&said), 2, "{said}");
    let (code, said) = workbook.call(&["report"]);
    let row = said.lines().find(|line| line.starts_with("echo 6")).unwrap_or_default();
    assert!(code == 0 && row.ends_with(" 2"), "{said}");
    workbook.call(&["journal", "off"]);
    workbook.call(&["hint", "echo::ping"]);
    let (_, said) = workbook.call(&["journal"]);
    assert_eq!(entries(&said), 2, "{said}");
    let (_, said) = workbook.call(&["journal", "delete"]);
    assert!(said.contains("has 0 entries"), "{said}");
}

#[test]
fn a_report_measures_each_todo() {
    let graded = |at, passed: &[&str], failed: &[&str]| {
        let ids = |ids: &[&str]| ids.iter().map(|id| id.to_string()).collect();
        Entry { at, event: Event::Graded { passed: ids(passed), failed: ids(failed) } }
    };
    let entries = vec![
        graded(1_000, &[], &["echo::handshake"]),
        graded(1_060, &["echo::handshake"], &["echo::welcome"]),
        Entry { at: 1_070, event: Event::Hint("echo::welcome".into()) },
        graded(1_180, &["echo::handshake", "echo::welcome"], &["echo::reply"]),
        graded(1_300, &[], &["echo::handshake"]),
    ];
    let rows = Journal { on: true, entries }.progress();
    let row = |todo| rows.iter().find(|row| (row.exercise, row.todo) == (Exercise::Echo, todo));
    let of = |todo| row(todo).map(|row| (row.first_red, row.green, row.took, row.hints));
    assert_eq!(of(1), Some((Some(0), Some(60), Some(60), 0)));
    assert_eq!(of(3), Some((Some(60), Some(180), Some(120), 1)));
    assert_eq!(of(4), Some((Some(180), None, None, 0)));
}
