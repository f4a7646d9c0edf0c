//! The way of one client to the server: a port of its own, so that each connection can be told
//! from those of the other clients without a change to its bytes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::event_log::{EventKind, EventLog};
use crate::link_observer::LinkObserver;
use baseline::origin;
use baseline::transports::clock::Clock;
use baseline::transports::proxy::{Direction, Endpoint, Link, forward};

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

/// The answer to a page of another origin.
const FORBIDDEN: &[u8] =
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Returns whether the request comes from the playground's page or from no page at all. A browser
/// always sends `Origin` with an upgrade request, and sends the request in one write.
async fn is_allowed(near: &TcpStream) -> bool {
    let mut head = vec![0; 64 * 1024];
    let length = near.peek(&mut head).await.unwrap_or_default();
    let head = String::from_utf8_lossy(&head[..length]);
    let value = |name: &str| {
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let mut named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
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
    let mut connection = 0;
    while let Ok((mut near, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connection += 1;
        let (Network { upstream, clock, log, open }, link) = (network.clone(), link.clone());
        let server = upstream.borrow().clone();
        connections.spawn(async move {
            let far = match server {
                _ if !is_allowed(&near).await => {
                    let _ = near.write_all(FORBIDDEN).await;
                    Err("a page of another origin asked for it".to_string())
                }
                Some(server) => server.connect().await.map_err(|error| error.to_string()),
                None => Err("it is not running".to_string()),
            };
            match far {
                Ok(far) => {
                    let _open = OpenConnection::count(open);
                    let observer = LinkObserver::new(client, connection, log);
                    forward(near, far, link, clock, observer).await;
                }
                Err(reason) => {
                    log.record(client, connection, Direction::Down, EventKind::Refused(reason));
                }
            }
        });
    }
}
