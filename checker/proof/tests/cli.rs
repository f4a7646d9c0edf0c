//! The command line: arguments, output and exit codes.

mod common;

use common::{check, checker, graded, museum, outcomes};

fn complains(args: &[&str], code: i32, words: &[&str]) {
    let output = checker().args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?} printed on stdout");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say {word}: {said}");
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_code_2() {
    complains(&["grade", "ehco"], 2, &["`ehco`", "did you mean `echo`?"]);
    complains(&["grade", "polling"], 2, &["`polling`", "echo, heartbeat and broadcast"]);
    complains(&["grade", "echo::clsoe"], 2, &["did you mean `echo::close`?"]);
    complains(&["hint", "echo::colse"], 2, &["did you mean `echo::close`?"]);
    complains(&["explain", "close"], 2, &["did you mean `echo::close`?"]);
    complains(&["list", "brodcast"], 2, &["did you mean `broadcast`?"]);
    complains(&["grade", "echo", "--repeat", "1"], 2, &["--repeat"]);
    complains(&["grade", "echo", "--target", "day2"], 2, &["day2", "day1", "solutions"]);
    complains(&["grade", "--command", "true"], 2, &["one exercise"]);
    complains(&["grade", "echo", "heartbeat", "--command", "true"], 2, &["one exercise"]);
    // On Windows the end of the line closes an open quote.
    #[cfg(not(windows))]
    complains(&["grade", "echo", "--command", "a 'b"], 2, &["a 'b", "quote"]);
    complains(&["grade", "echo", "--seed", "soon"], 2, &["soon"]);
    complains(&["grade", "echo", "--format", "xml"], 2, &["xml", "json"]);
    complains(&["museum", "no-such-fault"], 2, &["no-such-fault"]);
    complains(&["museum", "--jobs", "0"], 2, &["0"]);
    complains(&["mistakes", "no-such-mistake"], 2, &["`no-such-mistake`"]);
    complains(&["soak", "ehco"], 2, &["`ehco`"]);
    complains(&["grate"], 2, &["grate"]);
}

/// A check without prerequisites gives one verdict for each server of its exercise.
#[test]
fn a_soak_of_one_check_runs_no_other() {
    let output =
        checker().args(["soak", "echo::handshake", "--runs", "1"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let number = |after: &str| -> Option<usize> {
        said.split(after).next()?.rsplit(' ').next()?.parse().ok()
    };
    let servers = number(" right servers").filter(|servers| *servers > 1);
    assert!(servers.is_some() && servers == number(" verdicts"), "{said}");
    assert!(said.contains(" 0 failures, 0 unknown"), "{said}");
}

#[test]
fn a_program_that_can_t_be_started_is_not_judged() {
    let (code, result) = graded(&["echo", "--command", "./no/such/program"]);
    assert_eq!(code, 3, "{result:#}");
    assert!(outcomes(&result).iter().all(|(_, outcome)| outcome == "unknown"), "{result:#}");
    assert!(
        check(&result, "echo::handshake")["summary"]
            .as_str()
            .is_some_and(|why| why.contains("./no/such/program"))
    );
}

#[test]
fn a_right_program_passes_and_a_wrong_one_does_not() {
    let (code, result) = graded(&["echo", "--command", &museum("--right", "raw-echo")]);
    assert_eq!((code, &result["totals"]["passed"]), (0, &12.into()), "{result:#}");
    let (code, result) =
        graded(&["echo::close", "--command", &museum("--fault", "close-code-always-1000")]);
    assert_eq!(code, 1, "{result:#}");
    let close = check(&result, "echo::close");
    assert_eq!(close["outcome"], "failed");
    assert_eq!(close["lesson"], "lessons/03-echo.md#the-end-of-a-connection");
    let marked = close["transcript"]
        .as_array()
        .expect("a transcript")
        .iter()
        .filter(|line| line["marked"] == true);
    let marked: Vec<_> = marked.collect();
    assert_eq!(marked.len(), 1, "{close:#}");
    assert_eq!(
        (&marked[0]["kind"], &marked[0]["direction"]),
        (&"close".into(), &"to-client".into())
    );
}

/// A check runs with its prerequisites and no others.
#[test]
fn a_check_is_graded_with_what_it_needs() {
    let (_, result) = graded(&["echo::ping", "--command", &museum("--right", "raw-echo")]);
    let ids: Vec<String> = outcomes(&result).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["echo::handshake", "echo::welcome", "echo::ping"]);
}

#[test]
fn the_same_seed_says_the_same() {
    let command = museum("--fault", "lower-cases");
    let texts = |seed: &str| {
        let (_, result) = graded(&["echo::reply", "--seed", seed, "--command", &command]);
        let reply = check(&result, "echo::reply");
        (reply["expected"].clone(), reply["got"].clone())
    };
    let first = texts("7");
    assert!(first.0.is_string(), "{first:?}");
    assert_eq!(first, texts("7"));
    assert_ne!(first, texts("8"));
}

#[test]
fn timings_go_to_stderr() {
    let command = museum("--right", "raw-echo");
    let output = checker()
        .args(["grade", "echo::ping", "--format", "json", "--timings", "--command", &command])
        .output();
    let output = output.expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the longest check is"));
    serde_json::from_slice::<serde_json::Value>(&output.stdout)
        .expect("JSON and nothing else on stdout");
}

/// Output that is not a terminal has no colours.
#[test]
fn a_pipe_gets_no_colours() {
    let command = museum("--fault", "close-code-always-1000");
    let output =
        checker().args(["grade", "echo::close", "--command", &command]).output().expect("it runs");
    assert!(!output.stdout.contains(&0x1b), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Text for people is ASCII where that is asked for. JSON stays as it is.
#[test]
fn ascii_is_printed_where_it_is_asked_for() {
    let command = museum("--fault", "html-escaped");
    let grade = ["grade", "echo::payloads", "--seed", "1", "--command", &command];
    let printed = |args: &[&str], variable: &str| {
        let output = checker().args(args).env("CHECKER_ASCII", variable).output();
        String::from_utf8(output.expect("it runs").stdout).expect("UTF-8")
    };
    let (usual, by_variable) = (printed(&grade, ""), printed(&grade, "1"));
    let by_flag = printed(&[&grade[..], &["--ascii"]].concat(), "");
    assert!(usual.contains("← text") && by_flag.contains("<- text"), "{usual}\n{by_flag}");
    for text in [by_flag, by_variable, printed(&["explain", "echo::payloads", "--ascii"], "")] {
        assert!(text.is_ascii() && !text.is_empty(), "{text}");
    }
    let got = |flag: &[&str]| {
        let text = printed(&[&grade[..], &["--format", "json"], flag].concat(), "");
        let result = serde_json::from_str(&text).expect("JSON");
        check(&result, "echo::payloads")["got"].clone()
    };
    let json = got(&["--ascii"]);
    assert!(json.is_string() && json == got(&[]), "{json}");
}

/// Each run has another seed, and each failure is counted.
#[test]
fn repeated_gradings_are_counted() {
    let command = museum("--fault", "close-code-always-1000");
    let args = ["grade", "echo::close", "--repeat", "3", "--seed", "7", "--command", &command];
    let output = checker().args(args).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("0 of 3 runs passed every check."), "{text}");
    assert!(text.contains("echo::close  failed in 3 of 3 runs"), "{text}");
    assert!(text.contains("seeds 7, 8, 9\n"), "{text}");
    let again = format!("cargo checker grade echo::close --seed 7 --command \"{command}\"\n");
    assert!(text.contains(&again), "{text}");
}

/// The contract's row is shown when asked for, and the page needs nothing beside itself.
#[test]
fn a_report_has_a_verbose_form_and_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html");
    let command = museum("--fault", "close-code-always-1000");
    let args = ["grade", "echo::close", "--command", &command, "--verbose", "--html"];
    let output = checker().args(args).arg(&page).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("\ncontract   A client's close frame"), "{text}");
    let html = std::fs::read_to_string(page).expect("a page");
    assert!(html.contains("<svg") && html.contains("echo::close"), "{html}");
    for outside in ["<script", "href=\"http", "src=", "url("] {
        assert!(!html.contains(outside), "the page has {outside}");
    }
}

/// The shell offers exercises and checks.
#[test]
fn completions_offer_checks() {
    for shell in ["bash", "zsh"] {
        let output = checker().args(["completions", shell]).output().expect("it runs");
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(script.contains("echo::close") || script.contains("echo\\:\\:close"), "{shell}");
    }
}

/// The first server of each exercise shows whether it listens on `ADDR`.
#[test]
fn a_server_that_ignores_addr_is_reported() {
    for exercise in ["echo", "heartbeat", "broadcast"] {
        let command = museum("--process", "own-port");
        let (code, result) = graded(&[exercise, "--command", &command]);
        assert_eq!((code, &result["totals"]["failed"]), (1, &1.into()), "{result:#}");
        assert_eq!(result["totals"]["passed"], 0, "{result:#}");
        let words = ["The server listens on ", " and not on the address in ADDR."];
        let text = result.to_string();
        assert!(words.iter().all(|words| text.contains(words)), "{result:#}");
    }
}
