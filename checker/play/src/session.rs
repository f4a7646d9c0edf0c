//! The state of a playground: the server under test, the clients' lanes and the event log.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
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
    /// The secret in the address of pages that only look.
    pub view_token: String,
    /// The address of pages that only look, if other machines reach this one.
    pub view_url: Option<String>,
    /// The server under test.
    pub server: Arc<ServerUnderTest>,
    /// The events of all connections.
    pub log: Arc<EventLog>,
    /// Polling beside push.
    pub polling: Arc<PollingComparison>,
    network: Network,
    /// The clients' lanes; `None` while a lane is being opened.
    lanes: Mutex<BTreeMap<usize, Option<Lane>>>,
}

impl Session {
    /// Makes a playground without clients. Fails if its clock cannot start.
    ///
    /// `address` is the one at which other machines reach the page, if they do.
    pub fn new(
        host: IpAddr,
        path: String,
        clients_at_start: usize,
        server: Arc<ServerUnderTest>,
        address: Option<SocketAddr>,
    ) -> io::Result<Arc<Self>> {
        let log: Arc<EventLog> = Arc::default();
        let view_token = random_token();
        let network = Network {
            upstream: server.upstream(),
            clock: Clock::start()?,
            log: log.clone(),
            open: Arc::default(),
            connections: Arc::default(),
        };
        Ok(Arc::new(Session {
            host,
            path,
            clients_at_start,
            token: random_token(),
            view_url: address.map(|address| format!("http://{address}/#{view_token}")),
            view_token,
            server,
            log,
            polling: PollingComparison::new(),
            network,
            lanes: Mutex::default(),
        }))
    }

    /// Opens a lane for a new client. Returns its number and its port.
    ///
    /// The number is the lowest that is free, so that a page which is loaded again finds its
    /// clients under the same numbers.
    pub async fn add_client(&self) -> Result<(usize, u16), AddError> {
        let client = {
            let mut lanes = lock(&self.lanes);
            if lanes.len() >= MOST_CLIENTS {
                return Err(AddError::TooMany);
            }
            let free = (1..).find(|client| !lanes.contains_key(client));
            let client = free.expect("there are more numbers than clients");
            lanes.insert(client, None);
            client
        };
        match Lane::open(self.host, client, self.network.clone()).await {
            Ok(lane) => {
                let port = lane.port;
                lock(&self.lanes).insert(client, Some(lane));
                Ok((client, port))
            }
            Err(error) => {
                lock(&self.lanes).remove(&client);
                Err(error.into())
            }
        }
    }

    /// Closes a client's lane and its connections.
    pub fn remove_client(&self, client: usize) {
        lock(&self.lanes).remove(&client);
    }

    /// Changes the link of a client.
    pub fn change_link(&self, client: usize, change: impl FnOnce(&mut Link)) {
        if let Some(Some(lane)) = lock(&self.lanes).get(&client) {
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

fn random_token() -> String {
    format!("{:032x}", rand::random::<u128>())
}
