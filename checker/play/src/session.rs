//! One playground: the server under test, the lanes of all clients, what went over them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::beside::Beside;
use crate::cable::Knobs;
use crate::journal::Journal;
use crate::lane::Lane;
use crate::subject::Subject;

/// So many clients may be open at a time, on all pages together.
const MOST_CLIENTS: usize = 200;

/// A playground.
pub struct Session {
    /// The interface that pages and clients connect to.
    pub host: IpAddr,
    /// The path that clients ask for, as in the server's address.
    pub path: String,
    /// How many clients a page opens at its start.
    pub clients_at_start: usize,
    /// What a page has to know in order to be listened to.
    pub token: String,
    /// The server under test.
    pub subject: Arc<Subject>,
    /// What went over the wire.
    pub journal: Arc<Journal>,
    /// The race beside it.
    pub beside: Arc<Beside>,
    lanes: Mutex<BTreeMap<usize, Lane>>,
    clients: AtomicUsize,
    open: Arc<AtomicUsize>,
}

impl Session {
    /// A playground with nobody in it.
    pub fn new(
        host: IpAddr,
        path: String,
        clients_at_start: usize,
        subject: Arc<Subject>,
    ) -> Arc<Self> {
        Arc::new(Session {
            host,
            path,
            clients_at_start,
            token: format!("{:032x}", rand::random::<u128>()),
            subject,
            journal: Arc::default(),
            beside: Beside::new(),
            lanes: Mutex::default(),
            clients: AtomicUsize::new(0),
            open: Arc::default(),
        })
    }

    /// A lane for one more client: its number and its port.
    ///
    /// # Errors
    /// When no port can be had, or there are too many.
    pub async fn add(&self) -> io::Result<(usize, u16)> {
        if self.lanes.lock().expect("no panic holds it").len() >= MOST_CLIENTS {
            return Err(io::Error::other(format!("there are {MOST_CLIENTS} clients already")));
        }
        let client = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        let upstream = self.subject.upstream();
        let lane = Lane::open(self.host, client, upstream, self.journal.clone(), self.open.clone())
            .await?;
        let port = lane.port;
        self.lanes.lock().expect("no panic holds it").insert(client, lane);
        Ok((client, port))
    }

    /// Takes a lane away, and with it the client's connections.
    pub fn remove(&self, client: usize) {
        self.lanes.lock().expect("no panic holds it").remove(&client);
    }

    /// Changes what is done to a client's cable.
    pub fn turn(&self, client: usize, how: impl FnOnce(&mut Knobs)) {
        if let Some(lane) = self.lanes.lock().expect("no panic holds it").get(&client) {
            lane.turn(how);
        }
    }

    /// How many connections to the server are open.
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Where the checker's own clients reach a lane.
    pub fn near(&self, port: u16) -> SocketAddr {
        let host = if self.host.is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { self.host };
        SocketAddr::new(host, port)
    }
}
