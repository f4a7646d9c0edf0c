//! `cargo checker play`: its arguments, and what it starts from them.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::TcpListener;

use baseline::origin;
use baseline::transports::remote::RemoteServer;
use checker::cli::{CliError, TargetArg, UNKNOWN, USAGE, commanded, exercise, progress};
use harness::exercise::{Exercise, Target};
use play::page;
use play::recording::Recording;
use play::server_under_test::{ServerUnderTest, Source};
use play::session::Session;

/// How many ports above a taken one are tried, to suggest a free one.
const PORTS_TRIED: u16 = 50;

/// Arguments of `play`.
#[derive(Args)]
pub(crate) struct PlayArgs {
    /// The exercise to play with (echo, heartbeat or broadcast)
    #[arg(value_name = "EXERCISE", value_parser = exercise, default_value = "broadcast")]
    exercise: Exercise,
    /// The server to play with
    #[arg(long, value_enum, default_value_t = TargetArg::Day1)]
    target: TargetArg,
    /// Play with this program instead, in any language
    #[arg(long, value_name = "CMD ARGS", conflicts_with = "target")]
    command: Option<String>,
    /// Play with a server that already runs
    #[arg(
        long,
        value_name = "ws://HOST:PORT",
        conflicts_with_all = ["target", "command", "watch", "interval"]
    )]
    url: Option<String>,
    /// The port of the page; 0 means any free port
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    port: u16,
    /// The server's heartbeat interval in milliseconds, short enough to watch
    #[arg(
        long,
        value_name = "MILLIS",
        default_value_t = 5_000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    interval: u64,
    /// The address to listen on, for the page and the server; by default only this machine
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Show the hour of `solutions/README.md` on the page, step by step
    #[arg(long)]
    script: bool,
    /// Show a saved wire again, event by event, without a server
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["target", "command", "url", "interval", "script", "watch"]
    )]
    open: Option<PathBuf>,
    /// Build and restart the server each time its source is saved
    #[arg(long, conflicts_with = "command")]
    watch: bool,
}

/// Serves the page until the process is killed.
pub(crate) async fn run(args: PlayArgs) -> ExitCode {
    match serve(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.exit(),
    }
}

async fn serve(args: &PlayArgs) -> Result<(), CliError> {
    // Listens before the build, which can take a minute: a taken port is reported at once.
    let listener = listen(args.host, args.port).await?;
    let local = listener.local_addr().map_err(io_error)?;
    if let Some(path) = &args.open {
        return show_again(listener, local, args.host, path).await;
    }
    let (source, name, path) = source(args).await?;
    let interval = args.url.is_none().then(|| Duration::from_millis(args.interval));
    let server = ServerUnderTest::new(source, name, interval);
    let clients = if args.exercise == Exercise::Broadcast { 2 } else { 1 };
    let address = reachable(local);
    let foreign = (!args.host.is_loopback()).then_some(address);
    let session =
        Session::new(args.host, path, clients, server.clone(), foreign).map_err(io_error)?;
    let announce = async {
        progress("building the server …");
        server.wait_for_start().await;
        progress("");
        if !args.host.is_loopback() {
            let _ = writeln!(
                anstream::stderr(),
                "warning: with --host, every machine that reaches this one can talk to the \
                 server, and the first address below lets it drive the page"
            );
        }
        let query = if args.script { "?script" } else { "" };
        let _ = writeln!(
            anstream::stdout(),
            "playground running on http://{address}/{query}#{}",
            session.token
        );
        if let Some(url) = &session.view_url {
            let _ = writeln!(anstream::stdout(), "for those who only look: {url}");
        }
        std::future::pending::<()>().await;
    };
    let watch = async {
        if !args.watch {
            return std::future::pending().await;
        }
        Arc::clone(&server).watch().await
    };
    tokio::select! {
        served = page::serve(listener, session.clone()) => served.map_err(io_error),
        compared = session.polling.run(&session.log) => compared.map_err(io_error),
        watched = watch => watched.map_err(|error| CliError::new(UNKNOWN, error)),
        () = server.keep_running() => Ok(()),
        () = announce => Ok(()),
    }
}

/// Serves a saved file.
async fn show_again(
    listener: TcpListener,
    local: SocketAddr,
    host: IpAddr,
    path: &Path,
) -> Result<(), CliError> {
    let recording = Recording::open(path).map_err(|error| CliError::new(USAGE, error))?;
    let (address, token) = (reachable(local), &recording.token);
    let _ = writeln!(anstream::stdout(), "playground running on http://{address}/#{token}");
    page::serve_recording(listener, host, Arc::new(recording)).await.map_err(io_error)
}

/// Returns the address at which other machines reach this listener.
fn reachable(local: SocketAddr) -> SocketAddr {
    if !local.ip().is_unspecified() {
        return local;
    }
    let own = origin::own_address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    SocketAddr::new(own, local.port())
}

fn io_error(error: io::Error) -> CliError {
    CliError::new(UNKNOWN, format!("the playground failed: {error}"))
}

async fn listen(host: IpAddr, port: u16) -> Result<TcpListener, CliError> {
    let error = match TcpListener::bind((host, port)).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    if error.kind() == ErrorKind::AddrInUse {
        for other in port.saturating_add(1)..=port.saturating_add(PORTS_TRIED) {
            if TcpListener::bind((host, other)).await.is_ok() {
                let message =
                    format!("port {port} is in use; the next free one is {other}: --port {other}");
                return Err(CliError::new(UNKNOWN, message));
            }
        }
    }
    let address = SocketAddr::new(host, port);
    Err(CliError::new(UNKNOWN, format!("cannot listen at {address}: {error}")))
}

/// Returns the server to play with, its name on the page, and the path that clients request.
async fn source(args: &PlayArgs) -> Result<(Source, String, String), CliError> {
    if let Some(url) = &args.url {
        let RemoteServer { endpoint, path, .. } = RemoteServer::resolve(url).await?;
        endpoint.connect().await.map_err(|error| {
            CliError::new(UNKNOWN, format!("nothing answers at {url}: {error}"))
        })?;
        return Ok((Source::Remote(endpoint), url.clone(), path));
    }
    let root = "/".to_string();
    if let Some(command) = &args.command {
        return Ok((Source::Command(commanded(command)?), command.clone(), root));
    }
    let target = Target::from(args.target);
    Ok((Source::Crate(args.exercise, target), args.exercise.source(target), root))
}
