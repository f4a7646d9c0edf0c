//! A server that runs already, somewhere.

use baseline::transports::proxy::Endpoint;
use checker::cli::{UNKNOWN, USAGE};

/// Where it is.
pub(super) struct Far {
    /// Where it can be connected to.
    pub(super) endpoint: Endpoint,
    /// Its name and port, as in its address.
    pub(super) host: String,
    /// Its path, as in its address.
    pub(super) path: String,
}

/// What this address names (RFC 6455, section 3); or the exit code and the words of a refusal.
pub(super) async fn far(url: &str) -> Result<Far, (u8, String)> {
    let usage = |why: &str| {
        (USAGE, format!("--url {url}: {why}; wanted: ws://HOST:PORT or ws://HOST:PORT/PATH"))
    };
    let rest = url.strip_prefix("ws://").ok_or_else(|| usage("only ws:// is spoken here"))?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let named = if port.is_some() { host.to_string() } else { format!("{host}:80") };
    let found = tokio::net::lookup_host(named).await;
    let found =
        found.map_err(|error| (UNKNOWN, format!("--url {url}: {host} can't be found: {error}")))?;
    Ok(Far { endpoint: Endpoint(found.collect()), host: host.to_string(), path: path.to_string() })
}
