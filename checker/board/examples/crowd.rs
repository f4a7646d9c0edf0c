//! Measures the board under a crowd: simulated students, two pages, and its memory and CPU time.
//!
//! `cargo build -p board && cargo run -p board --example crowd -- 500`

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use board_client::link::{BoardLink, LinkState};
use board_client::message::{Name, Outcome};
use futures_util::{StreamExt, future::join_all};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// The time over which the students report all their checks.
const LESSON: Duration = Duration::from_secs(20);
/// The number of open pages.
const PAGES: usize = 2;

/// A board in a process of its own, which is killed on drop.
struct Board(Child);

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let students: usize = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|error| format!("`{text}`: {error}; wanted: 500"))?,
        None => 500,
    };
    // The program stands beside the folder of examples, built with the same profile.
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(|examples| examples.parent()).ok_or("no target folder")?;
    let program = folder.join(format!("board{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(&program);
    command.args(["board", "--host", "127.0.0.1", "--port", "0", "--interval", "5000"]);
    let child = command.stdout(Stdio::piped()).spawn().map_err(|error| {
        format!("cannot start {}: {error}; run `cargo build -p board` first", program.display())
    })?;
    let mut board = Board(child);
    let mut lines = BufReader::new(board.0.stdout.take().ok_or("no stdout")?).lines();
    let first = lines.next().ok_or("the board ended")??;
    let address = first.strip_prefix("board running on http://").ok_or("no address")?;
    let (room, key) = address.split_once('#').ok_or("no key")?;
    let pid = board.0.id();
    let before = usage(pid);

    let mut received = Vec::new();
    for _ in 0..PAGES {
        let (mut page, _) = connect_async(format!("ws://{room}/page?key={key}")).await?;
        received.push(tokio::spawn(async move {
            let (mut messages, mut bytes) = (0_u64, 0_u64);
            while let Some(Ok(message)) = page.next().await {
                if let Message::Text(text) = message {
                    messages += 1;
                    bytes += text.len() as u64;
                }
            }
            (messages, bytes)
        }));
    }
    let joined = Instant::now();
    let mut links = Vec::new();
    for number in 0..students {
        let name = Name::try_from(format!("Student {number}"))?;
        let address = format!("ws://{room}").parse()?;
        links.push(BoardLink::open(address, format!("{number:032x}"), name));
    }
    join_all(links.iter().map(async |link| {
        let mut state = link.state();
        let _ = state.wait_for(|state| *state == LinkState::Connected).await;
    }))
    .await;
    let joined = joined.elapsed();
    let checks = checks::all();
    let pause = LESSON / u32::try_from(checks.len())?;
    let (cpu_before, began) = (usage(pid), Instant::now());
    let mut ticks = tokio::time::interval(pause);
    for check in &checks {
        ticks.tick().await;
        for outcome in [Outcome::Failed, Outcome::Passed] {
            for link in &links {
                link.report(check.id, outcome);
            }
            tokio::task::yield_now().await;
        }
    }
    ticks.tick().await;
    let (after, took) = (usage(pid), began.elapsed());
    drop(links);
    drop(board);
    println!("{students} students joined within {:.1} s", joined.as_secs_f64());
    println!("{} verdicts at least in {:.1} s", students * checks.len(), took.as_secs_f64());
    for (number, task) in (1..).zip(received) {
        let (messages, bytes) = task.await?;
        println!("page {number} received {messages} messages, {:.1} MB", bytes as f64 / 1e6);
    }
    match (before, cpu_before, after) {
        (Some(empty), Some(cpu), Some(full)) => {
            println!("memory: {:.1} MB empty, {:.1} MB full", mb(empty.memory), mb(full.memory));
            let used = full.cpu.saturating_sub(cpu.cpu);
            let share = 100.0 * used.as_secs_f64() / took.as_secs_f64();
            println!("CPU: {:.2} s, {share:.0} % of one processor", used.as_secs_f64());
        }
        _ => println!("memory and CPU: known on Linux only"),
    }
    Ok(())
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The resources of a process.
struct Usage {
    memory: u64,
    cpu: Duration,
}

#[cfg(target_os = "linux")]
fn usage(pid: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = resident.split_whitespace().next()?.parse().ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields 14 and 15, user and system time, in ticks of 10 ms. The name before may have spaces.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Usage { memory: kib * 1024, cpu: Duration::from_millis(ticks * 10) })
}

#[cfg(not(target_os = "linux"))]
fn usage(_pid: u32) -> Option<Usage> {
    None
}
