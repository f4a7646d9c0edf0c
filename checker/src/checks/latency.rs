//! The check of `latency`: push against polling, in one run, on the same machine.

use std::io;
use std::time::{Duration, Instant};

use futures_util::future::try_join;
use rand::RngExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::{Check, LEAST, check};
use crate::arena::Arena;
use crate::client::{PATIENCE, reply_to, within};
use crate::evidence::Least;
use crate::exercise::Exercise::Broadcast;
use crate::polling::{self, Batch};
use crate::verdict::{Checked, Failure, Kind, Trouble};

/// How often the poller asks.
const POLL: Duration = Duration::from_millis(100);
/// How many events are published, and how far apart they are on the average.
const EVENTS: usize = 24;
const APART: Duration = Duration::from_millis(45);
/// Push may take at most this share of what polling takes.
const SHARE: u32 = 5;

pub(super) const CHECKS: &[Check] = &[Check {
    needs: &["broadcast::welcome", "broadcast::everyone"],
    explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::order", "broadcast::agreement"],
    hint: "Send a message on as soon as it is there: no timer, no collecting, TCP_NODELAY on the socket, and a flush after the last message that is ready.",
    lesson: "lessons/01-polling-and-pushing.md",
    least: Least { connections: 2, messages: 2 * EVENTS as u64, ..LEAST },
    ..check(
        "latency::push",
        Broadcast,
        "The median time from a message's sending to its arrival at another client is at most a fifth of that of short polling at 100 ms.",
        |arena| Box::pin(push(arena)),
    )
}];

async fn push(arena: &mut Arena) -> Checked {
    let (mut sender, mut receiver) = try_join(arena.join(), arena.join()).await?;
    let (address, serving) = polling::serve().await?;
    let url = format!("http://{address}/messages");
    let http = reqwest::Client::new();
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let poller = tokio::spawn(poll(http.clone(), url.clone(), arrived));
    // Moments that know nothing of the poller's rhythm.
    let pauses: Vec<Duration> =
        (0..EVENTS).map(|_| APART.mul_f64(-(1.0 - arena.rng.random::<f64>()).ln()).min(3 * APART)).collect();
    let tokens = arena.tokens(EVENTS);
    let mut echo = Relay::new().await?;
    let mut floor = Vec::new();
    let mut pushed = Vec::new();
    let mut published = Vec::new();
    for (token, pause) in tokens.iter().zip(pauses) {
        tokio::time::sleep(pause).await;
        let sent = Instant::now();
        sender.send_text(token.as_str());
        receiver.expect_text(&reply_to(token), "the message of another client").await?;
        pushed.push(sent.elapsed());
        sender.expect_reply(token).await?;
        floor.push(echo.round_trip().await?);
        published.push(Instant::now());
        let posted = http.post(&url).body(token.clone()).send().await.and_then(reqwest::Response::error_for_status);
        posted.map_err(|error| Trouble::Unknown(format!("the HTTP baseline fails: {error}")))?;
    }
    let mut polled = Vec::new();
    for published in published {
        match within(PATIENCE, arrivals.recv()).await {
            Some(Some(arrival)) => polled.push(arrival - published),
            _ => return Err(Trouble::Unknown("the HTTP baseline lost a message".to_string())),
        }
    }
    poller.abort();
    serving.abort();
    let (push, poll, floor) = (median(pushed), median(polled), median(floor));
    if push * SHARE <= poll {
        return Ok(());
    }
    if floor * SHARE * 4 > poll {
        let millis = floor.as_millis();
        return Err(Trouble::Busy(format!(
            "this machine is too busy to judge latency: bytes that are just sent back took {millis} ms"
        )));
    }
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
    let failure = Failure::new(Kind::WrongTiming, "a pushed message takes too long").expected(
        format!("at most {}: a fifth of the {} of polling every 100 ms", millis(poll / SHARE), millis(poll)),
        millis(push),
    );
    Err(failure.into())
}

/// The floor of what can be measured here: bytes that are sent back by nobody but the checker itself.
struct Relay {
    near: TcpStream,
}

impl Relay {
    async fn new() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let near = TcpStream::connect(listener.local_addr()?).await?;
        let (far, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (mut from, mut to) = far.into_split();
            let _ = tokio::io::copy(&mut from, &mut to).await;
        });
        near.set_nodelay(true)?;
        Ok(Relay { near })
    }

    async fn round_trip(&mut self) -> io::Result<Duration> {
        let sent = Instant::now();
        self.near.write_all(b"there and back").await?;
        self.near.read_exact(&mut [0; 14]).await?;
        Ok(sent.elapsed())
    }
}

/// Asks at a fixed rhythm and says when each message was there.
async fn poll(http: reqwest::Client, url: String, arrived: mpsc::UnboundedSender<Instant>) {
    let mut rhythm = tokio::time::interval(POLL);
    let mut since = 0;
    loop {
        rhythm.tick().await;
        let Ok(response) = http.get(format!("{url}?since={since}")).send().await else { continue };
        let Ok(batch) = response.json::<Batch>().await else { continue };
        since = batch.next;
        for _ in &batch.messages {
            let _ = arrived.send(Instant::now());
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
