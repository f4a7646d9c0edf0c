//! Right servers in other designs.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::common::*;
use crate::base::{self, Right};
use crate::config::Config;
use crate::right as on;

/// How a server is built.
pub(crate) enum Design {
    /// The base with this mutation.
    Base(&'static dyn Mutation),
    /// A server of its own.
    Own(fn(Config) -> io::Result<()>),
}

/// One right server.
pub(crate) struct RightServer {
    pub(crate) name: &'static str,
    pub(crate) exercise: Exercise,
    pub(crate) sentence: &'static str,
    pub(crate) design: Design,
}

const fn right(
    exercise: Exercise,
    name: &'static str,
    design: Design,
    sentence: &'static str,
) -> RightServer {
    RightServer { name, exercise, sentence, design }
}

use Design::{Base, Own};
use Exercise::{Broadcast, Echo, Heartbeat};

/// Sends a page, and keeps the connection until the client disconnects.
async fn serve_page(stream: &mut TcpStream) {
    let page = "<!doctype html><title>Day 1</title><p>Come with a WebSocket.";
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n",
        page.len()
    );
    drop(stream.write_all((head + page).as_bytes()).await);
    while let Ok(1..) = stream.read(&mut [0; 1024]).await {}
}

pub(crate) const RIGHT: &[RightServer] = &[
    right(
        Echo,
        "raw-echo",
        Base(&Right),
        "Raw frames by hand, a reader and a writer task for each client.",
    ),
    right(
        Heartbeat,
        "raw-heartbeat",
        Base(&Right),
        "Raw frames by hand, one timer for each connection.",
    ),
    right(
        Broadcast,
        "raw-broadcast",
        Base(&Right),
        "Raw frames by hand, one list of clients under a lock.",
    ),
    right(
        Echo,
        "split-echo",
        Own(|config| on::on_all_cores(on::split(config, false))),
        "Split halves: one task reads, another writes what comes through a channel.",
    ),
    right(
        Heartbeat,
        "split-heartbeat",
        Own(|config| on::on_all_cores(on::split(config, true))),
        "Split halves, and the heartbeat puts its pings into the writer's channel.",
    ),
    right(
        Echo,
        "single-thread-echo",
        Own(|config| on::on_one_core(on::split(config, false))),
        "Everything on one thread: concurrency without parallelism.",
    ),
    right(
        Broadcast,
        "single-thread-broadcast",
        Own(|config| on::on_one_core(base::run(config, Broadcast, &Right))),
        "A whole room on one thread.",
    ),
    right(
        Echo,
        "threads-echo",
        Own(on::threads),
        "A thread for each connection, and no async at all.",
    ),
    right(
        Heartbeat,
        "sweep-heartbeat",
        Own(|config| on::on_all_cores(on::sweep(config))),
        "One timer for all: each beat sweeps the table of clients, aborts the dead and pings the \
         rest.",
    ),
    right(
        Heartbeat,
        "opening-ping-heartbeat",
        Own(|config| on::on_all_cores(on::opening(config))),
        "One `interval` for each connection. The first ping comes at once, or when the runtime \
         gets to it.",
    ),
    right(
        Heartbeat,
        "stamped-pings-heartbeat",
        Base(mutation! {
            fn send_ping<'a>(&self, _: &'a Server, conn: &'a Conn, _: u32) -> BoxFuture<'a, ()> {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                beat::send_ping(conn, &now.as_nanos().to_be_bytes());
                done()
            }
        }),
        "Its pings carry the time, and any pong counts as an answer.",
    ),
    right(
        Broadcast,
        "channel-broadcast",
        Own(|config| on::on_all_cores(on::channel(config))),
        "tokio's `broadcast` channel: a client that lags by its capacity is dropped.",
    ),
    right(
        Broadcast,
        "map-broadcast",
        Own(|config| on::on_all_cores(on::map(config))),
        "A map of bounded senders under a mutex; a client with a full queue is removed.",
    ),
    right(
        Broadcast,
        "actor-broadcast",
        Own(|config| on::on_all_cores(on::actor(config))),
        "An actor owns all clients and gets messages from their tasks.",
    ),
    right(
        Broadcast,
        "closes-slow-broadcast",
        Base(mutation! {
            fn offer(&self, to: &Conn, frame: &Bytes) {
                if is_stuck(to) { to.kill() } else { hub::offer(to, frame) }
            }
        }),
        "Ends a client's connection as soon as 1,000 messages and 1 MiB are on their way to it \
         and nothing moves.",
    ),
    right(
        Echo,
        "fragments-echo",
        Base(mutation! {
            fn encode(&self, text: &str) -> Bytes {
                frames::fragment(text, 1000)
            }
        }),
        "Sends its long messages in fragments of 1,000 bytes, edges in the middle of characters \
         included.",
    ),
    right(
        Echo,
        "other-headers-echo",
        Base(mutation! {
            fn response(&self, _: &Request, accept_key: &str) -> String {
                format!(
                    "HTTP/1.1 101 Switching Protocols\r\nserver: museum/1.0\r\n\
                     date: Thu, 01 Jan 1970 00:00:00 GMT\r\nx-powered-by: raw frames\r\n\
                     set-cookie: visited=yes; Path=/\r\n\
                     upgrade: WebSocket\r\nconnection: upgrade\r\n\
                     sec-websocket-accept:{accept_key}\r\n\r\n"
                )
            }
        }),
        "Its 101 has header names in lower case, values in other cases, and additional headers.",
    ),
    right(
        Echo,
        "late-ready-echo",
        Base(READY_LATE),
        "Accepts at once, and prints the ready line two seconds later.",
    ),
    right(
        Echo,
        "chatty-echo",
        Base(mutation! {
            fn announce(&self, log: &Log, line: String) {
                log.line(line);
                let log = log.clone();
                tokio::spawn(async move {
                    for n in 0_u64.. {
                        log.line(format!("[debug] tick {n}: Client count 0, Received 0"));
                        eprintln!("[trace] {n} ticks");
                        sleep(Duration::from_millis(5)).await;
                    }
                });
            }
        }),
        "Prints many lines of its own among the log lines, on both streams.",
    ),
    right(
        Echo,
        "closes-idle-echo",
        Base(mutation! {
            fn idle_timeout(&self) -> Option<Duration> {
                Some(Duration::from_millis(750))
            }
        }),
        "Says goodbye to a client of which it has heard nothing for three quarters of a second.",
    ),
    right(
        Echo,
        "pinging-echo",
        Base(mutation! {
            fn heartbeat<'a>(&self, server: &'a Arc<Server>, conn: &'a Conn) -> BoxFuture<'a, ()> {
                Box::pin(beat::run(server, conn))
            }
            fn interval(&self, _: Duration) -> Duration {
                Duration::from_millis(50)
            }
            fn answered<'a>(&self, _: &'a Server, _: &'a Conn, _: u32) -> BoxFuture<'a, bool> {
                Box::pin(ready(true))
            }
        }),
        "Pings its clients twenty times a second, though `echo` needs no pings, and drops none.",
    ),
    right(
        Echo,
        "pieces-echo",
        Base(mutation! {
            fn write_size(&self) -> Option<usize> {
                Some(7)
            }
        }),
        "Writes seven bytes at a time, edges inside of frame headers included.",
    ),
    right(
        Broadcast,
        "nagle-broadcast",
        Base(mutation! {
            fn nodelay(&self) -> bool {
                false
            }
        }),
        "Leaves Nagle's algorithm on: small packets wait while others are on their way.",
    ),
    right(
        Echo,
        "page-echo",
        Base(mutation! {
            fn refuse<'a>(&self, stream: &'a mut TcpStream) -> BoxFuture<'a, ()> {
                Box::pin(serve_page(stream))
            }
        }),
        "Has a page for browsers that come with plain HTTP, and keeps their connections open.",
    ),
    right(
        Echo,
        "resets-offenders-echo",
        Base(mutation! {
            fn resets(&self, end: &End) -> bool {
                matches!(end, End::Violation(_))
            }
        }),
        "Resets the connection of a client that breaks the protocol, without a close frame.",
    ),
    right(
        Heartbeat,
        "says-why-heartbeat",
        Base(mutation! {
            fn drop_client<'a>(&self, server: &'a Server, conn: &'a Conn) -> BoxFuture<'a, ()> {
                conn.out.push_last(frame::close(Some(1001)));
                Box::pin(async {
                    drop(timeout(server.interval / 20, conn.out.at_most(0)).await);
                    conn.kill();
                })
            }
        }),
        "Sends a close frame to the dead, and ends their connections without waiting for an \
         answer.",
    ),
    right(
        Echo,
        "fragments-and-pings-echo",
        Base(mutation! {
            fn encode(&self, text: &str) -> Bytes {
                frames::fragment_with_pings(text)
            }
        }),
        "Sends every message in fragments, with a ping after each and an empty one at the end.",
    ),
    right(
        Echo,
        "pongs-twice-echo",
        Base(mutation! {
            fn ping(&self, conn: &Conn, payload: &[u8]) {
                answer::ping(conn, b"unasked");
                answer::ping(conn, payload);
                answer::ping(conn, payload);
            }
        }),
        "Answers a ping by hand though its library does already, and sends an unsolicited pong as \
         well.",
    ),
    right(
        Heartbeat,
        "own-pongs-heartbeat",
        Base(mutation! {
            fn send_ping<'a>(
                &self,
                server: &'a Server,
                conn: &'a Conn,
                _: u32,
            ) -> BoxFuture<'a, ()> {
                let now = server.started.elapsed().as_nanos() as u64;
                conn.note.store(now, SeqCst);
                beat::send_ping(conn, &now.to_be_bytes());
                done()
            }
            fn pong(&self, _: &Server, conn: &Conn, payload: &[u8]) {
                if payload == conn.note.load(SeqCst).to_be_bytes() {
                    answer::pong(conn);
                }
            }
        }),
        "Takes only that pong for an answer which has the payload of the last ping.",
    ),
    right(
        Heartbeat,
        "resets-the-dead-heartbeat",
        Base(mutation! {
            fn resets(&self, end: &End) -> bool {
                matches!(end, End::Dropped)
            }
        }),
        "Drops the dead with a TCP reset.",
    ),
];
