//! `cargo checker board`, from outside: students, pages and a kill.

mod board_process;
mod common;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use board_client::link::BoardLink;
use board_client::message::{Name, Outcome};
use board_process::BoardProcess;
use common::checker;
use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use harness::stall_monitor::StallMonitor;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The longest run-queue delay of a machine that is quiet enough to judge times.
const QUIET: Duration = Duration::from_millis(100);
const STUDENTS: usize = 30;
/// The number of the student that is played without [`BoardLink`].
const GRACE: usize = 77;

/// Connects all students of a class.
async fn join_class(board: &BoardProcess) -> Vec<BoardLink> {
    join_all(
        (0..STUDENTS).map(async |number| board.join(number, &format!("Student {number}")).await),
    )
    .await
}

/// Returns how many passed checks each student has, by its name.
fn passed(students: &serde_json::Value) -> BTreeMap<String, usize> {
    let students = students.as_array().expect("students").iter();
    let here = students.filter(|student| student["presence"] == "here");
    let count = |student: &serde_json::Value| {
        let outcomes = student["outcomes"].as_str().expect("outcomes");
        (student["name"].as_str().expect("a name").to_string(), outcomes.matches('p').count())
    };
    here.map(count).collect()
}

#[tokio::test]
async fn a_verdict_of_30_students_appears_within_a_second() {
    let board = BoardProcess::start(&[]);
    let links = join_class(&board).await;
    let mut page = board.page().await;
    assert_eq!(passed(&page.snapshot["students"]).len(), STUDENTS, "{}", page.snapshot);
    let (stalls, began) = (StallMonitor::start(), Instant::now());
    let mut slowest = Duration::ZERO;
    for check in checks::all() {
        let sent = Instant::now();
        for link in &links {
            link.report(check.id, Outcome::Passed);
        }
        for _ in 0..STUDENTS {
            let green = page.wait_for(|message| message["type"] == "green").await;
            assert_eq!(green["check"], check.id);
        }
        slowest = slowest.max(sent.elapsed());
    }
    let machine = stalls.worst_since(began);
    eprintln!("the slowest verdict took {slowest:?}; the machine stalled for {machine:?}");
    if machine < QUIET {
        assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    } else {
        eprintln!("\nNOT JUDGED: this machine is too busy to judge times\n");
    }
}

#[tokio::test]
async fn students_come_back_to_a_board_that_was_killed() {
    let board = BoardProcess::start(&["--interval", "1000"]);
    let links = join_class(&board).await;
    let first = checks::all()[0].id;
    for link in &links {
        link.report(first, Outcome::Passed);
    }
    let page = board.page().await;
    assert_eq!(passed(&page.snapshot["students"]).len(), STUDENTS, "{}", page.snapshot);
    let board = board.kill_and_restart(&["--interval", "1000"]);
    let mut page = board.page().await;
    let mut back = passed(&page.snapshot["students"]);
    while back.len() < STUDENTS {
        let change = page.wait_for(|message| message["type"] == "student").await;
        back.extend(passed(&serde_json::json!([change])));
    }
    let snapshot = board.page().await.snapshot;
    let passed = passed(&snapshot["students"]);
    assert_eq!(passed.len(), STUDENTS, "{snapshot}");
    assert!(passed.values().all(|passed| *passed == 1), "{passed:?}");
    // They did not come back at the same moment.
    let ages = snapshot["students"].as_array().expect("students").iter();
    let ages: Vec<u64> = ages.filter_map(|student| student["presence_age_ms"].as_u64()).collect();
    let (first, last) = (ages.iter().min(), ages.iter().max());
    eprintln!("they came back {first:?} to {last:?} ms before the snapshot");
    assert_ne!(first, last, "{ages:?}");
}

#[tokio::test]
async fn a_student_that_says_goodbye_has_left_and_one_that_is_killed_has_vanished() {
    let board = BoardProcess::start(&[]);
    let mut page = board.page().await;
    let ada = board.join(1, "Ada").await;
    page.wait_for_presence("Ada", "here").await;
    ada.leave().await;
    page.wait_for_presence("Ada", "left").await;
    let (mut grace, _) = connect_async(board.address()).await.expect("it accepts a student");
    grace.send(hello("Grace")).await.expect("it takes a hello");
    page.wait_for_presence("Grace", "here").await;
    // The system closes the socket of a process that is killed. No close frame is sent.
    drop(grace);
    page.wait_for_presence("Grace", "vanished").await;
    // It comes back under the same number, with another name.
    let _grace = board.join(GRACE, "Grace Hopper").await;
    let back = page.wait_for_presence("Grace Hopper", "here").await;
    assert_eq!(back["number"], 2, "{back}");
    // Another student may have the same name.
    let _other = board.join(3, "Grace Hopper").await;
    page.wait_for_presence("Grace Hopper (2)", "here").await;
}

/// A page that reads nothing costs a bounded number of changes. The others get all of them.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_stalled_page_costs_bounded_memory_and_delays_nobody() {
    /// Changes, of 200 bytes each: 20 MB if all of them were kept.
    const CHANGES: usize = 100_000;
    let memory = |pid: u32| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
        line.split_whitespace().next().and_then(|kib| kib.parse().ok()).expect("a number")
    };
    let board = BoardProcess::start(&["--interval", "600000"]);
    let stalled = join_all((0..3).map(|_| board.page_socket())).await;
    let mut page = board.page().await;
    let before = memory(board.id());
    let (mut student, _) = connect_async(board.address()).await.expect("it accepts a student");
    student.send(hello("Ada")).await.expect("it takes a hello");
    page.wait_for_presence("Ada", "here").await;
    let reading = tokio::spawn(async move {
        // If this page lags as well, a snapshot has the change.
        let is_last = |student: &serde_json::Value| student["red"]["check"] == "broadcast::slow";
        let in_snapshot = |message: &serde_json::Value| {
            message["students"].as_array().is_some_and(|students| students.iter().any(is_last))
        };
        page.wait_for(|message| is_last(message) || in_snapshot(message)).await
    });
    for number in 0..CHANGES {
        let outcome = if number % 2 == 0 { "failed" } else { "blocked" };
        student.feed(verdict("echo::reply", outcome)).await.expect("it is taken");
    }
    student.send(verdict("broadcast::slow", "failed")).await.expect("it is taken");
    reading.await.expect("the other page has the last change");
    let grown = memory(board.id()).saturating_sub(before);
    eprintln!("three stalled pages and {CHANGES} changes: {before} KiB and {grown} KiB more");
    assert!(grown < 4 * 1024, "{grown} KiB");
    drop(stalled);
}

fn hello(name: &str) -> Message {
    let student = format!("{GRACE:032x}");
    let hello = serde_json::json!({
        "type": "hello", "version": 1, "student": student, "name": name, "verdicts": [],
    });
    Message::text(hello.to_string())
}

fn verdict(check: &str, outcome: &str) -> Message {
    let verdict = serde_json::json!({
        "type": "verdict", "check": check, "outcome": outcome, "age_ms": 0,
    });
    Message::text(verdict.to_string())
}

/// Returns the code and the reason with which the board closes after this message.
async fn refused(board: &BoardProcess, first: &[Message]) -> String {
    let (mut socket, _) = connect_async(board.address()).await.expect("it accepts a student");
    for message in first {
        socket.send(message.clone()).await.expect("it takes a message");
    }
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Close(Some(frame)) = message {
            return format!("{} {}", u16::from(frame.code), frame.reason);
        }
    }
    panic!("it ended without a close frame");
}

#[tokio::test]
async fn a_wrong_message_is_refused_with_its_reason() {
    let board = BoardProcess::start(&["--interval", "500"]);
    let long = "a name that is longer than the board has room for";
    for (messages, reason) in [
        (vec![Message::text("{}")], "1008 unknown message: missing field `type`"),
        (vec![verdict("echo::reply", "passed")], "1008 no hello came first"),
        (vec![], "1008 no hello came within a heartbeat"),
        (vec![hello("")], "1008 unknown message: a name needs at least one character"),
        (vec![hello(long)], "1008 unknown message: a name may have 40 characters; this one has 49"),
        (vec![hello("Ada"), hello("Ada")], "1008 a second hello"),
        (
            vec![hello("Ada"), verdict("echo::nothing", "passed")],
            "1008 this board knows no check `echo::nothing`",
        ),
        (vec![Message::binary(vec![1, 2])], "1008 messages are JSON in text messages"),
    ] {
        let said = refused(&board, &messages).await;
        assert!(said.starts_with(reason), "{said}");
    }
}

#[tokio::test]
async fn only_the_room_and_the_key_open_it() {
    let board = BoardProcess::start(&[]);
    let status = async |url: String, origin: Option<&'static str>| {
        let mut request = url.into_client_request().expect("a URL");
        if let Some(origin) = origin {
            request.headers_mut().insert("Origin", origin.parse().expect("a header"));
        }
        match connect_async(request).await {
            Ok(_) => 101,
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
        }
    };
    let (address, room) = (board.address(), &board.room);
    let elsewhere = format!("ws://{}/WRONG1", room.split_once('/').expect("a room").0);
    assert_eq!(status(address.clone(), None).await, 101);
    assert_eq!(status(address.to_ascii_lowercase(), None).await, 101);
    assert_eq!(status(address.clone(), Some("http://elsewhere.example")).await, 403);
    assert_eq!(status(elsewhere, None).await, 404);
    assert_eq!(status(format!("{address}/page?key={}", board.key), None).await, 101);
    assert_eq!(status(format!("{address}/page?key=0"), None).await, 403);
    assert_eq!(status(format!("{address}/page"), None).await, 403);
    let page = reqwest::get(format!("http://{room}")).await.expect("a page");
    assert_eq!(page.status(), 200);
    assert!(!page.text().await.expect("text").contains(&board.key), "the key stays out of it");
}

#[tokio::test]
async fn events_are_kept_only_in_the_file_of_save() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("events.jsonl");
    let board = BoardProcess::start(&["--save", file.to_str().expect("text")]);
    let mut page = board.page().await;
    let ada = board.join(1, "Ada").await;
    ada.report("echo::reply", Outcome::Failed);
    page.wait_for(|message| message["red"]["check"] == "echo::reply").await;
    ada.leave().await;
    page.wait_for_presence("Ada", "left").await;
    // A board that is killed loses no event that a page has shown, but the last write may wait.
    let lines = loop {
        let text = std::fs::read_to_string(&file).expect("a file");
        if text.contains("left") {
            break text;
        }
        tokio::task::yield_now().await;
    };
    let events: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events.len(), 3, "{lines}");
    assert!(
        events.iter().all(|event| event["name"] == "Ada" && event["at"].is_string()),
        "{lines}"
    );
    assert_eq!(events[1]["check"], "echo::reply");
    assert_eq!(events[1]["outcome"], "failed");
}

#[test]
fn a_wrong_argument_is_named_with_what_would_be_right() {
    let file = tempfile::tempdir().expect("a folder").path().join("gone/events.jsonl");
    let file = file.to_str().expect("text");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    for (args, code, words) in [
        (&["--room", "a b"][..], 2, "a room code has 4 to 20 letters and digits"),
        (&["--key", "short"][..], 2, "a key has 16 to 64 letters and digits"),
        (&["--interval", "1"][..], 2, "1 is not in 100..=600000"),
        (&["--save", file][..], 2, "wanted: a file in a directory that exists"),
        (&["--host", "127.0.0.1", "--port", &port][..], 3, "wanted: --port with a free one"),
        (&["--host", "192.0.2.1"][..], 3, "wanted: --host with an address of this machine"),
    ] {
        let args =
            [&["board", "--port", "0"][..usize::from(!args.contains(&"--port")) * 2 + 1], args]
                .concat();
        let output = checker().args(&args).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
}

/// `Name` is what a student types.
#[test]
fn a_name_has_no_control_characters() {
    assert!(Name::try_from("Ada\u{1b}[2J".to_string()).is_err());
    assert_eq!(Name::try_from("  Ada ".to_string()).expect("a name").as_str(), "Ada");
}
