//! Settings, ready line and log of the peers in Rust.

use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::time::Duration;
use std::{env, process};

use harness::exercise::Exercise;
use tokio::net::TcpListener;

/// The first message on every connection.
pub const WELCOME: &str = "Welcome! Connection established.";
/// The number of messages that a broadcast keeps for its slowest client.
pub const BACKLOG: usize = 8192;

/// Returns the exercise that the command line names.
pub fn exercise() -> Exercise {
    let word = env::args().nth(1).unwrap_or_default();
    Exercise::named(&word).unwrap_or_else(|| {
        refuse(&format!("exercise {word:?} (expected echo, heartbeat or broadcast)"))
    })
}

/// Returns the heartbeat interval from `HEARTBEAT_INTERVAL_MS`.
pub fn period() -> Duration {
    let millis = env::var("HEARTBEAT_INTERVAL_MS").unwrap_or_else(|_| "30000".into());
    let Ok(period) = millis.parse::<NonZeroU64>() else {
        refuse(&format!("HEARTBEAT_INTERVAL_MS={millis} (expected a positive integer)"));
    };
    Duration::from_millis(period.get())
}

/// Binds `ADDR` and prints the ready line.
pub async fn listen() -> TcpListener {
    let addr = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(&addr).await;
    let listener = listener
        .unwrap_or_else(|error| refuse(&format!("ADDR={addr}: {error} (expected host:port)")));
    match listener.local_addr() {
        Ok(local) => log(format_args!("WebSocket server running on ws://{local}")),
        Err(error) => refuse(&format!("ADDR={addr}: {error}")),
    }
    listener
}

/// Logs a message and returns the reply to it.
pub fn reply(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data);
    log(format_args!("Received: {text}"));
    format!("Server received: {text}")
}

/// Prints one line for one event.
pub fn log(event: impl Display) {
    let line = event.to_string().replace('\r', "\\r").replace('\n', "\\n") + "\n";
    let _ = io::stdout().write_all(line.as_bytes());
}

fn refuse(why: &str) -> ! {
    let _ = writeln!(io::stderr(), "{why}");
    process::exit(2)
}
