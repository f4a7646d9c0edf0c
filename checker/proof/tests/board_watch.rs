//! `cargo checker watch --board`: what a student sees of it, and all that leaves the machine.
#![cfg(unix)]

mod board_process;
mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Mutex;

use board_process::BoardProcess;
use checker::skeleton;
use common::terminal::Terminal;
use common::workbook::Workbook;
use futures_util::{SinkExt, StreamExt};
use harness::exercise::Exercise;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// Copies of the workbook share a target folder, so the tests run one after the other.
static TURN: Mutex<()> = Mutex::new(());

/// Returns the names of all fields.
fn fields(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.push(name.clone());
                fields(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, found)),
        _ => {}
    }
}

/// A board of the test's own receives a name and verdicts, and nothing else.
#[test]
fn a_name_and_verdicts_leave_the_machine_and_nothing_else() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let workbook = Workbook::copy();
    let source = format!("// a-secret-of-the-source\n{}", skeleton::of(Exercise::Echo));
    workbook.write(Exercise::Echo, &source);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = format!("ws://{}/ROOM42", listener.local_addr().expect("bound"));
    let mut command = common::running_checker();
    command
        .args(["watch", "echo", "--board", &address, "--name", "Ada"])
        .envs(workbook.environment())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let checks = checks::all().into_iter().filter(|check| check.exercise == Exercise::Echo).count();
    let messages: Vec<String> = runtime.block_on(async {
        let (stream, _) = listener.accept().await.expect("it connects");
        let mut socket = accept_async(stream).await.expect("a handshake");
        let welcome = Message::text(r#"{"type":"welcome","heartbeat_ms":60000}"#);
        let mut messages = Vec::new();
        while messages.len() < checks + 1 {
            let message = socket.next().await.expect("it stays").expect("a message");
            messages.push(message.into_text().expect("text").to_string());
            if messages.len() == 1 {
                socket.send(welcome.clone()).await.expect("it is taken");
            }
        }
        messages
    });
    let lines = output.lines().map(|line| line.expect("text"));
    let promise = format!("board: {address} gets the name Ada and verdicts, never your source");
    assert!(lines.into_iter().any(|line| line == promise), "it says what it sends");
    child.kill().expect("it ends");
    child.wait().expect("it ends");
    let known = ["type", "version", "student", "name", "verdicts", "check", "outcome", "age_ms"];
    for message in &messages {
        let mut found = Vec::new();
        fields(&serde_json::from_str(message).expect("JSON"), &mut found);
        assert!(found.iter().all(|name| known.contains(&name.as_str())), "{message}");
        assert!(!message.contains("secret"), "{message}");
        assert!(message.len() < 200, "{message}");
    }
    assert!(messages[0].contains(r#""name":"Ada""#), "{messages:?}");
    // Verdicts that wait for the connection come in another order than the checks'.
    let (first, blocked): (Vec<_>, Vec<_>) =
        messages[1..].iter().partition(|message| message.contains("echo::handshake"));
    assert!(first.len() == 1 && first[0].contains("not-started"), "{messages:?}");
    assert!(blocked.iter().all(|message| message.contains("blocked")), "{messages:?}");
}

/// A student without `--name` is asked, and the answer is the default of the next run.
#[tokio::test(flavor = "multi_thread")]
async fn a_student_is_asked_for_a_name_and_appears_on_the_board() {
    let workbook = tokio::task::spawn_blocking(|| {
        drop(TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        Workbook::copy()
    });
    let workbook = workbook.await.expect("a copy");
    let board = BoardProcess::start(&[]);
    let mut page = board.page().await;
    let address = board.address();
    for (answer, question) in [("Ada\r", "on the board:"), ("\r", "on the board (Enter for Ada):")]
    {
        let args = ["watch", "echo", "--board", &address];
        let mut terminal = Terminal::open(&workbook, &args, 40, 80);
        let asked = terminal.wait_for("question", |screen| screen.contains(question));
        assert!(asked.contains("Your source stays on this machine."), "{asked}");
        answer.chars().for_each(|key| terminal.press(key));
        page.wait_for_presence("Ada", "here").await;
        let is_verdict = |message: &Value| {
            message["outcomes"].as_str().is_some_and(|outcomes| outcomes.starts_with("nb"))
        };
        page.wait_for(is_verdict).await;
        let screen = terminal.wait_for("promise", |screen| {
            screen.contains("gets the name Ada") && screen.contains("q quit")
        });
        // The line may wrap.
        assert!(screen.contains("and verdicts, never your"), "{screen}");
        terminal.press('q');
        assert_eq!(terminal.end(), 0);
        page.wait_for_presence("Ada", "left").await;
    }
}

#[test]
fn a_wrong_address_or_a_missing_name_is_named() {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let workbook = Workbook::copy();
    let board = BoardProcess::start(&[]);
    let (host, _) = board.room.split_once('/').expect("a room");
    let elsewhere = format!("ws://{host}/WRONG1");
    let right = board.address();
    for (address, name, words) in [
        ("board.example", Some("Ada"), "does not begin with ws://; wanted: ws://HOST:PORT/ROOM"),
        ("ws://board.example:3100", Some("Ada"), "names no room; wanted: ws://HOST:PORT/ROOM"),
        ("ws://a b/ROOM", Some("Ada"), "is no address; wanted: ws://HOST:PORT/ROOM"),
        (&elsewhere, Some("Ada"), "the board has no room `WRONG1`"),
        (&right, Some(" "), "--name: a name needs at least one character"),
        (&right, None, "--board needs a name to show: add --name NAME"),
    ] {
        let mut args = vec!["watch", "echo", "--board", address];
        args.extend(name.iter().flat_map(|name| ["--name", name]));
        if address == right {
            // Without a name of an earlier run.
            let _ = std::fs::remove_file(workbook.root().join("target/checker/board.json"));
        }
        let (code, said) = workbook.call(&args);
        assert_eq!(code, 2, "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}
