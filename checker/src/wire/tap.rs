//! The tap: a proxy that stands between a client and the server under test, forwards every byte
//! untouched, and remembers what it saw.
//!
//! It can also do what networks do: cut the cable (stop forwarding, close nothing), stop taking what the
//! server sends, or reset the connection.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

use super::frame::{Decoder, Frame, Item};

/// Of each payload this many bytes are remembered.
const REMEMBERED_PAYLOAD: usize = 160;
/// Of each connection this many of the first events are remembered, and of the last.
const REMEMBERED_FIRST: usize = 24;
const REMEMBERED_LAST: usize = 48;
/// How long a refused connection is tried again.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// What happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An HTTP head.
    Head(String),
    /// The beginning of an HTTP body.
    Body(String),
    /// A frame.
    Frame(Frame),
    /// Bytes that are not WebSocket, and why not.
    Garbage(Vec<u8>, String),
    /// The sender ended its side in good order (FIN).
    Ended,
    /// The connection broke (RST).
    Reset,
    /// The tap stopped forwarding; nobody was told.
    Cut,
    /// The client stopped reading.
    StoppedReading,
}

/// Something that happened on a tapped connection.
#[derive(Debug, Clone)]
pub struct Event {
    /// Position among all events of the tap.
    pub number: u64,
    /// Time since the tap began.
    pub at: Duration,
    /// The connection's number, from 1 in the order of connecting.
    pub connection: usize,
    /// Which way.
    pub direction: Direction,
    /// What.
    pub what: What,
    /// For a frame from the server: how many it sent on this connection before.
    pub received: Option<usize>,
}

/// Stands in front of one server.
pub struct Tap {
    port: u16,
    listener: tokio::sync::Mutex<TcpListener>,
    clock: Arc<Clock>,
    connections: Mutex<Vec<Arc<Connection>>>,
}

struct Clock {
    began: Instant,
    events: AtomicU64,
}

/// How a connection to the server is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plumbing {
    /// Size of the tap's receive buffer in bytes, `None` for the system's choice. A small one lets a
    /// client that doesn't read push back on the server after kilobytes, not megabytes.
    pub receive_buffer: Option<u32>,
}

impl Tap {
    /// A tap in front of the server that listens on this port of the loopback interface.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn new(port: u16) -> io::Result<Self> {
        Ok(Tap {
            port,
            listener: TcpListener::bind(("127.0.0.1", 0)).await?.into(),
            clock: Arc::new(Clock { began: Instant::now(), events: AtomicU64::new(0) }),
            connections: Mutex::default(),
        })
    }

    /// Connects to the server through the tap: the client's end, and the connection as the tap sees it.
    ///
    /// # Errors
    /// When the server doesn't accept, or no socket can be had.
    pub async fn dial(&self, plumbing: Plumbing) -> io::Result<(TcpStream, Arc<Connection>)> {
        let server = self.reach(plumbing).await?;
        let (client, near) = self.pair().await?;
        for socket in [&server, &client, &near] {
            socket.set_nodelay(true)?;
        }
        let connection = {
            let mut connections = self.connections.lock().expect("no panic holds it");
            let connection = Connection::new(connections.len() + 1, self.clock.clone());
            connections.push(connection.clone());
            connection
        };
        let (from_client, to_client) = near.into_split();
        let (from_server, to_server) = server.into_split();
        for (direction, from, to) in
            [(Direction::ToServer, from_client, to_server), (Direction::ToClient, from_server, to_client)]
        {
            let connection = connection.clone();
            tokio::spawn(async move {
                connection.pump(direction, from, to).await;
                connection.pumps.send_modify(|running| *running -= 1);
            });
        }
        Ok((client, connection))
    }

    /// Connects to the server; a refusal is tried again for a while, since some servers announce
    /// themselves a moment too early.
    async fn reach(&self, plumbing: Plumbing) -> io::Result<TcpStream> {
        let since = Instant::now();
        loop {
            let refusal = match self.reach_at(Ipv4Addr::LOCALHOST.into(), plumbing).await {
                Ok(server) => return Ok(server),
                Err(refusal) => refusal,
            };
            if let Ok(server) = self.reach_at(Ipv6Addr::LOCALHOST.into(), plumbing).await {
                return Ok(server);
            }
            if refusal.kind() != io::ErrorKind::ConnectionRefused || since.elapsed() > REFUSED_FOR {
                return Err(refusal);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn reach_at(&self, host: IpAddr, plumbing: Plumbing) -> io::Result<TcpStream> {
        let socket = if host.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(size) = plumbing.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        socket.connect(SocketAddr::new(host, self.port)).await
    }

    /// The two ends of a loopback connection.
    async fn pair(&self) -> io::Result<(TcpStream, TcpStream)> {
        let listener = self.listener.lock().await;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        loop {
            let (near, peer) = listener.accept().await?;
            // Any process of this machine may connect; only our own call is answered.
            if peer == client.local_addr()? {
                return Ok((client, near));
            }
        }
    }

    /// All that the tap remembers, in order.
    pub fn events(&self) -> Vec<Event> {
        let connections = self.connections.lock().expect("no panic holds it");
        let mut events: Vec<Event> = connections.iter().flat_map(|connection| connection.events()).collect();
        events.sort_by_key(|event| event.number);
        events
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        for connection in self.connections.get_mut().expect("no panic holds it") {
            connection.valve.send_replace(Valve::Reset);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Valve {
    Open,
    /// Nothing goes through either way.
    Cut,
    /// Nothing is taken from the server.
    NotReading,
    /// Both sockets are to be reset.
    Reset,
}

/// One connection through the tap.
pub struct Connection {
    number: usize,
    clock: Arc<Clock>,
    log: Mutex<Log>,
    valve: watch::Sender<Valve>,
    lost: watch::Sender<Option<Instant>>,
    pumps: watch::Sender<u8>,
}

#[derive(Default)]
struct Log {
    first: Vec<Event>,
    last: VecDeque<Event>,
    received: usize,
}

impl Connection {
    fn new(number: usize, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Connection {
            number,
            clock,
            log: Mutex::default(),
            valve: watch::Sender::new(Valve::Open),
            lost: watch::Sender::new(None),
            pumps: watch::Sender::new(2),
        })
    }

    /// The connection's number, from 1 in the order of connecting.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Cuts the cable: from now on nothing is forwarded, and neither side is told.
    pub fn cut(&self) {
        self.record(Direction::ToServer, What::Cut);
        self.valve.send_replace(Valve::Cut);
    }

    /// Takes nothing more from the server, as a client that stops reading. What the client sends still
    /// goes to the server.
    pub fn stop_reading(&self) {
        self.record(Direction::ToServer, What::StoppedReading);
        self.valve.send_replace(Valve::NotReading);
    }

    /// Breaks the connection with a TCP reset, towards the server too; when this returns, the reset is out.
    pub async fn reset(&self) {
        self.record(Direction::ToServer, What::Reset);
        self.valve.send_replace(Valve::Reset);
        let mut pumps = self.pumps.subscribe();
        let _ = pumps.wait_for(|running| *running == 0).await;
    }

    /// When the server's end of the connection was found to be gone, by its FIN or RST or because it
    /// no longer takes bytes; waits for it.
    pub async fn lost(&self) -> Instant {
        let mut lost = self.lost.subscribe();
        let lost = lost.wait_for(Option::is_some).await.expect("the sender is ours");
        lost.expect("waited for it")
    }

    fn record(&self, direction: Direction, what: What) {
        let mut log = self.log.lock().expect("no panic holds it");
        let from_server = direction == Direction::ToClient && matches!(what, What::Frame(_));
        let received = from_server.then_some(log.received);
        log.received += usize::from(from_server);
        let event = Event {
            number: self.clock.events.fetch_add(1, Ordering::Relaxed),
            at: self.clock.began.elapsed(),
            connection: self.number,
            direction,
            what,
            received,
        };
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
        let log = self.log.lock().expect("no panic holds it");
        log.first.iter().chain(&log.last).cloned().collect()
    }

    fn mark_lost(&self) {
        self.lost.send_if_modified(|lost| lost.is_none() && lost.replace(Instant::now()).is_none());
    }

    async fn pump(&self, direction: Direction, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut valve = self.valve.subscribe();
        let ending = tokio::select! {
            ending = self.forward(direction, &mut from, &mut to, self.valve.subscribe()) => ending,
            _ = valve.wait_for(|valve| *valve == Valve::Reset) => {
                return reset(from, to);
            }
        };
        // A cut cable carries no news of the end either.
        if *valve.borrow() == Valve::Cut {
            if direction == Direction::ToClient {
                self.mark_lost();
            }
            let _ = valve.wait_for(|valve| *valve == Valve::Reset).await;
            return;
        }
        match ending {
            Ending::Finished => {
                self.record(direction, What::Ended);
                let _ = to.shutdown().await;
            }
            Ending::Broken => {
                self.record(direction, What::Reset);
                // The other direction holds the other halves; only when it lets go does the reset go out.
                self.valve.send_replace(Valve::Reset);
                if direction == Direction::ToClient {
                    self.mark_lost();
                }
                return reset(from, to);
            }
            Ending::ReceiverGone => {}
        }
        if direction == Direction::ToClient || ending == Ending::ReceiverGone {
            self.mark_lost();
        }
    }

    async fn forward(
        &self,
        direction: Direction,
        from: &mut OwnedReadHalf,
        to: &mut OwnedWriteHalf,
        mut valve: watch::Receiver<Valve>,
    ) -> Ending {
        let mut decoder = Decoder::new(REMEMBERED_PAYLOAD);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if direction == Direction::ToClient {
                let _ = valve.wait_for(|valve| *valve != Valve::NotReading).await;
            }
            let read = match from.read(&mut buffer).await {
                Ok(0) => return Ending::Finished,
                Ok(read) => read,
                Err(_) => return Ending::Broken,
            };
            if *valve.borrow() == Valve::Cut {
                continue;
            }
            decoder.feed(&buffer[..read], |item| {
                let what = match item {
                    Item::Head(head) => What::Head(head),
                    Item::Body(body) => What::Body(body),
                    Item::Frame(frame) => What::Frame(frame),
                    Item::Garbage(bytes, why) => What::Garbage(bytes, why),
                };
                self.record(direction, what);
            });
            if to.write_all(&buffer[..read]).await.is_err() {
                return if direction == Direction::ToServer { Ending::ReceiverGone } else { Ending::Finished };
            }
        }
    }
}

/// Lets go of one half of each socket so that the other half's end sends RST and not FIN.
fn reset(from: OwnedReadHalf, to: OwnedWriteHalf) {
    let _ = from.as_ref().set_zero_linger();
    let _ = to.as_ref().set_zero_linger();
    // Dropped, a write half says FIN first.
    to.forget();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The sender said that it has finished.
    Finished,
    /// The connection broke on the sender's side.
    Broken,
    /// What the client sent was no longer taken by the server.
    ReceiverGone,
}
