//! The recorder: holds the sockets between the clients and the server under test. It forwards every
//! byte unchanged and keeps a log of the events.
//!
//! It can also stop reading from a connection, or reset it, as clients and networks do.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;

use super::ends::{Incoming, Outgoing};
use super::frame::{Frame, Item, OpCode};
use crate::sync::lock;

/// The number of bytes kept of each payload.
pub(super) const REMEMBERED_PAYLOAD: usize = 160;
/// The number of first events, and of last events, kept of each connection.
///
/// Enough for the longest burst of pipelined messages and their replies.
const REMEMBERED_FIRST: usize = 24;
const REMEMBERED_LAST: usize = 1_024;
/// How long a refused connection is retried.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// The direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// The kind of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// An HTTP head.
    Head(String),
    /// The beginning of an HTTP body.
    Body(String),
    /// A frame.
    Frame(Frame),
    /// A frame of which only a part arrived.
    Unfinished {
        /// Its opcode.
        opcode: OpCode,
        /// The length of its payload in bytes.
        len: u64,
        /// The number of bytes that arrived.
        arrived: u64,
    },
    /// Bytes that are no frame, and the reason why.
    Garbage(Vec<u8>, String),
    /// The sender ended its direction (FIN).
    Ended,
    /// The connection was reset (RST).
    Reset,
    /// The client stopped reading.
    StoppedReading,
    /// The client resumed reading.
    ResumedReading,
}

impl EventKind {
    pub(super) fn unfinished((opcode, len, arrived): (OpCode, u64, u64)) -> Self {
        EventKind::Unfinished { opcode, len, arrived }
    }

    /// Converts an item and truncates its payload.
    pub(super) fn of(item: &Item) -> Self {
        match item {
            Item::Head(head) => EventKind::Head(head.clone()),
            Item::Body(body) => EventKind::Body(body.clone()),
            Item::Frame(frame) => {
                let payload = frame.payload[..frame.payload.len().min(REMEMBERED_PAYLOAD)].to_vec();
                EventKind::Frame(Frame { payload, ..*frame })
            }
            Item::Garbage(bytes, why) => EventKind::Garbage(bytes.clone(), why.clone()),
        }
    }
}

/// An event on a recorded connection.
#[derive(Debug, Clone)]
pub struct Event {
    /// The position among all events of the recorder.
    pub number: u64,
    /// The time since the recorder's start.
    pub at: Duration,
    /// The connection's number, from 1 in the order of connecting.
    pub connection: usize,
    /// The direction.
    pub direction: Direction,
    /// The kind of event.
    pub what: EventKind,
    /// The number of a frame from the server, from 0, on this connection.
    pub received: Option<usize>,
    /// The number among all events of this connection, from 0. Events in the middle are not kept.
    pub ordinal: usize,
}

/// Records all connections to one server.
pub struct Recorder {
    port: u16,
    clock: Arc<Clock>,
    connections: Mutex<Vec<Arc<Connection>>>,
}

struct Clock {
    began: Instant,
    events: AtomicU64,
}

/// The socket options of a connection to the server.
#[derive(Debug, Clone, Copy, Default)]
pub struct SocketOptions {
    /// The size of the receive buffer in bytes, `None` for the system's default. With a small one,
    /// a client that doesn't read blocks the server's writes after kilobytes, not megabytes.
    pub receive_buffer: Option<u32>,
    /// The maximum segment size in bytes (RFC 9293, section 3.7.1), `None` for the system's
    /// default. Linux sizes the server's send buffer by it: tens of kilobytes instead of megabytes.
    /// Ignored where the system doesn't allow it.
    pub max_segment: Option<u32>,
}

impl Recorder {
    /// Makes a recorder for the server on this loopback port.
    pub(crate) fn new(port: u16) -> Self {
        Recorder {
            port,
            clock: Arc::new(Clock { began: Instant::now(), events: AtomicU64::new(0) }),
            connections: Mutex::default(),
        }
    }

    /// Connects to the server. Returns both directions and the recorded connection.
    pub(crate) async fn dial(
        &self,
        options: SocketOptions,
    ) -> io::Result<(Incoming, Outgoing, Arc<Connection>)> {
        let server = self.connect_with_retries(options).await?;
        server.set_nodelay(true)?;
        let connection = {
            let mut connections = lock(&self.connections);
            let connection = Connection::new(connections.len() + 1, self.clock.clone());
            connections.push(connection.clone());
            connection
        };
        let (from_server, to_server) = server.into_split();
        Ok((
            Incoming::new(from_server, connection.clone()),
            Outgoing::new(to_server, connection.clone()),
            connection,
        ))
    }

    /// Connects to the server. Retries a refused connection for a while: some servers print their
    /// ready line before they listen.
    async fn connect_with_retries(&self, options: SocketOptions) -> io::Result<TcpStream> {
        let since = Instant::now();
        loop {
            let refusal = match self.connect_to(Ipv4Addr::LOCALHOST.into(), options).await {
                Ok(server) => return Ok(server),
                Err(refusal) => refusal,
            };
            if let Ok(server) = self.connect_to(Ipv6Addr::LOCALHOST.into(), options).await {
                return Ok(server);
            }
            if refusal.kind() != io::ErrorKind::ConnectionRefused || since.elapsed() > REFUSED_FOR {
                return Err(refusal);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn connect_to(&self, host: IpAddr, options: SocketOptions) -> io::Result<TcpStream> {
        let socket = if host.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(size) = options.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        #[cfg(any(target_os = "linux", target_vendor = "apple"))]
        if let Some(size) = options.max_segment {
            let _ =
                nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::TcpMaxSeg, &size);
        }
        socket.connect(SocketAddr::new(host, self.port)).await
    }

    /// Returns all kept events in order.
    pub fn events(&self) -> Vec<Event> {
        let connections = lock(&self.connections);
        let mut events: Vec<Event> =
            connections.iter().flat_map(|connection| connection.events()).collect();
        events.sort_by_key(|event| event.number);
        events
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for connection in lock(&self.connections).iter() {
            connection.mode.send_replace(ReadMode::Reset);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadMode {
    Open,
    /// Nothing is read from the server.
    NotReading,
    /// The socket is to be reset.
    Reset,
}

/// One connection to the server.
pub struct Connection {
    number: usize,
    clock: Arc<Clock>,
    log: Mutex<Log>,
    pub(super) mode: watch::Sender<ReadMode>,
    lost: watch::Sender<Option<Instant>>,
    /// The number of socket halves that are open.
    halves: watch::Sender<u8>,
}

#[derive(Default)]
struct Log {
    first: Vec<Event>,
    last: VecDeque<Event>,
    received: usize,
    recorded: usize,
    unfinished: Option<EventKind>,
}

impl Connection {
    fn new(number: usize, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Connection {
            number,
            clock,
            log: Mutex::default(),
            mode: watch::Sender::new(ReadMode::Open),
            lost: watch::Sender::new(None),
            halves: watch::Sender::new(2),
        })
    }

    /// Returns the connection's number, from 1 in the order of connecting.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Stops reading from the server. The client's frames are still sent.
    pub fn stop_reading(&self) {
        self.record(Direction::ToServer, EventKind::StoppedReading);
        self.mode.send_replace(ReadMode::NotReading);
    }

    /// Resumes reading.
    pub fn resume_reading(&self) {
        self.record(Direction::ToServer, EventKind::ResumedReading);
        self.mode.send_replace(ReadMode::Open);
    }

    /// Resets the TCP connection. Returns once the reset is sent.
    pub async fn reset(&self) {
        self.abandon();
        let mut halves = self.halves.subscribe();
        let _ = halves.wait_for(|held| *held == 0).await;
    }

    /// Resets the TCP connection without waiting for the reset.
    pub(crate) fn abandon(&self) {
        self.record(Direction::ToServer, EventKind::Reset);
        self.mode.send_replace(ReadMode::Reset);
    }

    /// Awaits a future that uses one half of the socket, until the connection is reset.
    pub(crate) async fn until_reset<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut mode = self.mode.subscribe();
        tokio::select! {
            output = future => Some(output),
            _ = mode.wait_for(|mode| *mode == ReadMode::Reset) => None,
        }
    }

    pub(super) fn is_reset(&self) -> bool {
        *self.mode.borrow() == ReadMode::Reset
    }

    pub(super) fn release_half(&self) {
        self.halves.send_modify(|held| *held -= 1);
    }

    /// Waits until the server has ended the connection, by FIN, RST, or a failing write. Returns
    /// the time at which it was noticed.
    pub async fn wait_until_lost(&self) -> Instant {
        let mut lost = self.lost.subscribe();
        let lost = lost.wait_for(Option::is_some).await.expect("the sender is ours");
        lost.expect("waited for it")
    }

    pub(super) fn record(&self, direction: Direction, what: EventKind) {
        let mut log = lock(&self.log);
        let from_server = direction == Direction::ToClient && matches!(what, EventKind::Frame(_));
        let received = from_server.then_some(log.received);
        log.received += usize::from(from_server);
        let event = Event {
            number: self.clock.events.fetch_add(1, Ordering::Relaxed),
            at: self.clock.began.elapsed(),
            connection: self.number,
            direction,
            what,
            received,
            ordinal: log.recorded,
        };
        log.recorded += 1;
        if log.first.len() < REMEMBERED_FIRST {
            log.first.push(event);
            return;
        }
        if log.last.len() == REMEMBERED_LAST {
            log.last.pop_front();
        }
        log.last.push_back(event);
    }

    fn events(&self) -> Vec<Event> {
        let log = lock(&self.log);
        let unfinished = log.unfinished.clone().map(|what| Event {
            number: u64::MAX,
            at: self.clock.began.elapsed(),
            connection: self.number,
            direction: Direction::ToClient,
            what,
            received: None,
            ordinal: log.recorded,
        });
        log.first.iter().chain(&log.last).cloned().chain(unfinished).collect()
    }

    /// Sets the frame that has not arrived completely, and returns the one before.
    pub(super) fn set_unfinished(&self, unfinished: Option<EventKind>) -> Option<EventKind> {
        std::mem::replace(&mut lock(&self.log).unfinished, unfinished)
    }

    pub(super) fn mark_lost(&self) {
        self.lost.send_if_modified(|lost| lost.is_none() && lost.replace(Instant::now()).is_none());
    }
}
