//! The state of a playground: the server under test, the clients' lanes and the event log.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use thiserror::Error;

use crate::event_log::EventLog;
use crate::lane::{Lane, Network};
use crate::polling_comparison::PollingComparison;
use crate::server_under_test::ServerUnderTest;
use baseline::transports::clock::Clock;
use baseline::transports::proxy::Link;
use harness::sync::lock;

/// The most clients that may be open at a time, on all pages together.
const MOST_CLIENTS: usize = 200;

/// A client that cannot be added.
#[derive(Debug, Error)]
pub enum AddError {
    /// There are too many.
    #[error("there are {MOST_CLIENTS} clients already")]
    TooMany,
    /// No port is free.
    #[error(transparent)]
    Listen(#[from] io::Error),
}

/// A playground.
pub struct Session {
    /// The interface that pages and clients connect to.
    pub host: IpAddr,
    /// The path that clients request, from the server's URL.
    pub path: String,
    /// The number of clients that a new page opens.
    pub clients_at_start: usize,
    /// The secret in the page's address, which each request must have.
    pub token: String,
    /// The server under test.
    pub server: Arc<ServerUnderTest>,
    /// The events of all connections.
    pub log: Arc<EventLog>,
    /// Polling beside push.
    pub polling: Arc<PollingComparison>,
    network: Network,
    lanes: Mutex<BTreeMap<usize, Lane>>,
    clients: AtomicUsize,
}

impl Session {
    /// Makes a playground without clients. Fails if its clock cannot start.
    pub fn new(
        host: IpAddr,
        path: String,
        clients_at_start: usize,
        server: Arc<ServerUnderTest>,
    ) -> io::Result<Arc<Self>> {
        let log: Arc<EventLog> = Arc::default();
        let network = Network {
            upstream: server.upstream(),
            clock: Clock::start()?,
            log: log.clone(),
            open: Arc::default(),
        };
        Ok(Arc::new(Session {
            host,
            path,
            clients_at_start,
            token: format!("{:032x}", rand::random::<u128>()),
            server,
            log,
            polling: PollingComparison::new(),
            network,
            lanes: Mutex::default(),
            clients: AtomicUsize::new(0),
        }))
    }

    /// Opens a lane for a new client. Returns its number and its port.
    pub async fn add_client(&self) -> Result<(usize, u16), AddError> {
        if lock(&self.lanes).len() >= MOST_CLIENTS {
            return Err(AddError::TooMany);
        }
        let client = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        let lane = Lane::open(self.host, client, self.network.clone()).await?;
        let port = lane.port;
        lock(&self.lanes).insert(client, lane);
        Ok((client, port))
    }

    /// Closes a client's lane and its connections.
    pub fn remove_client(&self, client: usize) {
        lock(&self.lanes).remove(&client);
    }

    /// Changes the link of a client.
    pub fn change_link(&self, client: usize, change: impl FnOnce(&mut Link)) {
        if let Some(lane) = lock(&self.lanes).get(&client) {
            lane.change_link(change);
        }
    }

    /// Returns the number of open connections to the server.
    pub fn connections(&self) -> usize {
        self.network.open.load(Ordering::Relaxed)
    }

    /// Returns the address at which the checker's own client reaches a lane.
    pub fn lane_address(&self, port: u16) -> SocketAddr {
        let host = if self.host.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { self.host };
        SocketAddr::new(host, port)
    }
}
