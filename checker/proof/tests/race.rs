//! The race: plan, counts, pictures and errors.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use baseline::client::{Http, StreamEvent};
use baseline::transports::plan::{Contestant, Plan};
use baseline::transports::proxy::Bytes;
use baseline::transports::server::{Baseline, PushServer};
use baseline::transports::socket::upgrade_request;
use baseline::{Batch, server};
use common::{checker, museum};
use harness::server::Program;
use race::cost::Cost;
use race::run::{Settings, run};
use race::summary::Race;

const SEED: u64 = 21;
const APART: Duration = Duration::from_millis(30);

/// Runs a short race with a right server of the museum.
async fn raced(rtt: u64) -> Race {
    let argv = museum("--right", "raw-broadcast").split(' ').map(str::to_string).collect();
    let settings = Settings {
        seed: SEED,
        window: Duration::from_millis(200),
        apart: APART,
        rtt: Duration::from_millis(rtt),
        reconnect: false,
        pushed: PushServer::Program(Program::new(argv, std::env::temp_dir())),
        server: "raw-broadcast".to_string(),
        baseline: Baseline::Inside,
        subscribers: vec![1, 3],
    };
    run(&settings, &|_| ()).await.expect("a right server can race")
}

/// Computes the bytes that the messages of one subscriber cost.
struct Computed {
    requests: usize,
    listening: Bytes,
    publishing: Bytes,
}

fn bytes(up: usize, down: usize) -> Bytes {
    Bytes { up: up as u64, down: down as u64 }
}

/// Ephemeral ports have five digits.
const HOST: &str = "host: 127.0.0.1:50000\r\n";

fn asking(since: usize, wait: &str) -> usize {
    format!("GET /messages?since={since}{wait} HTTP/1.1\r\naccept: */*\r\n{HOST}\r\n").len()
}

fn answer(messages: &[String], next: usize) -> usize {
    let body = serde_json::to_string(&Batch { messages: messages.to_vec(), next })
        .expect("it is JSON")
        .len();
    let date = "date: Mon, 23 Nov 2026 12:00:00 GMT";
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
         content-length: {body}\r\n{date}\r\n\r\n"
    );
    head.len() + body
}

fn computed(contestant: Contestant) -> Computed {
    let plan = Plan::new(SEED, Duration::from_secs(1), APART);
    let texts: Vec<String> = plan.events.iter().map(|event| event.text.clone()).collect();
    let sum = |each: &dyn Fn(usize, &String) -> usize| {
        texts.iter().enumerate().map(|(n, text)| each(n, text)).sum()
    };
    let post = |_, text: &String| {
        let length = text.len();
        format!(
            "POST /messages HTTP/1.1\r\naccept: */*\r\n{HOST}content-length: {length}\r\n\r\n{text}"
        )
        .len()
    };
    let no_content = "HTTP/1.1 204 No Content\r\ndate: Mon, 23 Nov 2026 12:00:00 GMT\r\n\r\n".len();
    let posting = bytes(sum(&post), texts.len() * no_content);
    match contestant {
        Contestant::Relay => {
            let lines = sum(&|_, text| text.len() + 1);
            Computed { requests: 0, listening: bytes(0, lines), publishing: bytes(lines, lines) }
        }
        Contestant::Push => {
            // Each message is shorter than 126 bytes: two bytes of header, and four of mask from a
            // client.
            let frames = sum(&|_, text| 2 + "Server received: ".len() + text.len());
            let masked = sum(&|_, text| 2 + 4 + text.len());
            Computed { requests: 0, listening: bytes(0, frames), publishing: bytes(masked, frames) }
        }
        Contestant::Events => {
            let chunk = |n: usize, text: &String| {
                let event = format!("id: {}\ndata: {text}\n\n", n + 1).len();
                format!("{event:X}\r\n\r\n").len() + event
            };
            Computed { requests: 0, listening: bytes(0, sum(&chunk)), publishing: posting }
        }
        Contestant::Long => {
            let up = sum(&|n, _| asking(n, "&wait=25000"));
            let down = sum(&|n, text| answer(std::slice::from_ref(text), n + 1));
            Computed { requests: texts.len(), listening: bytes(up, down), publishing: posting }
        }
        Contestant::Short(period) => {
            let (mut since, mut up, mut down, mut requests) = (0, 0, 0, 0);
            for poll in 1..=(1_000 / period.as_millis() as u32) {
                let received = plan.phase(period, 0) + period * poll;
                let next = plan.events.iter().filter(|event| event.at <= received).count();
                up += asking(since, "");
                down += answer(&texts[since..next], next);
                requests += 1;
                since = next;
            }
            assert_eq!(since, texts.len(), "the last poll finds the last event");
            Computed { requests, listening: bytes(up, down), publishing: posting }
        }
    }
}

fn counts(race: &Race) -> Vec<Cost> {
    let all = race.contestants.iter().flat_map(|result| &result.costs);
    all.map(|cost| Cost { cpu_ms: None, ..*cost }).collect()
}

/// The counted bytes equal the computed bytes, in a second race too.
#[tokio::test]
async fn what_is_counted_is_what_the_messages_say() {
    let (race, again) = tokio::join!(raced(0), raced(0));
    assert_eq!(counts(&race), counts(&again));
    for result in &race.contestants {
        let name = &result.name;
        let [one, three] = &result.costs[..] else { panic!("{name}: {:?}", result.costs) };
        let Computed { requests, listening, publishing } = computed(result.key);
        assert_eq!((one.published, one.delivered), (one.published, one.published), "{name}");
        assert_eq!(
            (one.requests, one.listening, one.publishing),
            (requests, listening, publishing),
            "{name}"
        );
        assert_eq!((three.subscribers, three.delivered), (3, 3 * one.published), "{name}");
        assert_eq!(three.publishing, one.publishing, "{name}");
        assert_eq!(result.latency.count as usize, race.events, "{name}");
    }
    let idle = |contestant| {
        race.of(contestant).and_then(|result| result.idle_minute).expect("it was seen")
    };
    let (poll, nothing) = (asking(0, ""), answer(&[], 0));
    let asked = idle(Contestant::Short(Duration::from_millis(100)));
    assert_eq!((asked.bytes_up, asked.bytes_down), (600.0 * poll as f64, 600.0 * nothing as f64));
    // Two heartbeats: an empty ping, an empty pong and its mask. The museum's ping may have a
    // payload.
    let kept = idle(Contestant::Push);
    assert_eq!(kept.bytes_up - kept.bytes_down, 2.0 * 4.0);
    // Four comments, each in a chunk of its own.
    assert_eq!(idle(Contestant::Events).bytes_down, 4.0 * "3\r\n:\n\n\r\n".len() as f64);
    let joining = race.of(Contestant::Push).expect("it raced").costs[0].joining;
    assert_eq!(
        joining.up as usize,
        upgrade_request("localhost", "/", "dGhlIHNhbXBsZSBub25jZQ==").len()
    );
}

/// With a delay, an event during a long poll's response comes with the next poll.
#[tokio::test]
async fn at_a_distance_long_polls_carry_more_than_one_message() {
    let race = raced(60).await;
    let long = race.of(Contestant::Long).expect("it raced");
    let cost = &long.costs[0];
    assert_eq!(cost.delivered, cost.published);
    assert!(cost.requests < cost.published * 3 / 4, "{cost:?}");
    for result in &race.contestants {
        let fastest = result.samples.iter().map(|sample| sample.latency).min().expect("samples");
        assert!(
            fastest >= Duration::from_millis(60),
            "{}: {fastest:?} for a round trip of 60 ms",
            result.name
        );
    }
}

#[test]
fn a_plan_follows_from_its_seed_and_is_as_random_as_it_says() {
    let plan = |seed| Plan::new(seed, Duration::from_secs(300), APART);
    let (one, same, other) = (plan(1), plan(1), plan(2));
    assert_eq!(format!("{one:?}"), format!("{same:?}"));
    assert_ne!(format!("{one:?}"), format!("{other:?}"));
    let count = one.events.len() as f64;
    assert!((9_500.0..10_500.0).contains(&count), "{count} events");
    let gaps: Vec<f64> = one
        .events
        .windows(2)
        .map(|pair| (pair[1].at - pair[0].at).as_secs_f64() / APART.as_secs_f64())
        .collect();
    // In an exponential distribution, 1/e of the values exceed the mean.
    let long = gaps.iter().filter(|gap| **gap > 1.0).count() as f64 / count;
    assert!((0.35..0.39).contains(&long), "{long} of the gaps are longer than the mean");
    for period in Contestant::ALL.iter().filter_map(|contestant| contestant.period()) {
        let phases: Vec<_> = (0..100).map(|subscriber| one.phase(period, subscriber)).collect();
        assert!(phases.iter().all(|phase| *phase < period));
        let mean = phases.iter().sum::<Duration>().as_secs_f64() / 100.0 / period.as_secs_f64();
        assert!(
            (0.4..0.6).contains(&mean),
            "pollers every {period:?} are {mean} into their period"
        );
    }
}

#[test]
fn theory_knows_half_a_period_and_the_distance() {
    let millis = Duration::from_millis;
    let theory = |contestant: Contestant, rtt| {
        contestant.theory(millis(rtt), millis(rtt), millis(40)).as_secs_f64() * 1_000.0
    };
    assert_eq!(theory(Contestant::Short(millis(100)), 0), 50.0);
    assert_eq!(theory(Contestant::Short(millis(100)), 40), 90.0);
    assert_eq!((theory(Contestant::Long, 0), theory(Contestant::Push, 40)), (0.0, 40.0));
    // Measured: 35 ms against 21.5 ms one way.
    assert!((theory(Contestant::Long, 40) - 52.6).abs() < 0.1);
}

#[tokio::test]
async fn the_baseline_can_be_asked_in_every_way() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let serving = tokio::spawn(server::serve(listener));
    for reconnect in [false, true] {
        let http = Http::new(address, reconnect);
        let mut events = http.events(None).await.expect("events");
        http.publish("one\n  two").await.expect("published");
        http.publish("2").await.expect("published");
        let batch = http.poll(0, None).await.expect("polled");
        assert_eq!(
            batch,
            Batch { messages: vec!["one\n  two".to_string(), "2".to_string()], next: 2 }
        );
        assert_eq!(http.poll(2, None).await.expect("polled").messages, [""; 0]);
        assert_eq!(
            http.poll(1, Some(Duration::from_secs(20))).await.expect("polled").messages,
            ["2"]
        );
        assert_eq!(
            events.next().await.expect("an event").0,
            StreamEvent::Message("one\n  two".to_string())
        );
        assert_eq!(events.next().await.expect("an event").0, StreamEvent::Message("2".to_string()));
        let (later, ()) = tokio::join!(http.poll(2, Some(Duration::from_secs(20))), async {
            http.publish("three").await.expect("published");
        });
        assert_eq!(later.expect("polled").messages, ["three"]);
        http.clear().await.expect("cleared");
        assert_eq!(
            http.poll(0, None).await.expect("polled"),
            Batch { messages: Vec::new(), next: 0 }
        );
    }
    serving.abort();
}

/// Returns the baseline's response to these bytes: its first line and its body.
fn asked(address: std::net::SocketAddr, request: &str) -> (String, String) {
    let mut stream = std::net::TcpStream::connect(address).expect("it listens");
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers and closes");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.lines().next().expect("a status").to_string(), body.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_baseline_can_t_answer_it_refuses_by_name() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let serving = tokio::spawn(server::serve(listener));
    let asking = |line: &str| {
        asked(address, &format!("{line} HTTP/1.1\nhost: localhost\nconnection: close\n\n"))
    };
    for (line, status, word) in [
        ("GET /messages?since=soon", "400", "since: invalid digit"),
        ("GET /messages?since=0&wait=-1", "400", "wait: invalid digit"),
        ("GET /events?keep_alive=x", "400", "keep_alive: invalid digit"),
        ("GET /message", "404", "/messages and /events"),
        ("PUT /messages", "405", ""),
        ("POST /events", "405", ""),
    ] {
        let (said, body) = asking(line);
        assert!(said.contains(status) && body.contains(word), "{line}: {said}: {body}");
    }
    let posting = |how: &str, body: &str| {
        asked(
            address,
            &format!(
                "POST /messages HTTP/1.1\nhost: localhost\nconnection: close\n{how}\n\n{body}"
            ),
        )
    };
    let megabyte = format!("100000\n{}\n", "x".repeat(1 << 20));
    for (said, body) in [
        posting("content-length: 2097153", &"x".repeat((2 << 20) + 1)),
        posting("transfer-encoding: chunked", &format!("{megabyte}{megabyte}1\nx\n0\n\n")),
    ] {
        assert!(said.contains("413") && body.contains("length limit exceeded"), "{said}: {body}");
    }
    let http = Http::new(address, false);
    assert_eq!(
        http.poll(0, None).await.expect("polled").next,
        0,
        "what was refused was not published"
    );
    // Every style of line ending is accepted.
    let mut events = http.events(None).await.expect("events");
    http.publish("one\rtwo\r\nthree").await.expect("published");
    assert_eq!(
        events.next().await.expect("an event").0,
        StreamEvent::Message("one\ntwo\nthree".to_string())
    );
    serving.abort();
}

/// Runs the checker, which must exit with this code and one line that contains these words.
fn gives_up(args: &[&str], code: i32, words: &[&str]) {
    let output = checker().args(args).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(output.stdout.is_empty(), "{args:?} printed on stdout");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say {word}: {said}");
    }
    assert!(code == 2 || said.lines().count() == 1, "{args:?}: more than one line: {said}");
}

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("it is there").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_race_that_can_t_be_run_says_why() {
    gives_up(
        &["race", "--url", "http://127.0.0.1:1"],
        2,
        &["http://127.0.0.1:1", "ws://HOST:PORT"],
    );
    gives_up(
        &["race", "--url", "ws://127.0.0.1:1", "--command", "true"],
        2,
        &["--url", "--command"],
    );
    gives_up(&["race", "--rtt", "9999"], 2, &["9999", "2000"]);
    gives_up(&["race", "--command", "a 'b"], 2, &["a 'b", "quote"]);
    gives_up(&["race", "--command", "./no/such/program"], 3, &["./no/such/program"]);
    gives_up(
        &["race", "--command", &museum("--process", "exit")],
        1,
        &["before it was ready", "no route to tomorrow"],
    );
    // This server answers only the sender.
    gives_up(
        &["race", "--command", &museum("--fault", "still-an-echo")],
        1,
        &["WebSocket push", "broadcast?"],
    );
    let directory = tempfile::tempdir().expect("a directory");
    let nowhere = directory.path().join("nowhere/race.svg");
    let nowhere = nowhere.to_str().expect("a path of letters");
    gives_up(&["race", "--url", "ws://127.0.0.1:1", "--chart", nowhere], 3, &[nowhere]);
    let there = directory.path().to_str().expect("a path of letters");
    gives_up(&["race", "--url", "ws://127.0.0.1:1", "--html", there], 3, &[there, "directory"]);
    let chart = directory.path().join("race.svg");
    let chart = chart.to_str().expect("a path of letters");
    gives_up(
        &["race", "--url", "ws://127.0.0.1:1", "--chart", chart],
        3,
        &["ws://127.0.0.1:1", "refused"],
    );
    assert_eq!(files(directory.path()), [""; 0]);
}

/// The race of a fresh clone.
#[test]
fn a_skeleton_is_not_started_and_pointed_to_the_solutions() {
    let workbook = common::workbook::Workbook::copy();
    let (code, said) = workbook.call(&["race", "--quick"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("not started: day1/broadcast/src/main.rs"), "{said}");
    assert!(said.contains("try --target solutions"), "{said}");
}

/// Without cargo, the programs that the checker hands over to cannot be built.
#[test]
fn without_cargo_there_is_no_race_and_it_says_so() {
    for (args, code, word) in [
        (&["race"][..], 3, "/no/such/cargo"),
        (&["play", "--port", "0"], 3, "/no/such/cargo"),
        (&["watch"], 3, "/no/such/cargo"),
        (&["race", "--help"], 3, "/no/such/cargo"),
    ] {
        let output = checker().args(args).env("CARGO", "/no/such/cargo").output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(word), "{args:?}: {said}");
    }
}

#[test]
fn a_url_that_answers_404_and_a_port_in_use_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    gives_up(&["polling", "--addr", &address], 3, &[&address, "in use", "--addr HOST:PORT"]);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 1_024]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        }
    });
    gives_up(
        &["race", "--url", &format!("ws://{address}/x")],
        1,
        &["404 Not Found", "101 Switching Protocols"],
    );
}

/// The server is killed after the fifth event.
#[test]
fn a_server_that_dies_in_the_middle_is_told() {
    let mut server = Command::new(common::faults())
        .args(["--right", "raw-broadcast"])
        .env("ADDR", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines =
        BufReader::new(server.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let ready = lines.next().expect("a ready line");
    let url = ready.rsplit_once(' ').expect("an address").1.to_string();
    let killing = std::thread::spawn(move || {
        let fifth = lines.find(|line| line.starts_with("Received: #5 "));
        server.kill().expect("it can be killed");
        server.wait().expect("it ended");
        fifth
    });
    let directory = tempfile::tempdir().expect("a directory");
    let chart = directory.path().join("race.svg");
    checker(); // builds first, so that the time of building does not count
    let began = Instant::now();
    gives_up(
        &["race", "--url", &url, "--chart", chart.to_str().expect("letters")],
        1,
        &["in the middle"],
    );
    assert!(began.elapsed() < Duration::from_secs(10), "it raced on without the server");
    assert!(killing.join().expect("no panic").is_some());
    assert_eq!(files(directory.path()), [""; 0]);
}

/// The status of this request to the HTTP baseline.
async fn baseline_status(address: &str, host: &str, origin: Option<&str>) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    let request =
        format!("GET /messages HTTP/1.1\r\nHost: {host}\r\n{origin}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    answer.split_whitespace().nth(1).unwrap_or_default().to_string()
}

#[tokio::test]
async fn the_baseline_serves_no_page_of_another_origin_and_keeps_64_mib() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = &listener.local_addr().expect("it is bound").to_string();
    let serving = tokio::spawn(server::serve(listener));
    let page = &format!("http://{address}");
    assert_eq!(baseline_status(address, address, None).await, "200");
    assert_eq!(baseline_status(address, address, Some(page)).await, "200");
    assert_eq!(baseline_status(address, "localhost", None).await, "200");
    assert_eq!(baseline_status(address, address, Some("http://elsewhere.example")).await, "403");
    assert_eq!(baseline_status(address, "rebound.example", None).await, "403");

    let client = Http::new(address, false);
    let message = "x".repeat(2 << 20);
    for _ in 0..40 {
        client.publish(&message).await.expect("it takes a message");
    }
    let batch = client.poll(0, None).await.expect("it answers");
    assert_eq!((batch.messages.len(), batch.next), (32, 40));
    serving.abort();
}
