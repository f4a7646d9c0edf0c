//! A TCP proxy between clients and a server. It observes every byte, and can delay, throttle and
//! hold back. It never loses or changes a byte, as TCP does not.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::clock::Clock;

/// Bytes that may be in flight in one direction. A sender with more has to wait.
const WINDOW: usize = 256 * 1024;
/// The most bytes of one read.
const CHUNK: usize = 64 * 1024;
/// Reads in a second while a client's rate is limited.
const READS_PER_SECOND: u32 = 10;
/// How long a refused connection is retried: some servers print their ready line before they
/// listen.
const REFUSED_FOR: Duration = Duration::from_secs(1);

/// The addresses of a server, which are tried in turn.
#[derive(Debug, Clone)]
pub struct Endpoint(pub Vec<SocketAddr>);

impl Endpoint {
    /// Returns the loopback addresses, IPv4 and IPv6, with this port.
    pub fn loopback(port: u16) -> Self {
        Endpoint(vec![([127, 0, 0, 1], port).into(), ([0, 0, 0, 0, 0, 0, 0, 1], port).into()])
    }

    /// Connects to the first address that accepts.
    pub async fn connect(&self) -> io::Result<TcpStream> {
        let since = Instant::now();
        loop {
            match TcpStream::connect(&self.0[..]).await {
                Err(error)
                    if error.kind() == io::ErrorKind::ConnectionRefused
                        && since.elapsed() < REFUSED_FOR =>
                {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// Bytes that went through a proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Bytes {
    /// To the server.
    pub up: u64,
    /// From the server.
    pub down: u64,
}

impl std::ops::Sub for Bytes {
    type Output = Bytes;

    fn sub(self, before: Bytes) -> Bytes {
        Bytes { up: self.up - before.up, down: self.down - before.down }
    }
}

#[derive(Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
    changed: Notify,
}

/// Listens in place of a server and forwards every byte, counted, both ways.
pub struct Proxy {
    /// Where clients connect.
    pub address: SocketAddr,
    counts: Arc<Counts>,
    listening: JoinHandle<()>,
}

/// The simulated distance between a proxy and its server.
#[derive(Clone)]
pub struct Distance {
    /// The round trip time, added to what the machine takes itself.
    pub rtt: Duration,
    /// The clock that delays bytes.
    pub clock: Clock,
}

impl Proxy {
    /// Starts a proxy to this server.
    pub async fn to(server: Endpoint, distance: Distance) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let counting = counts.clone();
        let link = Link { latency: distance.rtt / 2, ..Link::default() };
        let link = watch::Sender::new(link).subscribe();
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (server, counts) = (server.clone(), counting.clone());
                let (link, clock) = (link.clone(), distance.clock.clone());
                tokio::spawn(async move {
                    // If the server doesn't accept, the client sees its connection end.
                    if let Ok(far) = server.connect().await {
                        forward(Vec::new(), near, far, link, clock, counts).await;
                    }
                });
            }
        });
        Ok(Proxy { address, counts, listening })
    }

    /// Returns the bytes so far.
    pub fn bytes(&self) -> Bytes {
        Bytes {
            up: self.counts.up.load(Ordering::SeqCst),
            down: self.counts.down.load(Ordering::SeqCst),
        }
    }

    /// Waits until this many bytes have gone to the server.
    pub async fn wait_for_upload(&self, up: u64) {
        loop {
            let changed = self.counts.changed.notified();
            if self.bytes().up >= up {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Observer for Arc<Counts> {
    type Mark = ();

    fn read(&self, direction: Direction, bytes: &[u8]) {
        match direction {
            Direction::Up => {
                self.up.fetch_add(bytes.len() as u64, Ordering::SeqCst);
                self.changed.notify_waiters();
            }
            Direction::Down => drop(self.down.fetch_add(bytes.len() as u64, Ordering::SeqCst)),
        }
    }

    fn ended(&self, _: Direction, _: End) {}

    fn delivered(&self, (): ()) {}
}

/// The direction of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How a sender ended its side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It closed it (FIN).
    Closed,
    /// It reset the connection (RST).
    Reset,
}

/// The properties of the link between a client and the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Holds all bytes back. The connections stay open.
    pub cut: bool,
    /// The time that a byte takes, each way.
    pub latency: Duration,
    /// The bytes that the client reads in a second; all there are if `None`.
    pub read_rate: Option<u32>,
}

/// Observes the bytes of one connection.
pub trait Observer: Send + Sync {
    /// Identifies what was read, until it is delivered.
    type Mark: Send;

    /// Handles bytes that were read from their sender.
    fn read(&self, direction: Direction, bytes: &[u8]) -> Self::Mark;

    /// Handles the end of a sender's side.
    fn ended(&self, direction: Direction, end: End) -> Self::Mark;

    /// Handles the delivery of what was read.
    fn delivered(&self, mark: Self::Mark);
}

/// Forwards bytes between a client and its server until both directions have ended. `head` was read
/// from the client before.
pub async fn forward(
    head: Vec<u8>,
    near: TcpStream,
    far: TcpStream,
    link: watch::Receiver<Link>,
    clock: Clock,
    observer: impl Observer,
) {
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let opened = Instant::now();
    // The TCP handshake takes one round trip before the first byte can leave.
    let handshake = link.borrow().latency * 2;
    let connection = Connection { link, clock, observer, reset: watch::Sender::new(false) };
    let (from_client, to_client) = near.into_split();
    let (from_server, to_server) = far.into_split();
    tokio::join!(
        connection.forward(Direction::Up, &head, from_client, to_server, opened + handshake),
        connection.forward(Direction::Down, &[], from_server, to_client, opened),
    );
}

struct Connection<O> {
    link: watch::Receiver<Link>,
    clock: Clock,
    observer: O,
    reset: watch::Sender<bool>,
}

/// Bytes in flight, or the end of the stream if there are none.
struct Chunk<M> {
    due: Instant,
    bytes: Vec<u8>,
    mark: M,
    _window: Option<OwnedSemaphorePermit>,
}

impl<O: Observer> Connection<O> {
    async fn forward(
        &self,
        direction: Direction,
        head: &[u8],
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        not_before: Instant,
    ) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut reset = self.reset.subscribe();
        let forwarding = async {
            tokio::join!(
                self.read(direction, head.chain(&mut from), sender, not_before),
                self.write(&mut to, receiver)
            );
        };
        let reset = tokio::select! {
            () = forwarding => false,
            _ = reset.wait_for(|reset| *reset) => true,
        };
        if reset {
            let _ = (from.as_ref().set_zero_linger(), to.as_ref().set_zero_linger());
            // A write half that is dropped would send a FIN first.
            to.forget();
        }
    }

    async fn read(
        &self,
        direction: Direction,
        mut from: impl AsyncRead + Unpin,
        chunks: mpsc::UnboundedSender<Chunk<O::Mark>>,
        not_before: Instant,
    ) {
        let window = Arc::new(Semaphore::new(WINDOW));
        let mut buffer = vec![0; CHUNK];
        loop {
            let rate = self.link.borrow().read_rate.filter(|_| direction == Direction::Down);
            let most = rate.map_or(CHUNK, |rate| (rate / READS_PER_SECOND).max(1) as usize);
            let most = most.min(CHUNK);
            let Ok(mut permit) = window.clone().acquire_many_owned(most as u32).await else {
                return;
            };
            let read = from.read(&mut buffer[..most]).await;
            let due = Instant::now().max(not_before) + self.link.borrow().latency;
            let Ok(read) = read else {
                let mark = self.observer.ended(direction, End::Reset);
                self.wait_until_connected().await;
                self.observer.delivered(mark);
                self.reset.send_replace(true);
                return;
            };
            if read == 0 {
                let mark = self.observer.ended(direction, End::Closed);
                let _ = chunks.send(Chunk { due, bytes: Vec::new(), mark, _window: None });
                return;
            }
            let bytes = buffer[..read].to_vec();
            let mark = self.observer.read(direction, &bytes);
            drop(permit.split(most - read));
            if chunks.send(Chunk { due, bytes, mark, _window: Some(permit) }).is_err() {
                return;
            }
            if rate.is_some() {
                tokio::time::sleep(Duration::from_secs(1) / READS_PER_SECOND).await;
            }
        }
    }

    async fn write(
        &self,
        to: &mut OwnedWriteHalf,
        mut chunks: mpsc::UnboundedReceiver<Chunk<O::Mark>>,
    ) {
        while let Some(chunk) = chunks.recv().await {
            self.clock.sleep_until(chunk.due).await;
            self.wait_until_connected().await;
            if chunk.bytes.is_empty() {
                let _ = to.shutdown().await;
            } else if to.write_all(&chunk.bytes).await.is_err() {
                self.reset.send_replace(true);
                return;
            }
            self.observer.delivered(chunk.mark);
        }
    }

    /// Waits while the link is cut.
    async fn wait_until_connected(&self) {
        if self.link.clone().wait_for(|link| !link.cut).await.is_err() {
            // The link is gone for good. Its owner drops this connection.
            std::future::pending::<()>().await;
        }
    }
}
