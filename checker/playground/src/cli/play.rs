//! `cargo checker play`.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use checker::cli::live::{ExerciseArg, PlayArgs};
use checker::cli::{UNKNOWN, commanded, complain, progress};
use harness::exercise::{Exercise, Target};
use playground::play::page;
use playground::play::session::Session;
use playground::play::subject::{Source, Subject};

use super::far::{Far, far};

/// So many ports above the one that is taken are tried, to name one that is free.
const TRIED: u16 = 50;

/// Serves until it is killed.
pub(crate) async fn run(args: PlayArgs) -> ExitCode {
    match play(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => complain(code, &message),
    }
}

async fn play(args: &PlayArgs) -> Result<(), (u8, String)> {
    // Before anything is built, one wants to hear that the port is taken.
    let listener = listen(args.host, args.port).await?;
    let failed = |error: std::io::Error| (UNKNOWN, format!("the playground failed: {error}"));
    let local = listener.local_addr().map_err(failed)?;
    let (source, name, path) = source(args).await?;
    let interval = args.url.is_none().then(|| Duration::from_millis(args.interval));
    let subject = Subject::new(source, name, interval);
    let clients = if args.exercise == ExerciseArg::Broadcast { 2 } else { 1 };
    let session = Session::new(args.host, path, clients, subject.clone());
    let announced = async {
        progress("building …");
        subject.settled().await;
        progress("");
        if !args.host.is_loopback() {
            let warning = "warning: with --host, whoever reaches this machine and knows the address below drives the \
                           page, and whoever reaches it at all talks to the server";
            let _ = writeln!(anstream::stderr(), "{warning}");
        }
        let _ =
            writeln!(anstream::stdout(), "playground running on http://{local}/#{}", session.token);
        std::future::pending::<()>().await;
    };
    let watched = async {
        if !args.watch {
            return std::future::pending().await;
        }
        Arc::clone(&subject).watch().await
    };
    tokio::select! {
        served = page::serve(listener, session.clone()) => served.map_err(failed),
        beside = session.beside.run(&session.journal) => beside.map_err(failed),
        watched = watched => watched.map_err(|why| (UNKNOWN, why)),
        () = subject.keep() => Ok(()),
        () = announced => Ok(()),
    }
}

async fn listen(host: IpAddr, port: u16) -> Result<TcpListener, (u8, String)> {
    let error = match TcpListener::bind((host, port)).await {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    for other in port.saturating_add(1)..=port.saturating_add(TRIED) {
        if error.kind() == std::io::ErrorKind::AddrInUse
            && TcpListener::bind((host, other)).await.is_ok()
        {
            return Err((
                UNKNOWN,
                format!("port {port} is in use; the next free one is {other}: --port {other}"),
            ));
        }
    }
    Err((UNKNOWN, format!("cannot listen at {}: {error}", SocketAddr::new(host, port))))
}

async fn source(args: &PlayArgs) -> Result<(Source, String, String), (u8, String)> {
    if let Some(url) = &args.url {
        let Far { endpoint, path, .. } = far(url).await?;
        endpoint
            .connect()
            .await
            .map_err(|error| (UNKNOWN, format!("nothing answers at {url}: {error}")))?;
        return Ok((Source::Far(endpoint), url.clone(), path));
    }
    let root = "/".to_string();
    if let Some(command) = &args.command {
        return Ok((Source::Command(commanded(command)?), command.clone(), root));
    }
    let exercise = match args.exercise {
        ExerciseArg::Echo => Exercise::Echo,
        ExerciseArg::Heartbeat => Exercise::Heartbeat,
        ExerciseArg::Broadcast => Exercise::Broadcast,
    };
    let target = Target::from(args.target);
    Ok((Source::Crate(exercise, target), exercise.source(target), root))
}
