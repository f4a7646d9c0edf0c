//! Programs that behave badly as processes. Otherwise they are a right `echo` server.
//!
//! A child ends after [`CHILD_LIFE`], even if the checker fails to kill it.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;

use crate::base::conn::Conn;
use crate::base::handshake::Request;
use crate::base::{self, Exercise, Mutation, Right, Server, mutation};
use crate::catalogue::{READY_LATE, STATUS_200};
use crate::config::Config;
use crate::right::on_all_cores;

const CHILD_LIFE: Duration = Duration::from_secs(120);
const CHILD: &str = "child";

/// Their names and descriptions.
pub(crate) const PROCESSES: &[(&str, &str)] = &[
    ("hang", "Starts and never prints the ready line."),
    ("flood", "Serves, and prints on both streams without end."),
    ("exit", "Exits at once with code 3 and a line on standard error."),
    ("silent-exit", "Exits at once without output."),
    ("late", "Prints the ready line after two seconds, which is legal."),
    ("fork", "Has a child that keeps the listening port when the parent is killed."),
    ("ignore-sigterm", "Serves, and ignores SIGTERM and SIGINT."),
    ("busy", "Serves, and burns every core beside it."),
    ("wrong-port", "Prints a ready line with a port on which no process listens."),
    ("own-port", "Listens on a port of its own and ignores `ADDR`."),
    ("fixed-ready-line", "Listens where `ADDR` says, and prints a ready line with port 8080."),
    ("own-port-taken", "Wants a port of its own that is in use, whatever `ADDR` says, and ends."),
    ("panic", "Panics in its main thread right after the ready line."),
    ("panic-on-connect", "Panics in the task of each connection."),
    ("setsid", "Leaves a grandchild in a session of its own, which keeps the output streams open."),
    ("frame-flood", "Sends every client messages without end."),
    ("sockets", "Opens connections by the thousand, to itself, and holds them."),
    ("fake-verdict", "Prints lines that look like passed checks, and serves nothing right."),
];

/// Runs the program with this name; `None` if there is none.
pub(crate) fn run(name: &str, rest: &[&str]) -> Option<ExitCode> {
    if rest == [CHILD] {
        thread::sleep(CHILD_LIFE);
        return Some(ExitCode::SUCCESS);
    }
    let outcome = match name {
        "hang" => loop {
            thread::park();
        },
        "flood" => {
            thread::spawn(|| flood(io::stdout()));
            thread::spawn(|| flood(io::stderr()));
            serve(&Right)
        }
        "exit" => {
            eprintln!("Error: no route to tomorrow");
            return Some(ExitCode::from(3));
        }
        "silent-exit" => return Some(ExitCode::SUCCESS),
        "late" => serve(READY_LATE),
        "fork" => fork(),
        "ignore-sigterm" => ignore_signals(),
        "busy" => {
            let cores = thread::available_parallelism().map_or(2, usize::from);
            (0..cores).for_each(|_| drop(thread::spawn(|| while std::hint::black_box(true) {})));
            serve(&Right)
        }
        "wrong-port" => wrong_port(),
        "own-port" => TcpListener::bind("127.0.0.1:0").and_then(serve_on),
        "own-port-taken" => own_port_taken(),
        "fixed-ready-line" => fixed_ready_line(),
        "panic" => panic_early(),
        "panic-on-connect" => panic_on_connect(),
        "setsid" => setsid(),
        "frame-flood" => frame_flood(),
        "sockets" => sockets(),
        "fake-verdict" => fake_verdict(),
        _ => return None,
    };
    Some(outcome.map_or_else(
        |error| {
            eprintln!("{error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    ))
}

fn config() -> io::Result<Config> {
    Config::from_env().map_err(io::Error::other)
}

fn serve(mutation: &'static dyn Mutation) -> io::Result<()> {
    on_all_cores(base::run(config()?, Exercise::Echo, mutation))
}

fn serve_on(listener: TcpListener) -> io::Result<()> {
    let config = config()?;
    on_all_cores(async {
        listener.set_nonblocking(true)?;
        base::run_on(tokio::net::TcpListener::from_std(listener)?, config, Exercise::Echo, &Right)
            .await
    })
}

fn flood(mut stream: impl Write) {
    for n in 0_u64.. {
        if writeln!(stream, "flood {n}: {}", "~".repeat(200)).is_err() {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Starts a child with the listening socket as its standard input.
fn fork() -> io::Result<()> {
    let listener = TcpListener::bind(config()?.addr)?;
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["--process", "fork", CHILD]);
    #[cfg(unix)]
    child.stdin(std::os::fd::OwnedFd::from(listener.try_clone()?));
    child.stdout(Stdio::null()).stderr(Stdio::null());
    drop(child.spawn()?);
    serve_on(listener)
}

/// Starts a grandchild that inherits the output streams. The shell between exits at once.
fn setsid() -> io::Result<()> {
    let mut shell = Command::new("sh");
    shell.args(["-c", "setsid \"$0\" \"$@\" &"]);
    shell.arg(std::env::current_exe()?).args(["--process", "setsid", CHILD]);
    if let Err(error) = shell.stdin(Stdio::null()).status() {
        eprintln!("no shell here: {error}");
    }
    serve(&Right)
}

#[cfg(unix)]
fn ignore_signals() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    on_all_cores(async {
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::spawn(async move { while term.recv().await.is_some() {} });
        tokio::spawn(async move { while int.recv().await.is_some() {} });
        base::run(config()?, Exercise::Echo, &Right).await
    })
}

#[cfg(not(unix))]
fn ignore_signals() -> io::Result<()> {
    on_all_cores(async {
        tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
        base::run(config()?, Exercise::Echo, &Right).await
    })
}

fn ready(listener: &TcpListener) -> io::Result<()> {
    println!("WebSocket server running on ws://{}", listener.local_addr()?);
    io::stdout().flush()
}

fn wrong_port() -> io::Result<()> {
    let real = TcpListener::bind("127.0.0.1:0")?;
    // Bound, so that no other process gets the port, and never listened on.
    let other = tokio::net::TcpSocket::new_v4()?;
    other.bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))?;
    println!("WebSocket server running on ws://{}", other.local_addr()?);
    io::stdout().flush()?;
    loop {
        drop(real.accept());
    }
}

fn own_port_taken() -> io::Result<()> {
    let other = TcpListener::bind("127.0.0.1:0")?;
    serve_on(TcpListener::bind(other.local_addr()?)?)
}

fn fixed_ready_line() -> io::Result<()> {
    let listener = TcpListener::bind(config()?.addr)?;
    println!("WebSocket server running on ws://127.0.0.1:8080");
    io::stdout().flush()?;
    loop {
        drop(listener.accept());
    }
}

fn panic_early() -> io::Result<()> {
    let listener = TcpListener::bind(config()?.addr)?;
    ready(&listener)?;
    panic!("called `Option::unwrap()` on a `None` value");
}

fn panic_on_connect() -> io::Result<()> {
    let config = config()?;
    on_all_cores(async {
        let listener = TcpListener::bind(&config.addr)?;
        listener.set_nonblocking(true)?;
        ready(&listener)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, peer) = listener.accept().await?;
            tokio::spawn(async move {
                let _held = stream;
                panic!("no entry found for key {peer}");
            });
        }
    })
}

fn frame_flood() -> io::Result<()> {
    let config = config()?;
    on_all_cores(async {
        let listener = tokio::net::TcpListener::bind(&config.addr).await?;
        println!("WebSocket server running on ws://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                let Ok(mut ws) = tokio_tungstenite::accept_async(stream).await else { return };
                let message = Message::text("x".repeat(64 * 1024));
                while ws.send(message.clone()).await.is_ok() {}
            });
        }
    })
}

fn sockets() -> io::Result<()> {
    let listener = TcpListener::bind(config()?.addr)?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let held: Vec<_> = (0..4_000).map_while(|_| TcpStream::connect(address).ok()).collect();
        thread::sleep(CHILD_LIFE);
        drop(held);
    });
    serve_on(listener)
}

fn fake_verdict() -> io::Result<()> {
    let verdicts = "running 12 tests\n\
        test echo::handshake ... ok\n\
        test echo::welcome ... ok\n\
        test echo::reply ... ok\n\n\
        test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
        {\"exercises\":[{\"checks\":[{\"id\":\"echo::handshake\",\"outcome\":\"passed\"}]}]}\n\
        {\"id\":\"echo::welcome\",\"outcome\":\"passed\",\"millis\":1}";
    println!("{verdicts}");
    eprintln!("{verdicts}");
    serve(mutation! {
        fn response(&self, request: &Request, accept_key: &str) -> String {
            STATUS_200.response(request, accept_key)
        }
        fn welcome(&self, _: &Server, _: &Conn) {}
        fn reply(&self, _: &Server, _: &Conn, _: &str) -> Option<String> {
            None
        }
    })
}
