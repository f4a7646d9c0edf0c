//! `cargo checker watch` in a real terminal, with the ways in which editors save a file.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, MutexGuard};

use checker::skeleton;
use common::terminal::Terminal;
use common::workbook::Workbook;
use harness::exercise::{Exercise, Target};
use insta::{Settings, assert_snapshot};

/// Copies of the workbook share a target folder, so the tests run one after the other. A failed
/// test must not fail the others.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Returns the number before this word in the status line.
fn number_before(screen: &str, word: &str) -> f64 {
    let (before, _) = screen.split_once(word).unwrap_or_else(|| panic!("no {word}: {screen}"));
    let number = before.split_whitespace().last().expect("a number");
    number.parse().unwrap_or_else(|error| panic!("{number}: {error}: {screen}"))
}

fn of_a_save(screen: &str) -> bool {
    screen.contains("from save to verdict")
}

/// Watches an echo exercise until it was graded once.
fn watched(workbook: &Workbook) -> Terminal {
    let terminal = Terminal::open(workbook, &["watch", "echo"], 40, 80);
    let screen = terminal.wait_for("first verdict", |screen| {
        screen.contains(" s, checks ") && screen.contains("q quit")
    });
    assert!(screen.contains("not started"), "{screen}");
    terminal
}

fn broken() -> String {
    skeleton::of(Exercise::Echo).replace("let local =", "let = local")
}

#[test]
fn a_save_is_graded_and_keys_do_what_they_say() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let mut terminal = watched(&workbook);
    workbook.write(Exercise::Echo, &broken());
    let screen = terminal.wait_for("compile error", |screen| {
        of_a_save(screen) && screen.contains("does not compile")
    });
    assert!(
        screen.starts_with("echo::handshake  Exercise echo does not compile."),
        "the failure is on top:\n{screen}"
    );
    println!("{}", screen.lines().find(|line| of_a_save(line)).unwrap_or_default());

    terminal.press('h');
    terminal.wait_for("hint", |screen| screen.contains("echo::handshake: hint 1 of 3"));
    terminal.press('h');
    terminal.wait_for("second hint", |screen| screen.contains("hint 2 of 3"));
    terminal.press('l');
    terminal.wait_for("lesson", |screen| screen.contains("lessons/03-echo.md#accepting-a-client"));
    terminal.press('b');
    terminal.wait_for("report", |screen| screen.contains("does not compile."));
    terminal.press('a');
    // Waits for the last line: a resize during drawing garbles the screen.
    terminal.wait_for("failures", |screen| {
        screen.contains("error: expected pattern") && screen.ends_with("q quit")
    });
    // Smaller than any report, and large again.
    terminal.resize(12, 40);
    terminal.wait_for("keys on a small screen", |screen| screen.contains("q quit"));
    terminal.press('a');
    terminal.wait_for("cut report", |screen| screen.contains("↓ ↑ scroll"));
    terminal.resize(50, 100);
    terminal
        .wait_for("whole report", |screen| !screen.contains("scroll") && screen.contains("q quit"));

    terminal.press('r');
    terminal
        .wait_for("another round", |screen| screen.contains(" s, checks ") && !of_a_save(screen));
    terminal.press('q');
    assert_eq!(terminal.end(), 0);
}

/// On a small screen the headline, the evidence and the next step come first, and all of it can be
/// scrolled to.
#[test]
fn nothing_is_cut_at_any_size() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let solution = workbook.root().join(Exercise::Echo.source(Target::Solutions));
    let solution = fs::read_to_string(solution).expect("the solution");
    let wrong = solution.replace("Welcome! Connection established.", "Welcome! Connected.");
    workbook.write(Exercise::Echo, &wrong);
    for (rows, columns) in [(20, 60), (24, 80), (40, 120)] {
        let mut terminal = Terminal::open(&workbook, &["watch", "echo"], rows, columns);
        let first = terminal.wait_for("verdict", |screen| {
            screen.contains(" s, checks ") && screen.ends_with("q quit")
        });
        let (mut seen, mut last) = (first.clone(), String::new());
        while seen.contains("scroll") && last != seen {
            last.clone_from(&seen);
            terminal.press(' ');
            let is_next = |screen: &str| screen != last && screen.ends_with("q quit");
            seen = terminal.wait_for("next page", is_next);
            if seen.contains("edit       day1") {
                break;
            }
        }
        assert!(seen.contains("edit       day1/echo/src/main.rs"), "{seen}");
        let name = format!("watch_{columns}x{rows}");
        redacted().bind(|| assert_snapshot!(name, first));
        terminal.press('q');
        assert_eq!(terminal.end(), 0);
    }
}

/// A terminal without Unicode is found out by its locale, or told by `--ascii`.
#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let asked: &[&str] = &["watch", "echo", "--ascii"];
    for (locale, args) in [("C", &asked[..2]), ("C.UTF-8", asked)] {
        let mut terminal = Terminal::with_locale(locale, &workbook, args, 24, 80);
        let screen = terminal.wait_for("verdict", |screen| {
            screen.contains(" s, checks ") && screen.ends_with("q quit")
        });
        assert!(screen.is_ascii(), "{locale}: {screen}");
        terminal.press('q');
        assert_eq!(terminal.end(), 0);
    }
}

/// Leaves out times and ports.
fn redacted() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"(?m)^([> ] +\d+) +\d+\.\d  ", "$1   [ms]  ");
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[port]");
    settings.add_filter(r"(?m)^round \d+: .*$", "round [n]: [times]");
    settings
}

#[test]
fn editors_may_replace_delete_and_half_write_a_file() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let mut terminal = watched(&workbook);
    let source = workbook.source(Exercise::Echo);
    let compiles = |screen: &str| of_a_save(screen) && screen.contains("not started");
    let fails = |screen: &str| of_a_save(screen) && screen.contains("does not compile");

    // Vim renames the old file and creates a new one.
    fs::rename(&source, source.with_extension("rs~")).expect("it is renamed");
    fs::write(&source, broken()).expect("it is written");
    terminal.wait_for("verdict on the new file", fails);
    // Other editors rename a new file to the old name.
    let other = source.with_extension("tmp");
    fs::write(&other, skeleton::of(Exercise::Echo)).expect("it is written");
    fs::rename(&other, &source).expect("it is renamed");
    terminal.wait_for("verdict on the replaced file", compiles);

    let conflict = format!(
        "<<<<<<< HEAD\n{}=======\nfn main() {{}}\n>>>>>>> theirs\n",
        skeleton::of(Exercise::Echo)
    );
    workbook.write(Exercise::Echo, &conflict);
    terminal.wait_for("merge markers", |screen| fails(screen) && screen.contains("<<<<<<<"));

    fs::remove_file(&source).expect("it is removed");
    terminal.wait_for("verdict on nothing", |screen| fails(screen) && !screen.contains("<<<<<<<"));
    workbook.write(Exercise::Echo, skeleton::of(Exercise::Echo));
    terminal.wait_for("verdict on a file that is back", compiles);

    fs::write(&source, "").expect("it is emptied");
    terminal.wait_for("verdict on an empty file", fails);
    workbook.write(Exercise::Echo, skeleton::of(Exercise::Echo));
    terminal.wait_for("verdict on a full one", compiles);

    // A read-only file is graded and not changed.
    let mut permissions = fs::metadata(&source).expect("it is there").permissions();
    permissions.set_mode(0o444);
    fs::set_permissions(&source, permissions).expect("it is read-only");
    terminal.press('r');
    terminal.wait_for("verdict on a read-only file", |screen| {
        screen.contains(" s, checks ") && !of_a_save(screen)
    });
    terminal.press('q');
    assert_eq!(terminal.end(), 0);
    assert_eq!(fs::read_to_string(source).expect("text"), skeleton::of(Exercise::Echo));
}

/// A busy machine may be late once, but not five times.
#[test]
fn a_save_is_noticed_within_200_ms() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let mut terminal = watched(&workbook);
    let mut noticed = Vec::new();
    for name in ["one", "two", "three", "four", "five"] {
        workbook.write(Exercise::Echo, &broken().replace("let = local", &format!("let = {name}")));
        let error = format!("let = {name}");
        let screen =
            terminal.wait_for("verdict", |screen| of_a_save(screen) && screen.contains(&error));
        noticed.push(number_before(&screen, " ms, build"));
    }
    println!("noticed after {noticed:?} ms");
    assert!(noticed.iter().any(|millis| *millis <= 200.0), "{noticed:?}");
    terminal.press('q');
    assert_eq!(terminal.end(), 0);
}

/// The system reports changes in the folder that existed at the start. If another folder takes its
/// name, watch finds a save by polling.
#[test]
fn a_save_is_noticed_where_no_events_come() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let mut terminal = watched(&workbook);
    let source = workbook.source(Exercise::Echo);
    let folder = workbook.root().join("day1/echo");
    let elsewhere = workbook.root().join("elsewhere");
    fs::rename(&folder, &elsewhere).expect("it is renamed");
    fs::create_dir_all(source.parent().expect("a folder")).expect("a folder");
    fs::copy(elsewhere.join("Cargo.toml"), folder.join("Cargo.toml")).expect("it is copied");
    for name in ["one", "two"] {
        workbook.write(Exercise::Echo, &broken().replace("let = local", &format!("let = {name}")));
        let error = format!("let = {name}");
        let screen =
            terminal.wait_for("verdict", |screen| of_a_save(screen) && screen.contains(&error));
        println!("{}", screen.lines().find(|line| of_a_save(line)).unwrap_or_default());
    }
    terminal.press('q');
    assert_eq!(terminal.end(), 0);
}

/// After many saves, the last one counts.
#[test]
fn ten_saves_in_a_second_end_with_the_last() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let mut terminal = watched(&workbook);
    for number in 0..10 {
        let text = match number {
            9 => broken().replace("let = local", "let = the_tenth"),
            _ => format!("{}// {number}\n", skeleton::of(Exercise::Echo)),
        };
        workbook.write(Exercise::Echo, &text);
        // The speed of saving is under test, so this waits for nothing.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let screen =
        terminal.wait_for("tenth save", |screen| of_a_save(screen) && screen.contains("the_tenth"));
    assert!(screen.contains("does not compile"), "{screen}");
    terminal.press('q');
    assert_eq!(terminal.end(), 0);
}

/// When all exercises are watched, the last saved one is shown first.
#[test]
fn what_is_saved_comes_first() {
    let _turn = turn();
    let workbook = Workbook::copy();
    let mut terminal = Terminal::open(&workbook, &["watch"], 40, 80);
    // In the middle of the first round, which is then cancelled.
    terminal
        .wait_for("first build", |screen| screen.contains("building") && screen.contains("q quit"));
    let heartbeat = skeleton::of(Exercise::Heartbeat).replace("let local =", "let = local");
    workbook.write(Exercise::Heartbeat, &heartbeat);
    terminal.wait_for("heartbeat", |screen| {
        screen.starts_with("heartbeat::echo  Exercise heartbeat does not compile.")
            && of_a_save(screen)
    });
    // The other exercises are graded afterwards.
    let screen = terminal.wait_for("echo and broadcast", |screen| {
        screen.contains("0 of 12  not started") && screen.contains("0 of 10  not started")
    });
    assert!(screen.starts_with("heartbeat::echo"), "{screen}");
    workbook.write(Exercise::Heartbeat, skeleton::of(Exercise::Heartbeat));
    terminal.wait_for("heartbeat again", |screen| {
        screen.starts_with("heartbeat::echo  Exercise heartbeat is not started yet.")
            && of_a_save(screen)
    });
    terminal.press('q');
    assert_eq!(terminal.end(), 0);
}

/// Without a terminal there are no keys, and each state is printed once.
#[test]
fn a_pipe_gets_a_log() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let _turn = turn();
    let workbook = Workbook::copy();
    let mut command = common::running_checker();
    command
        .args(["watch", "echo"])
        .envs(workbook.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let lines = lines.map(|line| line.expect("text"));
    let mut said = Vec::new();
    for line in lines {
        said.push(line);
        if said.last().is_some_and(|line| line.contains(" s, checks ")) {
            break;
        }
    }
    assert!(said.iter().all(|line| !line.contains(['\x1b', '\r'])), "{said:#?}");
    // Each line is printed once, however many verdicts come in.
    assert_eq!(
        said.iter().filter(|line| line.ends_with("Exercise echo is not started yet.")).count(),
        1,
        "{said:#?}"
    );
    child.kill().expect("it ends");
    child.wait().expect("it ends");
}
