//! A lane: a port of its own for each client, so that the tap knows whose connection it sees, and everything that a
//! browser says goes through untouched.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cable::{Cable, Knobs};
use crate::journal::{Journal, Way, What};
use baseline::transports::proxy::Endpoint;

/// Where the server listens; `None` while there is none.
pub type Upstream = watch::Receiver<Option<Endpoint>>;

/// One client's way to the server, as long as it lives.
pub struct Lane {
    /// The client's number, from 1.
    pub client: usize,
    /// The port at which the client connects.
    pub port: u16,
    journal: Arc<Journal>,
    knobs: watch::Sender<Knobs>,
    serving: tokio::task::JoinHandle<()>,
}

impl Lane {
    /// A lane for this client at any free port of `host`; `open` counts the connections that it has.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn open(
        host: IpAddr,
        client: usize,
        upstream: Upstream,
        journal: Arc<Journal>,
        open: Arc<AtomicUsize>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((host, 0)).await?;
        let port = listener.local_addr()?.port();
        let knobs = watch::Sender::new(Knobs::default());
        let serving = tokio::spawn(serve(
            listener,
            client,
            upstream,
            journal.clone(),
            knobs.subscribe(),
            open,
        ));
        Ok(Lane { client, port, journal, knobs, serving })
    }

    /// Changes what is done to the cable, and says so in the journal.
    pub fn turn(&self, how: impl FnOnce(&mut Knobs)) {
        let before = *self.knobs.borrow();
        let mut after = before;
        how(&mut after);
        if before == after {
            return;
        }
        let words = if before.cut != after.cut {
            if after.cut {
                "cable pulled: nothing goes through, nobody is told"
            } else {
                "cable plugged in again"
            }
            .to_string()
        } else if before.latency != after.latency {
            format!("latency {} ms each way", after.latency.as_millis())
        } else {
            match after.slow {
                Some(rate) => format!("the client reads {rate} bytes a second"),
                None => "the client reads all there is".to_string(),
            }
        };
        self.journal.record(self.client, 0, Way::Up, What::Cable(words));
        self.knobs.send_replace(after);
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        // With it end its cables: their sockets are closed.
        self.serving.abort();
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(
    listener: TcpListener,
    client: usize,
    upstream: Upstream,
    journal: Arc<Journal>,
    knobs: watch::Receiver<Knobs>,
    open: Arc<AtomicUsize>,
) {
    let mut cables = JoinSet::new();
    let mut connection = 0;
    while let Ok((near, _)) = listener.accept().await {
        while cables.try_join_next().is_some() {}
        connection += 1;
        let server = upstream.borrow().clone();
        let (journal, knobs, open) = (journal.clone(), knobs.clone(), open.clone());
        cables.spawn(async move {
            let far = match server {
                Some(server) => server.connect().await.map_err(|error| error.to_string()),
                None => Err("it is not running".to_string()),
            };
            match far {
                Ok(far) => {
                    open.fetch_add(1, Ordering::Relaxed);
                    let _counted = Counted(open);
                    Cable::new(client, connection, journal, knobs).run(near, far).await;
                }
                Err(why) => drop(journal.record(client, connection, Way::Down, What::Refused(why))),
            }
        });
    }
}
