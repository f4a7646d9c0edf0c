//! `cargo checker race`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use baseline::transports::remote::RemoteServer;
use baseline::transports::server::{Baseline, PushServer};
use checker::cli::{CliError, TargetArg, UNKNOWN, USAGE, commanded, fresh_seed, progress};
use checker::place;
use checker::plan;
use checker::report::words::words;
use harness::exercise::{Exercise, Target};
use harness::server::build::workspace;
use harness::verdict::{CheckError, CheckResult};
use race::run::{self, Settings};
use race::summary::Race;
use race::{chart, csv, page, table};

/// Exit code for a server that fails.
const FAILED: u8 = 1;

/// Arguments of `race`.
#[derive(Args)]
pub(crate) struct RaceArgs {
    /// The `broadcast` server of the race
    #[arg(long, value_enum, default_value_t = TargetArg::Day1)]
    target: TargetArg,
    /// Race this program instead, in any language
    #[arg(long, value_name = "CMD ARGS", conflicts_with = "target")]
    command: Option<String>,
    /// Race a server that already runs
    #[arg(long, value_name = "ws://HOST:PORT", conflicts_with_all = ["target", "command"])]
    url: Option<String>,
    /// Race for 5 s instead of 20: less precise
    #[arg(long)]
    quick: bool,
    /// The round-trip time of all clients, in milliseconds
    #[arg(
        long,
        value_name = "MILLIS",
        default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(..=2_000)
    )]
    rtt: u64,
    /// The average time between events, in milliseconds
    #[arg(
        long,
        value_name = "MILLIS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(5..=1_000)
    )]
    every: u64,
    /// Open a new connection for each polling request, instead of keeping one
    #[arg(long)]
    reconnect: bool,
    /// Repeat a race: all times and messages follow from its seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The format of the result
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Also draw a chart
    #[arg(long, value_name = "FILE.svg")]
    chart: Option<PathBuf>,
    /// Also write a page, which needs no network
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
}

/// The format of a race's result.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON object on stdout
    Json,
    /// Every single message
    Csv,
}

/// Runs a race and prints the result.
pub(crate) async fn run(args: RaceArgs) -> ExitCode {
    match race(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.exit(),
    }
}

async fn race(args: &RaceArgs) -> Result<(), CliError> {
    // A path that cannot be written is reported before the race, not 20 seconds later.
    for path in [&args.chart, &args.html].into_iter().flatten() {
        place::try_out(path).map_err(inconclusive)?;
    }
    let race = measure(args).await.map_err(|error| explain(args, error))?;
    write_results(args, &race)
}

/// Names a TODO that is left as the reason why a student's server did not finish the race.
fn explain(args: &RaceArgs, error: CliError) -> CliError {
    let is_students = args.url.is_none() && args.command.is_none();
    let target = Target::from(args.target);
    if !is_students || target != Target::Day1 || error.code == USAGE {
        return error;
    }
    let source = Exercise::Broadcast.source(target);
    let text = std::fs::read_to_string(workspace().join(&source)).unwrap_or_default();
    match text.contains("todo!(") {
        true => CliError::new(
            FAILED,
            format!("not started: {source} still has a todo!(); try --target solutions"),
        ),
        false => error,
    }
}

async fn measure(args: &RaceArgs) -> Result<Race, CliError> {
    let (pushed, server) = push_server(args).await?;
    let baseline = std::env::current_exe().map_err(|error| {
        CliError::new(UNKNOWN, format!("cannot find the path of this program: {error}"))
    })?;
    let seconds = |full, quick| Duration::from_secs(if args.quick { quick } else { full });
    let settings = Settings {
        seed: args.seed.unwrap_or_else(fresh_seed),
        window: seconds(12, 1),
        apart: Duration::from_millis(args.every),
        rtt: Duration::from_millis(args.rtt),
        reconnect: args.reconnect,
        pushed,
        server,
        baseline: Baseline::Program(baseline),
        subscribers: vec![1, 10, 100],
    };
    // All clients share one thread. Otherwise the time that threads take to wake each other would
    // be measured, too.
    let racing = tokio::task::spawn_blocking(move || -> CheckResult<Race> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let race = runtime.block_on(run::run(&settings, &|text| progress(&text)));
        runtime.shutdown_background();
        race
    });
    let race = racing
        .await
        .map_err(|error| CliError::new(UNKNOWN, format!("the race broke off: {error}")))?;
    progress("");
    race.map_err(|error| match error {
        CheckError::Failed(failure) => CliError::new(FAILED, words(&failure).headline),
        CheckError::Inconclusive(reason) | CheckError::HostBusy(reason) => {
            CliError::new(UNKNOWN, reason)
        }
    })
}

/// Returns the WebSocket server that takes part, and its name in the results.
async fn push_server(args: &RaceArgs) -> Result<(PushServer, String), CliError> {
    if let Some(url) = &args.url {
        return Ok((PushServer::Remote(RemoteServer::resolve(url).await?), url.clone()));
    }
    if let Some(command) = &args.command {
        return Ok((PushServer::Program(commanded(command)?), command.clone()));
    }
    let target = Target::from(args.target);
    progress("building …");
    let checks = checks::find("latency::push").into_iter().collect();
    let mut plan = plan::build_plan(checks, target, 0).await.map_err(inconclusive)?;
    let source = Exercise::Broadcast.source(target);
    match plan.programs.remove(&Exercise::Broadcast) {
        Some(Ok(program)) => Ok((PushServer::Program(program), source)),
        Some(Err(failure)) => Err(CliError::new(
            FAILED,
            format!("{source} does not compile: {}", words(&failure).got),
        )),
        None => Err(CliError::new(UNKNOWN, format!("cargo reported nothing about {source}"))),
    }
}

fn write_results(args: &RaceArgs, race: &Race) -> Result<(), CliError> {
    let drawing = chart::svg(&chart::figure(race)).map_err(inconclusive)?;
    if let Some(path) = &args.chart {
        place::write(path, &drawing).map_err(inconclusive)?;
    }
    if let Some(path) = &args.html {
        place::write(path, &page::html(race, &drawing)).map_err(inconclusive)?;
    }
    let text = match args.format {
        Format::Human => table::table(race),
        Format::Json => {
            serde_json::to_string_pretty(race).expect("a race can be written as JSON") + "\n"
        }
        Format::Csv => csv::csv(race).map_err(inconclusive)?,
    };
    // An error means that the reader has closed the pipe: it has read enough.
    let _ = anstream::stdout().write_all(text.as_bytes());
    Ok(())
}

fn inconclusive(error: impl ToString) -> CliError {
    CliError::new(UNKNOWN, error)
}
