//! `cargo run --release -p bench`: measures the solutions and `solution-fast` against their peers.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bench::drive::Window;
use bench::figures::Figures;
use bench::peer::{GENERATOR, Peer, Peers};
use bench::show::Conditions;
use bench::workload::Load;
use bench::{machine, show};
use checker::place;
use clap::Parser;

/// Measures the solutions and the tuned server against other servers with the same contract
#[derive(Parser)]
#[command(name = "bench")]
struct Args {
    /// Measure only loads with one of these words in their name
    loads: Vec<String>,
    /// Number of rounds; in each round, the servers take turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measured milliseconds of each load
    #[arg(long, default_value_t = 300, value_name = "MS",
        value_parser = clap::value_parser!(u64).range(50..))]
    window: u64,
    /// Milliseconds of each load before the measurement; Node needs them to compile its hot code
    #[arg(long, default_value_t = 750, value_name = "MS")]
    warm_up: u64,
    /// Measure only these peers, beside solution, fast and ws
    #[arg(long, value_delimiter = ',', value_name = "PEER", value_parser = peer)]
    peers: Vec<Peer>,
    /// Measure only how the cost of `fast` grows with its clients
    #[arg(long, conflicts_with_all = ["steps", "loads", "peers"])]
    growth: bool,
    /// Measure only the steps from the plain server to `fast`, against ws
    #[arg(long, conflicts_with = "peers")]
    steps: bool,
    /// Folder for bench.json and bench.svg
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    out: PathBuf,
}

fn peer(name: &str) -> Result<Peer> {
    let names = Peer::ALL.map(|peer| peer.to_string()).join(", ");
    let found = Peer::ALL.into_iter().find(|peer| peer.to_string() == name);
    found.ok_or_else(|| anyhow!("the peers are {names}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the loads that the words choose.
fn chosen(all: &[Load], words: &[String]) -> Result<Vec<Load>> {
    let matches =
        |load: &&Load| words.is_empty() || words.iter().any(|word| load.to_string().contains(word));
    let loads: Vec<Load> = all.iter().filter(matches).copied().collect();
    if loads.is_empty() {
        let names: Vec<String> = all.iter().map(|load| format!("  {load}")).collect();
        bail!("no load is called {}; the loads are\n{}", words.join(" or "), names.join("\n"));
    }
    Ok(loads)
}

fn run(args: &Args) -> Result<()> {
    let all = if args.steps { &Load::STEPS[..] } else { &Load::ALL[..] };
    let loads = if args.growth { Vec::new() } else { chosen(all, &args.loads)? };
    let growth = if args.growth { Load::growth() } else { Vec::new() };

    let most = loads.iter().chain(&growth).map(|load| load.clients()).max().unwrap_or_default();
    let files = most as u64 + 100;
    machine::allow_files(files).with_context(|| {
        format!("{files} open files are needed; raise `ulimit -n` or choose smaller loads")
    })?;
    fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot write to {} (expected a folder)", args.out.display()))?;

    let wanted = |peer: &Peer| match peer {
        Peer::Node => true,
        Peer::Solution | Peer::Fast => !args.steps,
        _ => !args.steps && (args.peers.is_empty() || args.peers.contains(peer)),
    };
    let wanted: Vec<Peer> = Peer::ALL.into_iter().filter(wanted).collect();
    let mut peers = Peers::prepare(&wanted)?;
    let steps = if args.steps { peers.prepare_steps()? } else { Vec::new() };
    for (peer, why) in &peers.missing {
        print(&format!("{peer} is not measured: {why}"));
    }
    let present: Vec<Peer> = peers.present().collect();

    // Described before pinning: a pinned process sees one processor.
    let machine = machine::describe();
    let pinned = machine::pin(GENERATOR);
    let conditions = Conditions { machine, rounds: args.rounds, pinned };
    let window = Window {
        warm_up: Duration::from_millis(args.warm_up),
        measured: Duration::from_millis(args.window),
    };
    let (mut figures, mut grown) = (Figures::default(), Figures::default());
    for round in 1..=args.rounds {
        let measure = |load: Load, peer: Peer| {
            progress(&format!("round {round} of {}: {load}: {peer}", args.rounds));
            load.measure(&peers, peer, window).with_context(|| format!("{peer}, {load}"))
        };
        for load in &loads {
            for peer in present.iter().copied().filter(|peer| load.suits(*peer)) {
                figures.add(*load, peer, measure(*load, peer)?);
            }
        }
        for load in &growth {
            grown.add(*load, Peer::Fast, measure(*load, Peer::Fast)?);
        }
    }
    progress("");

    print(&conditions.render());
    if args.steps {
        print(&show::steps(&figures, &steps));
    } else if !loads.is_empty() {
        print(&show::table(&figures, &present));
        if let Some(targets) = show::targets(&figures) {
            print(&targets);
        }
    }
    let (json, svg) = (args.out.join("bench.json"), args.out.join("bench.svg"));
    if !growth.is_empty() {
        print(&show::growth(&grown));
        show::chart(&grown, &svg)
            .map_err(|error| anyhow!("cannot draw {}: {error}", svg.display()))?;
    }
    let text = show::json(&figures, &grown, &peers.missing, &conditions).to_string();
    place::write(&json, &text).map_err(|why| anyhow!("{why}"))?;
    print(&format!("All samples: {}", json.display()));
    if !growth.is_empty() {
        print(&format!("Chart: {}", svg.display()));
    }
    Ok(())
}

fn print(text: &str) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Overwrites the progress line, if stderr is a terminal.
fn progress(line: &str) {
    let mut err = io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K{line}");
    }
}
