//! The connected clients, and how a message reaches all of them in one order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio_tungstenite::tungstenite::Bytes;

use super::conn::Conn;
use super::outbox::Outbox;
use super::reader::End;
use super::{Server, lock};

/// A client with more bytes than this in its queue is slow and is dropped.
pub(crate) const SLOW: usize = 8 * 1024 * 1024;

/// The clients by their number.
pub(crate) type Clients = BTreeMap<u64, Arc<Conn>>;

/// The clients, under the lock that also puts their messages in order.
#[derive(Default)]
pub(crate) struct Hub {
    clients: Mutex<Clients>,
}

impl Hub {
    /// Welcomes a client and adds it in one step, so that it misses no later message.
    pub(crate) fn join(&self, server: &Server, next: u64) -> Option<Arc<Conn>> {
        let mut clients = lock(&self.clients);
        let id = server.mutation.connection_id(next, &clients);
        let conn = Arc::new(Conn::new(id, Outbox::new(server.mutation)));
        server.mutation.join(server, &mut clients, &conn).then_some(conn)
    }

    /// Removes a client.
    pub(crate) fn leave(&self, server: &Server, conn: &Conn, end: &End) {
        let mut clients = lock(&self.clients);
        if clients.remove(&conn.id).is_some() {
            server.mutation.left(&mut clients, conn.id, end);
        }
    }

    /// Queues a frame for every client at the same moment.
    pub(crate) fn broadcast(&self, server: &Server, from: &Conn, frame: &Bytes) {
        server.mutation.fan_out(server, &lock(&self.clients), from, frame);
    }

    pub(crate) fn all(&self) -> Vec<Arc<Conn>> {
        lock(&self.clients).values().cloned().collect()
    }

    /// Returns true if this client is connected.
    pub(crate) fn contains(&self, conn: &Conn) -> bool {
        lock(&self.clients).contains_key(&conn.id)
    }

    /// Returns the client after this one.
    pub(crate) fn next_to(&self, conn: &Conn) -> Option<Arc<Conn>> {
        next(&lock(&self.clients), conn.id)
    }

    pub(crate) fn kill_all(&self) {
        self.all().iter().for_each(|conn| conn.kill());
    }
}

/// Welcomes a client and adds it to the map.
pub(crate) fn join(server: &Server, clients: &mut Clients, conn: &Arc<Conn>) -> bool {
    server.mutation.welcome(server, conn);
    clients.insert(conn.id, conn.clone());
    true
}

/// Queues a frame, or drops the client if its queue is full.
pub(crate) fn offer(to: &Conn, frame: &Bytes) {
    if to.out.pending().1 > SLOW {
        return to.kill();
    }
    to.out.push(frame.clone());
}

/// Returns the next client in the order of joining. The first follows the last.
pub(crate) fn next(clients: &Clients, id: u64) -> Option<Arc<Conn>> {
    let mut ring = clients.range(id + 1..).chain(clients.range(..id));
    ring.next().map(|(_, conn)| conn.clone())
}
