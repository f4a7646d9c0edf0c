//! Reads the address and the heartbeat interval from the environment.

use std::env;
use std::time::Duration;

/// The settings from the environment.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) addr: String,
    pub(crate) interval: Duration,
}

impl Config {
    /// Reads `ADDR` and `HEARTBEAT_INTERVAL_MS`. An error is one line.
    pub(crate) fn from_env() -> Result<Self, String> {
        let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".into());
        let interval = env::var("HEARTBEAT_INTERVAL_MS").unwrap_or_else(|_| "30000".into());
        match interval.parse() {
            Ok(millis) if millis > 0 => Ok(Self { addr, interval: Duration::from_millis(millis) }),
            _ => Err(format!(
                "HEARTBEAT_INTERVAL_MS is {interval:?}: want a positive number of milliseconds"
            )),
        }
    }
}
