//! A WebSocket server that already runs, named by its URL.

use std::io;

use thiserror::Error;

use super::proxy::Endpoint;

/// A WebSocket server that already runs.
#[derive(Debug, Clone)]
pub struct RemoteServer {
    /// Its addresses.
    pub endpoint: Endpoint,
    /// The host and port of its URL.
    pub host: String,
    /// The path of its URL.
    pub path: String,
}

/// The reason why a URL names no server.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// The URL is not a `ws:` URL (RFC 6455, section 3).
    #[error("--url {0}: only ws:// is supported; wanted: ws://HOST:PORT or ws://HOST:PORT/PATH")]
    Scheme(String),
    /// The host cannot be resolved.
    #[error("--url {url}: {host} cannot be resolved: {source}")]
    Host {
        /// The URL.
        url: String,
        /// Its host.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
}

impl RemoteServer {
    /// Parses a `ws:` URL and resolves its host.
    pub async fn resolve(url: &str) -> Result<Self, RemoteError> {
        let rest = url.strip_prefix("ws://").ok_or_else(|| RemoteError::Scheme(url.to_string()))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let with_port = if port.is_some() { host.to_string() } else { format!("{host}:80") };
        match tokio::net::lookup_host(with_port).await {
            Ok(found) => Ok(RemoteServer {
                endpoint: Endpoint(found.collect()),
                host: host.to_string(),
                path: path.to_string(),
            }),
            Err(source) => {
                Err(RemoteError::Host { url: url.to_string(), host: host.to_string(), source })
            }
        }
    }
}
