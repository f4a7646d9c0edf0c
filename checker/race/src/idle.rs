//! Counts the cost of a minute without messages.
//!
//! A proxy counts one cycle of each contestant's keep-alive traffic, at a shorter interval than the
//! usual one. The cost of a minute follows from the usual interval.

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

/// The interval of a cycle while it is counted, in place of its longer usual interval.
const PACE: Duration = Duration::from_millis(100);
/// The contract's default heartbeat interval.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// The cost of one subscriber in an idle minute.
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

    /// Returns the bytes, both ways.
    pub fn bytes(&self) -> f64 {
        self.bytes_up + self.bytes_down
    }
}

/// Counts a contestant's idle minute. Returns `None` if its server shows no cycle, and fails if it
/// disconnects.
pub async fn count_idle(
    contestant: Contestant,
    host: &TransportServer,
    pushed: &PushServer,
    reconnect: bool,
    distance: Distance,
) -> CheckResult<Option<Idle>> {
    if contestant == Contestant::Push {
        return count_push(pushed, distance).await;
    }
    let proxy = Proxy::to(host.endpoint.clone(), distance).await?;
    if contestant == Contestant::Relay {
        let _client = RelayClient::connect(proxy.address).await?;
        return Ok(Some(Idle::cycles(Bytes::default(), MINUTE, 0.0)));
    }
    let http = Http::new(proxy.address, reconnect);
    http.clear().await?;
    Ok(Some(match contestant {
        Contestant::Short(period) => {
            let before = proxy.bytes();
            http.poll(0, None).await?;
            Idle::cycles(proxy.bytes() - before, period, 1.0)
        }
        Contestant::Long => {
            let before = proxy.bytes();
            http.poll(0, Some(PACE)).await?;
            Idle::cycles(proxy.bytes() - before, LONG_WAIT, 1.0)
        }
        _ => {
            let mut events = http.events(Some(PACE)).await?;
            while events.next().await?.0 != StreamEvent::Comment {}
            let before = proxy.bytes();
            while events.next().await?.0 != StreamEvent::Comment {}
            Idle::cycles(proxy.bytes() - before, EVENTS_KEEP_ALIVE, 0.0)
        }
    }))
}

/// Counts the bytes between two pings. The heartbeat interval of a remote server is unknown.
async fn count_push(pushed: &PushServer, distance: Distance) -> CheckResult<Option<Idle>> {
    if matches!(pushed, PushServer::Remote(_)) {
        return Ok(None);
    }
    let host = TransportServer::push(pushed, Some(PACE)).await?;
    let proxy = Proxy::to(host.endpoint.clone(), distance).await?;
    let mut socket = Socket::connect(proxy.address, "localhost", "/").await?;
    let mut totals = Vec::new();
    let count = async {
        // The first ping may come right at opening. The interval begins after it.
        while totals.len() < 3 {
            while socket.next().await?.0 != socket::SocketEvent::Ping {}
            proxy.wait_for_upload(socket.written).await;
            totals.push(proxy.bytes());
        }
        Ok::<_, CheckError>(())
    };
    Ok(match timeout_on_busy_host(RESPONSE_TIMEOUT / 2, count).await {
        Some(counted) => {
            counted.map(|()| Some(Idle::cycles(totals[2] - totals[1], HEARTBEAT, 0.0)))?
        }
        None => None,
    })
}
