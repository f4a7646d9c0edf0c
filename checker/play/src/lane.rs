//! The way of one client to the server: a port of its own, so that each connection can be told
//! from those of the other clients without a change to its bytes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::event_log::{EventKind, EventLog};
use crate::link_observer::LinkObserver;
use crate::server_socket::is_closed;
use baseline::origin;
use baseline::transports::clock::Clock;
use baseline::transports::proxy::{Direction, Endpoint, Link, forward};

/// The time between two looks at the server's socket while the link is cut or throttled.
const SOCKET_INTERVAL: Duration = Duration::from_millis(250);

/// The server's addresses; `None` while it does not run.
pub type Upstream = watch::Receiver<Option<Endpoint>>;

/// The parts that the lanes of all clients share.
#[derive(Clone)]
pub struct Network {
    /// Where the server listens.
    pub upstream: Upstream,
    /// Delays bytes.
    pub clock: Clock,
    /// Records events.
    pub log: Arc<EventLog>,
    /// The number of open connections.
    pub open: Arc<AtomicUsize>,
    /// The number of connections so far. Each has a number of its own: a client's number is used
    /// again by a later client.
    pub connections: Arc<AtomicUsize>,
}

/// The lane of a client. Its connections are closed on drop.
pub struct Lane {
    /// The client's number, from 1.
    pub client: usize,
    /// The port to which the client connects.
    pub port: u16,
    log: Arc<EventLog>,
    link: watch::Sender<Link>,
    serving: tokio::task::JoinHandle<()>,
}

impl Lane {
    /// Opens a lane for this client at any free port of `host`.
    pub async fn open(host: IpAddr, client: usize, network: Network) -> io::Result<Self> {
        let listener = TcpListener::bind((host, 0)).await?;
        let port = listener.local_addr()?.port();
        let log = network.log.clone();
        let link = watch::Sender::new(Link::default());
        let serving = tokio::spawn(serve(listener, client, network, link.subscribe()));
        Ok(Lane { client, port, log, link, serving })
    }

    /// Changes the client's link, and records the change.
    pub fn change_link(&self, change: impl FnOnce(&mut Link)) {
        let before = *self.link.borrow();
        let mut after = before;
        change(&mut after);
        if before == after {
            return;
        }
        let change = describe_change(before, after);
        self.log.record(self.client, 0, Direction::Up, EventKind::Link(change));
        self.link.send_replace(after);
    }
}

fn describe_change(before: Link, after: Link) -> String {
    if before.cut != after.cut {
        let cut = "cable pulled: nothing goes through, and no side is told";
        return if after.cut { cut } else { "cable plugged in again" }.to_string();
    }
    if before.latency != after.latency {
        return format!("latency {} ms each way", after.latency.as_millis());
    }
    match after.read_rate {
        Some(rate) => format!("the client reads {rate} bytes a second"),
        None => "the client reads all there is".to_string(),
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The most bytes of a request that are read before it is forwarded.
const LONGEST_HEAD: usize = 64 * 1024;
/// The response to a page of another origin.
const FORBIDDEN: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Reads until the end of the request's head, or as much as there is.
async fn read_head(near: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LONGEST_HEAD {
        if near.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(head)
}

/// Returns whether the request comes from the playground's page or from no page at all. A browser
/// always sends `Origin` with an upgrade request.
fn is_allowed(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    let value = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let origin = value("Origin");
    origin.is_none() || origin::is_allowed(value("Host").unwrap_or_default(), origin)
}

/// Counts an open connection until it is dropped.
struct OpenConnection(Arc<AtomicUsize>);

impl OpenConnection {
    fn count(open: Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(open)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(
    listener: TcpListener,
    client: usize,
    network: Network,
    link: watch::Receiver<Link>,
) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let connection = network.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let (Network { upstream, clock, log, open, .. }, link) = (network.clone(), link.clone());
        let server = upstream.borrow().clone();
        connections.spawn(async move {
            let Ok(head) = read_head(&mut near).await else { return };
            let far = match server {
                _ if !is_allowed(&head) => {
                    let _ = near.write_all(FORBIDDEN).await;
                    Err("a page of another origin asked for it".to_string())
                }
                Some(server) => server.connect().await.map_err(|error| error.to_string()),
                None => Err("it is not running".to_string()),
            };
            match far {
                Ok(far) => {
                    let _open = OpenConnection::count(open);
                    let ended = Arc::new(AtomicBool::new(false));
                    let addresses = far.peer_addr().and_then(|peer| Ok((peer, far.local_addr()?)));
                    let closed = wait_until_server_closes(addresses.ok(), link.clone(), &ended);
                    let observer =
                        LinkObserver::new(client, connection, log.clone(), ended.clone());
                    let record = async {
                        closed.await;
                        log.record(client, connection, Direction::Down, EventKind::ServerClosed);
                        std::future::pending().await
                    };
                    tokio::select! {
                        () = forward(head, near, far, link, clock, observer) => {}
                        () = record => {}
                    }
                }
                Err(reason) => {
                    log.record(client, connection, Direction::Down, EventKind::Refused(reason));
                }
            }
        });
    }
}

/// Waits until the server has closed its socket and the link keeps the proxy from reading its end.
async fn wait_until_server_closes(
    addresses: Option<(SocketAddr, SocketAddr)>,
    link: watch::Receiver<Link>,
    ended: &AtomicBool,
) {
    let Some((server, proxy)) = addresses.filter(|(server, _)| server.ip().is_loopback()) else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(SOCKET_INTERVAL);
    loop {
        ticks.tick().await;
        let Link { cut, read_rate, .. } = *link.borrow();
        let is_held_back = cut || read_rate.is_some();
        if is_held_back && !ended.load(Ordering::Relaxed) && is_closed(server, proxy) {
            return;
        }
    }
}
