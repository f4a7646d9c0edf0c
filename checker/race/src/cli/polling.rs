//! `cargo checker polling`.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use tokio::net::TcpListener;

use baseline::server::serve;
use baseline::transports::relay;
use checker::cli::{UNKNOWN, complain};

/// Arguments of `polling`.
#[derive(Args)]
pub(crate) struct PollingArgs {
    /// Where to listen; port 0 means any free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    addr: String,
    /// Serve a TCP relay instead, the lower bound of the race
    #[arg(long, hide = true)]
    relay: bool,
}

/// Serves until the process is killed.
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
        let _ = write!(anstream::stderr(), "{}", examples(&local));
        let _ = serve(listener).await;
    }
    complain(UNKNOWN, format!("the listener at {addr} failed"))
}

fn examples(local: &str) -> String {
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
