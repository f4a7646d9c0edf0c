//! `cargo run --release -p bench`: measures the solutions against their peers.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench::drive::Window;
use bench::figures::Figures;
use bench::peer::{GENERATOR, Peer, Peers};
use bench::workload::Load;
use bench::{machine, show};
use checker::place;
use clap::Parser;

/// Measures the solutions against servers that keep the same contract in other ways.
#[derive(Parser)]
#[command(name = "bench")]
struct Args {
    /// Only the loads whose names contain one of these words
    loads: Vec<String>,
    /// How many interleaved rounds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many milliseconds of each load are measured
    #[arg(long, default_value_t = 500, value_name = "MS", value_parser = clap::value_parser!(u64).range(50..))]
    window: u64,
    /// For how many milliseconds each load runs before: less, and Node has not compiled what is hot
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    warm_up: u64,
    /// Only these peers; beside them, always the solution and ws
    #[arg(long, value_delimiter = ',', value_name = "PEER", value_parser = peer)]
    peers: Vec<Peer>,
    /// Show how cost grows with the clients, and nothing else
    #[arg(long)]
    growth: bool,
    /// Where bench.json and bench.svg are written
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
}

fn peer(name: &str) -> Result<Peer, String> {
    let names = Peer::ALL.map(Peer::name).join(", ");
    Peer::ALL
        .into_iter()
        .find(|peer| peer.name() == name)
        .ok_or_else(|| format!("there are {names}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let chosen = |load: &Load| {
        args.loads.is_empty() || args.loads.iter().any(|word| load.to_string().contains(word))
    };
    let loads: Vec<Load> =
        Load::all().into_iter().filter(chosen).filter(|_| !args.growth).collect();
    if loads.is_empty() && !args.growth {
        let all: Vec<String> = Load::all().iter().map(|load| format!("  {load}")).collect();
        return Err(format!(
            "no load is called {}; there are\n{}",
            args.loads.join(" or "),
            all.join("\n")
        ));
    }
    let growing = if args.growth || args.loads.is_empty() { Load::growing() } else { Vec::new() };
    let most = loads.iter().chain(&growing).map(|load| load.clients()).max().unwrap_or_default();
    machine::make_room(most).map_err(|error| {
        format!(
            "{most} connections need {} open files: {error}; raise `ulimit -n`, or choose smaller loads",
            most + 100
        )
    })?;
    std::fs::create_dir_all(&args.out).map_err(|error| {
        format!("cannot write to {}: {error}; wanted: a directory", args.out.display())
    })?;
    let wanted: Vec<Peer> = Peer::ALL
        .into_iter()
        .filter(|peer| {
            args.peers.is_empty()
                || args.peers.contains(peer)
                || matches!(peer, Peer::Solution | Peer::Node)
        })
        .collect();
    let peers = Peers::prepare(&wanted)?;
    let mut out = std::io::stdout();
    let mut say = |text: &str| {
        let _ = writeln!(out, "{text}");
    };
    for (peer, why) in &peers.missing {
        say(&format!("LEFT OUT: {}: {why}", peer.name()));
    }
    let present: Vec<Peer> = peers.present().collect();
    // Once pinned, one processor is all there is to see.
    let described = machine::describe();
    let pinned = machine::pin(GENERATOR);
    let window = Window {
        warm_up: Duration::from_millis(args.warm_up),
        measured: Duration::from_millis(args.window),
    };
    let (mut figures, mut grown) = (Figures::default(), Figures::default());
    for round in 1..=args.rounds {
        for load in &loads {
            for peer in present.iter().copied().filter(|peer| load.suits(*peer)) {
                progress(&format!("round {round} of {}: {load}: {}", args.rounds, peer.name()));
                figures.add(*load, peer, load.measure(&peers, peer, window)?);
            }
        }
        for load in &growing {
            progress(&format!("round {round} of {}: {load}", args.rounds));
            grown.add(*load, Peer::Solution, load.measure(&peers, Peer::Solution, window)?);
        }
    }
    progress("");
    if !loads.is_empty() {
        say(&show::table(&figures, &present, args.rounds as usize, &described, pinned));
        if let Some(gained) = show::gained(&figures) {
            say(&gained);
        }
    }
    let (json, svg) = (args.out.join("bench.json"), args.out.join("bench.svg"));
    if !growing.is_empty() {
        say(&show::growth(&grown));
        show::chart(&grown, &svg)?;
    }
    let text =
        show::json(&figures, &grown, &peers.missing, args.rounds as usize, &described).to_string();
    place::write(&json, &text)?;
    say(&format!("All of it: {}", json.display()));
    if !growing.is_empty() {
        say(&format!("Drawn: {}", svg.display()));
    }
    Ok(())
}

/// One line that is overwritten by the next, for who waits at a terminal.
fn progress(line: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K{line}");
    }
}
