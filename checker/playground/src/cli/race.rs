//! `cargo checker race`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use baseline::transports::server::{Baseline, PushServer};
use checker::cli::live::{RaceArgs, RaceFormat};
use checker::cli::{UNKNOWN, commanded, complain, fresh_seed, progress};
use checker::place;
use checker::plan;
use checker::report::words::words;
use harness::exercise::{Exercise, Target};
use harness::verdict::{CheckError, CheckResult};
use playground::race::run::{self, Settings};
use playground::race::summary::Race;
use playground::race::{chart, csv, page, table};

use super::far::{Far, far};

/// Exit code for a server that fails.
const FAILED: u8 = 1;

/// Races and tells.
pub(crate) async fn run(args: RaceArgs) -> ExitCode {
    let told = async {
        // Before the race, and not after it, one wants to hear that its picture can't be kept.
        for path in [&args.chart, &args.html].into_iter().flatten() {
            place::try_out(path).map_err(|error| (UNKNOWN, error))?;
        }
        let race = raced(&args).await?;
        tell(&args, &race).map_err(|error| (UNKNOWN, error))
    };
    match told.await {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, message)) => complain(code, &message),
    }
}

async fn raced(args: &RaceArgs) -> Result<Race, (u8, String)> {
    let (pushed, server) = pushed(args).await?;
    let baseline = std::env::current_exe()
        .map_err(|error| (UNKNOWN, format!("no way to start myself: {error}")))?;
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
    // All clients on one thread: what is measured is not how threads wake each other.
    let racing = tokio::task::spawn_blocking(move || -> CheckResult<Race> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let race = runtime.block_on(run::run(&settings, &|text| progress(&text)));
        runtime.shutdown_background();
        race
    });
    let race = racing.await.map_err(|error| (UNKNOWN, format!("the race broke off: {error}")))?;
    progress("");
    race.map_err(|error| match error {
        CheckError::Failed(failure) => (FAILED, words(&failure).headline),
        CheckError::Inconclusive(reason) | CheckError::HostBusy(reason) => (UNKNOWN, reason),
    })
}

/// The server that takes part, and what to call it.
async fn pushed(args: &RaceArgs) -> Result<(PushServer, String), (u8, String)> {
    if let Some(url) = &args.url {
        let Far { endpoint, host, path } = far(url).await?;
        return Ok((PushServer::Far { endpoint, host, path }, url.clone()));
    }
    if let Some(command) = &args.command {
        return Ok((PushServer::Program(commanded(command)?), command.clone()));
    }
    let target = Target::from(args.target);
    progress("building …");
    let checks = checks::find("latency::push").into_iter().collect();
    let mut plan =
        plan::build_plan(checks, target, 0).await.map_err(|error| (UNKNOWN, error.to_string()))?;
    let source = Exercise::Broadcast.source(target);
    match plan.programs.remove(&Exercise::Broadcast) {
        Some(Ok(program)) => Ok((PushServer::Program(program), source)),
        Some(Err(failure)) => Err((FAILED, format!("{source} does not compile: {}", failure.got))),
        None => Err((UNKNOWN, format!("cargo said nothing about {source}"))),
    }
}

fn tell(args: &RaceArgs, race: &Race) -> Result<(), String> {
    let drawing = chart::svg(&chart::figure(race))?;
    if let Some(path) = &args.chart {
        place::write(path, &drawing)?;
    }
    if let Some(path) = &args.html {
        place::write(path, &page::html(race, &drawing))?;
    }
    let text = match args.format {
        RaceFormat::Human => table::table(race),
        RaceFormat::Json => {
            serde_json::to_string_pretty(race).expect("a race can be written as JSON") + "\n"
        }
        RaceFormat::Csv => csv::csv(race),
    };
    // Whoever closed the pipe has read enough.
    let _ = anstream::stdout().write_all(text.as_bytes());
    Ok(())
}
