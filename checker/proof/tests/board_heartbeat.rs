//! The heartbeat of the board's server, judged as the checks of `heartbeat` judge a student's: the
//! clock is the pings of a student that answers.

mod board_process;
mod common;

use std::time::{Duration, Instant};

use board_process::{BoardProcess, Page};
use harness::stall_monitor::StallMonitor;
use harness::wire::frame::{Control, Frame, OpCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The heartbeat interval of these boards.
const INTERVAL: Duration = Duration::from_millis(400);
/// The longest run-queue delay of a machine that is quiet enough to judge times.
const QUIET: Duration = Duration::from_millis(40);
/// The time limit of each wait. It ends a hang only.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the board sent on a connection.
#[derive(Debug, PartialEq)]
enum Heard {
    Ping,
    Text,
    End,
}

/// A connection on which the test decides which pings are answered.
struct RawClient {
    stream: TcpStream,
}

fn board() -> BoardProcess {
    BoardProcess::start(&["--interval", &INTERVAL.as_millis().to_string()])
}

impl RawClient {
    /// Upgrades a connection to this path.
    async fn connect(board: &BoardProcess, path: &str) -> Self {
        let (host, _) = board.room.split_once('/').expect("a room");
        let mut stream = TcpStream::connect(host).await.expect("it listens");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it takes a request");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a response"));
        }
        let head = String::from_utf8(head).expect("text");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        RawClient { stream }
    }

    /// Joins the room, and waits for the welcome.
    async fn join(board: &BoardProcess, name: &str) -> Self {
        let (_, code) = board.room.split_once('/').expect("a room");
        let mut client = RawClient::connect(board, &format!("/{code}")).await;
        let number = format!("{:032x}", rand::random::<u128>());
        let hello = serde_json::json!({
            "type": "hello", "version": 1, "student": number, "name": name, "verdicts": [],
        });
        client.send(Frame::text(hello.to_string())).await;
        assert_eq!(client.next().await, Heard::Text, "a welcome");
        client
    }

    async fn send(&mut self, frame: Frame) {
        let bytes = frame.masked(rand::random()).encode();
        // An error means that the board has dropped the connection, which `next` tells.
        let _ = self.stream.write_all(&bytes).await;
    }

    async fn pong(&mut self) {
        self.send(Frame::new(OpCode::Control(Control::Pong), Vec::new())).await;
    }

    /// Reads the next frame.
    async fn next(&mut self) -> Heard {
        let reading = async {
            let first = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => u64::from(self.stream.read_u16().await.ok()?),
                127 => self.stream.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).expect("a short frame")];
            self.stream.read_exact(&mut payload).await.ok()?;
            match first & 0xf {
                0x1 => Some(Heard::Text),
                0x9 => Some(Heard::Ping),
                // A dead client is dropped without a close handshake.
                opcode => panic!("opcode {opcode:#x}"),
            }
        };
        let heard = timeout(RESPONSE_TIMEOUT, reading).await.expect("a frame or the end");
        heard.unwrap_or(Heard::End)
    }

    /// Waits for the next ping, and returns its time.
    async fn ping(&mut self) -> Instant {
        loop {
            match self.next().await {
                Heard::Ping => return Instant::now(),
                Heard::Text => {}
                Heard::End => panic!("a client that answers was dropped"),
            }
        }
    }

    /// Answers pings until the future is dropped or `count` have come.
    async fn answer(&mut self, count: usize) -> Vec<Instant> {
        let mut times = Vec::new();
        while times.len() < count {
            times.push(self.ping().await);
            self.pong().await;
        }
        times
    }

    /// Reads to the end of the connection without answering.
    async fn end(&mut self) -> (usize, Instant) {
        let mut pings = 0;
        loop {
            match self.next().await {
                Heard::Ping => pings += 1,
                Heard::Text => {}
                Heard::End => return (pings, Instant::now()),
            }
        }
    }
}

/// Waits until the page shows that this student has vanished.
async fn vanished(page: &mut Page, name: &str) -> Instant {
    page.wait_for_presence(name, "vanished").await;
    Instant::now()
}

#[tokio::test]
async fn a_student_that_answers_stays_and_its_pings_are_steady() {
    let board = board();
    let (stalls, began) = (StallMonitor::start(), Instant::now());
    let mut student = RawClient::join(&board, "Ada").await;
    let opened = Instant::now();
    let pings = student.answer(13).await;
    let machine = stalls.worst_since(began);
    let first = pings[0] - opened;
    let mean = (pings[12] - pings[0]) / 12;
    eprintln!("first ping after {first:?}, mean gap {mean:?}; the machine stalled {machine:?}");
    if machine < QUIET {
        assert!(first <= INTERVAL.mul_f64(1.25), "{first:?}");
        assert!((INTERVAL.mul_f64(0.8)..=INTERVAL.mul_f64(1.25)).contains(&mean), "{mean:?}");
    }
}

/// A client that sends no pong is dropped at its second ping, and marked on the page.
#[tokio::test]
async fn a_vanished_student_is_marked_within_two_heartbeats() {
    let board = board();
    let mut page = board.page().await;
    let mut witness = RawClient::join(&board, "witness").await;
    let mut silent = RawClient::join(&board, "silent").await;
    let asked = silent.ping().await;
    let ended = async {
        let (pings, ended) = silent.end().await;
        assert_eq!(pings, 0, "a second ping, though the first was not answered");
        (ended, vanished(&mut page, "silent").await)
    };
    let (ended, shown) = tokio::select! {
        times = ended => times,
        // The witness may be pinged just before and just after the two ticks of the silent one.
        pings = witness.answer(4) => panic!("not marked after the witness's pings at {pings:?}"),
    };
    eprintln!("dropped {:?} after the ping, shown after {:?}", ended - asked, shown - asked);
    assert!(ended - asked > INTERVAL.mul_f64(0.7), "dropped before a full interval had passed");
}

/// Messages are no pongs: what is sent may have waited in a buffer.
#[tokio::test]
async fn a_student_that_talks_and_does_not_answer_is_dropped() {
    let board = board();
    let mut witness = RawClient::join(&board, "witness").await;
    let mut talker = RawClient::join(&board, "talker").await;
    talker.ping().await;
    let verdict = r#"{"type":"verdict","check":"echo::reply","outcome":"passed","age_ms":0}"#;
    talker.send(Frame::text(verdict)).await;
    tokio::select! {
        (pings, _) = talker.end() => assert_eq!(pings, 0),
        _ = witness.answer(4) => panic!("the talker was not dropped"),
    }
}

/// Nothing is read here, so the connection looks alive to TCP until its buffers are full.
#[tokio::test]
async fn a_student_that_stops_reading_is_dropped_and_delays_nobody() {
    let board = board();
    let mut page = board.page().await;
    let mut witness = RawClient::join(&board, "witness").await;
    let _stalled = RawClient::join(&board, "stalled").await;
    tokio::select! {
        _ = vanished(&mut page, "stalled") => {}
        _ = witness.answer(5) => panic!("the stalled student was not dropped"),
    }
    // The page and the witness are served on.
    page.wait_for(|message| message["type"] == "beat").await;
    witness.answer(2).await;
}

#[tokio::test]
async fn a_page_that_does_not_answer_is_dropped_and_one_that_does_gets_beats() {
    let board = board();
    let (_, code) = board.room.split_once('/').expect("a room");
    let mut page = board.page().await;
    let mut dead = RawClient::connect(&board, &format!("/{code}/page?key={}", board.key)).await;
    let (pings, _) = dead.end().await;
    assert_eq!(pings, 1);
    for _ in 0..3 {
        page.wait_for(|message| message["type"] == "beat").await;
    }
}
