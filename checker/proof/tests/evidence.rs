//! Explains a failure by more than the wire: warnings, the processor, the log, an unfinished
//! frame.

mod common;

use std::fs;
use std::sync::Mutex;

use common::workbook::Workbook;
use harness::exercise::{Exercise, Target};

/// Grades the echo solution with this edit, and returns the report.
fn report(edit: impl Fn(&str) -> String, exit: i32, checks: &[&str]) -> String {
    // All copies of the workbook build into one folder.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let workbook = Workbook::copy();
    let solution = workbook.root().join(Exercise::Echo.source(Target::Solutions));
    let solution = fs::read_to_string(solution).expect("the solution");
    let edited = edit(&solution);
    assert_ne!(edited, solution, "the edit changes nothing");
    workbook.write(Exercise::Echo, &edited);
    let (code, text) = workbook.call(&[&["grade"], checks].concat());
    assert_eq!(code, exit, "{text}");
    text
}

/// A future that nothing awaits compiles, warns, and sends nothing.
#[test]
fn a_warning_stands_beside_its_failure() {
    let edit = |solution: &str| {
        let reply = "ws.send(Message::text(format!(\"Server received: {text}\"))).await?;";
        solution.replace(reply, "ws.send(Message::text(format!(\"Server received: {text}\")));")
    };
    let text = report(edit, 1, &["echo::reply"]);
    assert!(
        text.contains("rustc warned\n    warning: unused `futures_util::sink::Send`"),
        "{text}"
    );
    assert!(text.contains("--> day1/echo/src/main.rs:"), "{text}");
    assert!(text.contains("question   rustc warns about a value"), "{text}");
    assert!(!text.contains("let _ ="), "{text}");
    assert!(text.contains("log        The server logged this message and sent nothing."), "{text}");
}

/// A loop that goes on after the end of the stream keeps a worker thread busy.
#[cfg(target_os = "linux")]
#[test]
fn a_spinning_server_is_named() {
    let edit = |solution: &str| {
        solution
            .replace("    Ok(())\n}", "    log(\"over\");\n    loop { std::hint::spin_loop() }\n}")
    };
    let text = report(edit, 1, &["echo::close"]);
    assert!(text.contains("processor  The server keeps a processor busy"), "{text}");
    assert!(text.contains("question   Which loop of your program"), "{text}");
}

/// A panic is shown before everything else, with all of its text.
#[test]
fn a_panic_is_shown_whole() {
    let long = "the value that nobody expected ".repeat(6);
    let edit = |solution: &str| {
        solution.replace(
            "    log(\"Client connected\");",
            &format!("    log(\"Client connected\");\n    panic!(\"{long}\\nsecond line\");"),
        )
    };
    let text = report(edit, 1, &["echo::welcome"]);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(words.join(" ").contains(long.trim()), "{text}");
    assert!(text.contains("    second line"), "{text}");
    assert!(text.contains("question   The panic names a file and a line."), "{text}");
}

/// A report names a frame with an incomplete payload.
#[test]
fn an_unfinished_frame_is_no_silence() {
    let edit = |solution: &str| {
        solution.replace(
            "    ws.send(Message::text(\"Welcome! Connection established.\")).await?;",
            "    use tokio::io::AsyncWriteExt;\n    \
             ws.get_mut().write_all(b\"\\x81\\x20Welcome!\").await?;\n    \
             std::future::pending::<()>().await;",
        )
    };
    let text = report(edit, 1, &["echo::welcome"]);
    assert!(text.contains("got        a frame that announced 32 bytes, of which 8 came"), "{text}");
    assert!(text.contains("a text frame of 32 bytes, of which 8 came"), "{text}");
}

/// A server that answers late gets all its verdicts in time, and is told why it got none.
#[test]
fn a_slow_server_is_not_waited_for() {
    let edit = |solution: &str| {
        solution.replace(
            "        log(format!(\"Received: {text}\"));",
            "        log(format!(\"Received: {text}\"));\n        \
             sleep(Duration::from_millis(700)).await;",
        )
    };
    let text = report(edit, 3, &["echo", "--timings"]);
    assert!(text.contains("the server was too slow"), "{text}");
    let checks = text.rsplit_once(", checks ").and_then(|(_, rest)| rest.split_once(" s"));
    let seconds: f64 = checks.expect("timings").0.parse().expect("a number");
    // 30 s on an idle machine. On a busy one, all limits are longer.
    assert!(seconds < 45.0, "{text}");
}
