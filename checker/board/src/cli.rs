//! `cargo checker board`: its arguments, and what it prints.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use clap::Args;
use rand::seq::IndexedRandom;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::room::Room;
use crate::save::EventFile;
use crate::server::{Board, serve};
use baseline::origin::own_address;
use checker::cli::{CliError, UNKNOWN, USAGE};
use checker::interrupt::{INTERRUPTED, interrupted};

/// Letters and digits of a room code, without those that look alike on a projector.
const LETTERS: &[u8] = b"ABCDEFGHJKMNPQRSTUVWXYZ23456789";
/// The length of a room code.
const LENGTH: usize = 6;
/// The time limit for saying goodbye to all connections.
const GOODBYE: Duration = Duration::from_secs(3);

/// Arguments of `board`.
#[derive(Args)]
pub(crate) struct BoardArgs {
    /// The port; 0 means any free port
    #[arg(long, value_name = "PORT", default_value_t = 3100)]
    port: u16,
    /// The address to listen on; by default all of this machine's, so that the class reaches it
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    host: IpAddr,
    /// The code in the students' address; random if it is missing
    #[arg(long, value_name = "CODE", value_parser = room_code)]
    room: Option<String>,
    /// The secret in the page's address; random if it is missing
    #[arg(long, value_name = "KEY", value_parser = page_key)]
    key: Option<String>,
    /// The heartbeat interval in milliseconds
    #[arg(
        long,
        value_name = "MILLIS",
        default_value_t = 5_000,
        value_parser = clap::value_parser!(u64).range(100..=600_000)
    )]
    interval: u64,
    /// Append all events to this file, one JSON object a line; otherwise nothing is kept
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

fn room_code(text: &str) -> Result<String, String> {
    let is_code = (4..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match is_code {
        true => Ok(text.to_ascii_uppercase()),
        false => Err("a room code has 4 to 20 letters and digits, as in K7QX2M".to_string()),
    }
}

fn page_key(text: &str) -> Result<String, String> {
    let is_key = (16..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match is_key {
        true => Ok(text.to_string()),
        false => {
            Err("a key has 16 to 64 letters and digits, as an earlier run printed".to_string())
        }
    }
}

/// Runs the board until Ctrl-C.
pub(crate) async fn run(args: BoardArgs) -> ExitCode {
    match start(args).await {
        Ok(()) => ExitCode::from(INTERRUPTED),
        Err(error) => error.exit(),
    }
}

async fn start(args: BoardArgs) -> Result<(), CliError> {
    let listener = listen(args.host, args.port).await?;
    let local = listener.local_addr().map_err(io_error)?;
    let file = match &args.save {
        Some(path) => Some(EventFile::open(path).map_err(|error| {
            let message = format!(
                "cannot write {}: {error}; wanted: a file in a directory that exists",
                path.display()
            );
            CliError::new(USAGE, message)
        })?),
        None => None,
    };
    let board = Arc::new(Board {
        code: args.room.clone().unwrap_or_else(random_code),
        key: args.key.clone().unwrap_or_else(|| format!("{:032x}", rand::random::<u128>())),
        period: Duration::from_millis(args.interval),
        room: Room::new(file),
        shutdown: watch::Sender::new(false),
        open: AtomicUsize::new(0),
    });
    announce(&args, &board, local);
    tokio::select! {
        served = serve(listener, board.clone()) => served.map_err(io_error),
        () = interrupted() => {
            board.shutdown.send_replace(true);
            // Each connection has a receiver until it is closed.
            let _ = timeout(GOODBYE, board.shutdown.closed()).await;
            Ok(())
        }
    }
}

fn random_code() -> String {
    let mut random = rand::rng();
    let letters = (0..LENGTH).filter_map(|_| LETTERS.choose(&mut random));
    letters.map(|letter| char::from(*letter)).collect()
}

/// Prints the addresses, and what leaves a student's machine.
fn announce(args: &BoardArgs, board: &Board, local: SocketAddr) {
    let (address, warning) = match (local.ip().is_unspecified(), own_address()) {
        (false, _) => (local.ip(), None),
        (true, Some(address)) => (address, None),
        (true, None) => (
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            Some("this machine has no address in a network: only programs on it can join"),
        ),
    };
    let address = SocketAddr::new(address, local.port());
    let Board { code, key, .. } = board;
    let kept = match &args.save {
        Some(path) => format!("All events are appended to {}.", path.display()),
        None => "Nothing is kept when it ends; --save FILE keeps all events.".to_string(),
    };
    if let Some(warning) = warning {
        let _ = writeln!(anstream::stderr(), "warning: {warning}");
    }
    let _ = writeln!(
        anstream::stdout(),
        "board running on http://{address}/{code}#{key}\n\
         students run:    cargo checker watch --board ws://{address}/{code}\n\
         They send a name that they choose and the verdict on each check, never source. {kept}\n\
         The same addresses again: cargo checker board --port {} --room {code} --key {key}",
        address.port()
    );
}

fn io_error(error: io::Error) -> CliError {
    CliError::new(UNKNOWN, format!("the board failed: {error}"))
}

async fn listen(host: IpAddr, port: u16) -> Result<TcpListener, CliError> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        let address = SocketAddr::new(host, port);
        let help = match error.kind() {
            ErrorKind::AddrInUse => "; wanted: --port with a free one, or 0 for any",
            ErrorKind::AddrNotAvailable => "; wanted: --host with an address of this machine",
            _ => "",
        };
        CliError::new(UNKNOWN, format!("cannot listen at {address}: {error}{help}"))
    })
}
