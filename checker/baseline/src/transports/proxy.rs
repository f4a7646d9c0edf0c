//! A TCP proxy between clients and a server. It counts bytes and can add a round trip time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::clock::Clock;

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
        let listening = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (server, counts, distance) =
                    (server.clone(), counting.clone(), distance.clone());
                tokio::spawn(async move {
                    // If the server doesn't accept, the client sees its connection end.
                    if let Ok(far) = server.connect().await {
                        let _ = forward_both_ways(near, far, &counts, distance).await;
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

async fn forward_both_ways(
    near: TcpStream,
    far: TcpStream,
    counts: &Arc<Counts>,
    distance: Distance,
) -> io::Result<()> {
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let opened = Instant::now();
    let (from_client, to_client) = near.into_split();
    let (from_server, to_server) = far.into_split();
    let (counting_up, counting_down) = (counts.clone(), counts.clone());
    let up = move |read| {
        counting_up.up.fetch_add(read, Ordering::SeqCst);
        counting_up.changed.notify_waiters();
    };
    let down = move |read| {
        counting_down.down.fetch_add(read, Ordering::SeqCst);
    };
    if distance.rtt.is_zero() {
        tokio::spawn(forward(from_client, to_server, up));
        forward(from_server, to_client, down).await;
    } else {
        // The TCP handshake takes one round trip before the first byte can leave.
        tokio::spawn(forward_delayed(
            from_client,
            to_server,
            up,
            opened + distance.rtt,
            distance.clone(),
        ));
        forward_delayed(from_server, to_client, down, opened, distance).await;
    }
    Ok(())
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: impl Fn(u64)) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        count(read as u64);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Forwards bytes half a round trip later.
async fn forward_delayed(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    count: impl Fn(u64),
    not_before: Instant,
    distance: Distance,
) {
    let (sent, mut travelling) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let arriving = async move {
        while let Some((moment, bytes)) = travelling.recv().await {
            distance.clock.sleep_until(moment).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    let leaving = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).await.unwrap_or(0);
            let moment = Instant::now().max(not_before) + distance.rtt / 2;
            count(read as u64);
            // The end of the stream is the end of the channel, and so is delayed like the bytes.
            if read == 0 || sent.send((moment, buffer[..read].to_vec())).is_err() {
                return;
            }
        }
    };
    tokio::join!(arriving, leaving);
}
