//! What a minute costs in which nothing happens.
//!
//! One cycle of what each does to stay alive is counted on the line, in less time than it would take, and a minute
//! has so many of them.

use std::time::Duration;

use serde::Serialize;

use baseline::client::{Http, StreamEvent};
use baseline::transports::plan::Contestant;
use baseline::transports::proxy::{Bytes, Distance, Proxy};
use baseline::transports::relay::RelayClient;
use baseline::transports::server::{PushServer, TransportServer};
use baseline::transports::socket::{self, Socket};
use baseline::{EVENTS_KEEP_ALIVE, LONG_WAIT};
use harness::client::{RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::verdict::{CheckError, CheckResult};

/// The pace at which cycles are watched that take long in earnest.
const PACE: Duration = Duration::from_millis(100);
/// The heartbeat interval that the contract has by default.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// What one subscriber costs in an idle minute.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Idle {
    /// Requests.
    pub requests: f64,
    /// Bytes to the server.
    pub bytes_up: f64,
    /// Bytes from the server.
    pub bytes_down: f64,
}

impl Idle {
    fn cycles(cycle: Bytes, length: Duration, requests: f64) -> Self {
        let count = MINUTE.as_secs_f64() / length.as_secs_f64();
        Idle {
            requests: requests * count,
            bytes_up: cycle.up as f64 * count,
            bytes_down: cycle.down as f64 * count,
        }
    }

    /// Bytes, both ways.
    pub fn bytes(&self) -> f64 {
        self.bytes_up + self.bytes_down
    }
}

/// Counts a contestant's idle minute; `None` if its server shows no cycle.
///
/// # Errors
/// When the server goes away.
pub async fn idle(
    contestant: Contestant,
    host: &TransportServer,
    pushed: &PushServer,
    reconnect: bool,
    distance: Distance,
) -> CheckResult<Option<Idle>> {
    if contestant == Contestant::Push {
        return push(pushed, distance).await;
    }
    let line = Proxy::to(host.endpoint.clone(), distance).await?;
    if contestant == Contestant::Relay {
        let _caller = RelayClient::connect(line.address).await?;
        return Ok(Some(Idle::cycles(Bytes::default(), MINUTE, 0.0)));
    }
    let http = Http::new(line.address, reconnect);
    http.clear().await?;
    Ok(Some(match contestant {
        Contestant::Short(period) => {
            let before = line.bytes();
            http.poll(0, None).await?;
            Idle::cycles(line.bytes() - before, period, 1.0)
        }
        Contestant::Long => {
            let before = line.bytes();
            http.poll(0, Some(PACE)).await?;
            Idle::cycles(line.bytes() - before, LONG_WAIT, 1.0)
        }
        _ => {
            let mut events = http.events(Some(PACE)).await?;
            while events.next().await?.0 != StreamEvent::Comment {}
            let before = line.bytes();
            while events.next().await?.0 != StreamEvent::Comment {}
            Idle::cycles(line.bytes() - before, EVENTS_KEEP_ALIVE, 0.0)
        }
    }))
}

/// Between two pings; only a server of our own can be told to send them at our pace.
async fn push(pushed: &PushServer, distance: Distance) -> CheckResult<Option<Idle>> {
    if matches!(pushed, PushServer::Remote(_)) {
        return Ok(None);
    }
    let host = TransportServer::push(pushed, Some(PACE)).await?;
    let line = Proxy::to(host.endpoint.clone(), distance).await?;
    let mut socket = Socket::connect(line.address, "localhost", "/").await?;
    let mut seen = Vec::new();
    let watching = async {
        // The first may come right at opening, and the rhythm begin after it.
        while seen.len() < 3 {
            while socket.next().await?.0 != socket::SocketEvent::Ping {}
            line.wait_for_upload(socket.written).await;
            seen.push(line.bytes());
        }
        Ok::<_, CheckError>(())
    };
    Ok(match timeout_on_busy_host(RESPONSE_TIMEOUT / 2, watching).await {
        Some(watched) => watched.map(|()| Some(Idle::cycles(seen[2] - seen[1], HEARTBEAT, 0.0)))?,
        None => None,
    })
}
