//! The cable between one client and the server, and what can be done to it: pull it, make it long, let the client
//! read slowly. Bytes are never lost or changed, as TCP does not lose them: what can't go through waits.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::dissect::{Dissector, Piece};
use crate::journal::{Journal, KEPT_PAYLOAD, Way, What};

/// So many bytes may be on their way in one direction; then the sender has to wait.
const ON_THE_WAY: usize = 256 * 1024;
/// So often in a second a slow reader reads.
const SIPS: u32 = 10;

/// What is done to a cable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Knobs {
    /// Nothing goes through, and neither side is told.
    pub cut: bool,
    /// How long a byte takes, each way.
    pub latency: Duration,
    /// How many bytes the client reads in a second; all there are if `None`.
    pub slow: Option<u32>,
}

/// The ends of one connection.
pub struct Cable {
    /// The client's number.
    pub client: usize,
    /// The number of the client's connection, from 1.
    pub connection: usize,
    /// Where it is remembered.
    pub journal: Arc<Journal>,
    /// What is done to it.
    pub knobs: watch::Receiver<Knobs>,
    key: Mutex<String>,
    broken: watch::Sender<bool>,
}

enum Parcel {
    Bytes { due: Instant, bytes: Vec<u8>, events: Range<u64>, _room: OwnedSemaphorePermit },
    End { due: Instant, event: u64 },
}

impl Cable {
    /// A cable that forwards nothing yet.
    pub fn new(
        client: usize,
        connection: usize,
        journal: Arc<Journal>,
        knobs: watch::Receiver<Knobs>,
    ) -> Self {
        Cable {
            client,
            connection,
            journal,
            knobs,
            key: Mutex::default(),
            broken: watch::Sender::new(false),
        }
    }

    /// Forwards until both directions have ended or the connection broke.
    pub async fn run(self, near: TcpStream, far: TcpStream) {
        let _ = (near.set_nodelay(true), far.set_nodelay(true));
        let (from_client, to_client) = near.into_split();
        let (from_server, to_server) = far.into_split();
        tokio::join!(
            self.direction(Way::Up, from_client, to_server),
            self.direction(Way::Down, from_server, to_client)
        );
    }

    async fn direction(&self, way: Way, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let (parcels, arriving) = mpsc::unbounded_channel();
        let mut broken = self.broken.subscribe();
        let through = async {
            tokio::join!(self.take_in(way, &mut from, parcels), self.pass_on(&mut to, arriving));
        };
        let reset = tokio::select! {
            () = through => false,
            _ = broken.wait_for(|broken| *broken) => true,
        };
        if reset {
            let _ = (from.as_ref().set_zero_linger(), to.as_ref().set_zero_linger());
            // Dropped, a write half says FIN first.
            to.forget();
        }
    }

    async fn take_in(
        &self,
        way: Way,
        from: &mut OwnedReadHalf,
        parcels: mpsc::UnboundedSender<Parcel>,
    ) {
        let room = Arc::new(Semaphore::new(ON_THE_WAY));
        let mut dissector = Dissector::new(KEPT_PAYLOAD);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let slow = if way == Way::Down { self.knobs.borrow().slow } else { None };
            let sip =
                slow.map_or(buffer.len(), |rate| (rate / SIPS).max(1) as usize).min(buffer.len());
            let Ok(permit) = room.clone().acquire_many_owned(sip as u32).await else { return };
            let read = from.read(&mut buffer[..sip]).await;
            let knobs = *self.knobs.borrow();
            let due = Instant::now() + knobs.latency;
            let read = match read {
                Ok(read @ 1..) => read,
                Ok(_) => {
                    let event = self.record(way, What::Ended);
                    let _ = parcels.send(Parcel::End { due, event });
                    return;
                }
                Err(_) => {
                    let event = self.record(way, What::Reset);
                    self.plugged().await;
                    self.delivered(event..event + 1);
                    self.broken.send_replace(true);
                    return;
                }
            };
            let mut events = 0..0;
            dissector.feed(&buffer[..read], |piece| {
                let id = self.record(way, self.recognised(way, piece));
                events = if events.is_empty() { id..id + 1 } else { events.start..id + 1 };
            });
            // What of the permit wasn't used is room for others.
            let mut permit = permit;
            drop(permit.split(sip - read));
            let bytes = buffer[..read].to_vec();
            if parcels.send(Parcel::Bytes { due, bytes, events, _room: permit }).is_err() {
                return;
            }
            if slow.is_some() {
                tokio::time::sleep(Duration::from_secs(1) / SIPS).await;
            }
        }
    }

    async fn pass_on(&self, to: &mut OwnedWriteHalf, mut parcels: mpsc::UnboundedReceiver<Parcel>) {
        while let Some(parcel) = parcels.recv().await {
            let (Parcel::Bytes { due, .. } | Parcel::End { due, .. }) = &parcel;
            tokio::time::sleep_until(*due).await;
            self.plugged().await;
            match parcel {
                Parcel::Bytes { bytes, events, .. } => {
                    if to.write_all(&bytes).await.is_err() {
                        self.broken.send_replace(true);
                        return;
                    }
                    self.delivered(events);
                }
                Parcel::End { event, .. } => {
                    let _ = to.shutdown().await;
                    self.delivered(event..event + 1);
                }
            }
        }
    }

    /// Events of other connections may lie between the first and the last of ours; they keep their own time.
    fn delivered(&self, events: Range<u64>) {
        self.journal.delivered(self.client, self.connection, events);
    }

    async fn plugged(&self) {
        let mut knobs = self.knobs.clone();
        if knobs.wait_for(|knobs| !knobs.cut).await.is_err() {
            // The lane is gone, and will end this task.
            std::future::pending::<()>().await;
        }
    }

    fn record(&self, way: Way, what: What) -> u64 {
        self.journal.record(self.client, self.connection, way, what)
    }

    /// A response is shown with the computation of its accept key.
    fn recognised(&self, way: Way, piece: Piece) -> What {
        let Piece::Head(head) = piece else { return What::Piece(piece) };
        let mut key = self.key.lock().expect("no panic holds it");
        if way == Way::Up {
            let named = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_string())
            });
            *key = named.unwrap_or_default();
            return What::Piece(Piece::Head(head));
        }
        What::Answer { head, key: key.clone(), accept: derive_accept_key(key.as_bytes()) }
    }
}
