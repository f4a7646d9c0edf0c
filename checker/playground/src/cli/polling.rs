//! `cargo checker polling`.

use std::io::Write;
use std::process::ExitCode;

use tokio::net::TcpListener;

use baseline::server::serve;
use baseline::transports::relay;
use checker::cli::live::PollingArgs;
use checker::cli::{UNKNOWN, complain};

/// Serves until it is killed.
pub(crate) async fn run(args: PollingArgs) -> ExitCode {
    let addr = &args.addr;
    let listener = match TcpListener::bind(addr).await {
        Ok(listener) => listener,
        Err(error) => {
            let wanted = "wanted: --addr HOST:PORT, the port free";
            return complain(UNKNOWN, format!("cannot listen at {addr}: {error} ({wanted})"));
        }
    };
    let local = listener.local_addr().map_or_else(|_| addr.clone(), |local| local.to_string());
    if args.relay {
        let _ = writeln!(anstream::stdout(), "bare relay running on tcp://{local}");
        let _ = relay::serve(listener).await;
    } else {
        let _ = writeln!(anstream::stdout(), "HTTP baseline running on http://{local}");
        let _ = write!(anstream::stderr(), "{}", advice(&local));
        let _ = serve(listener).await;
    }
    complain(UNKNOWN, format!("the listener at {addr} failed"))
}

fn advice(local: &str) -> String {
    format!(
        "
publish:       curl http://{local}/messages -d 'hello'
short polling: curl 'http://{local}/messages?since=0'
long polling:  curl 'http://{local}/messages?since=1&wait=25000'
events:        curl -N http://{local}/events
start over:    curl -X DELETE http://{local}/messages
"
    )
}
