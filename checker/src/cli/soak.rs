//! `cargo checker soak`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use tokio::sync::mpsc;

use super::{UNKNOWN, complain, fresh_seed, progress};
use crate::soak::{self, Load, Mishap};

#[derive(Args)]
pub(super) struct SoakArgs {
    /// How often to grade each right server
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Keep every core busy meanwhile
    #[arg(long)]
    load: bool,
    /// How many servers to grade at a time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// The first run's seed; the others follow
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Grades right servers again and again, and tells what did not pass.
pub(super) async fn run(args: SoakArgs) -> ExitCode {
    progress("building …");
    let (candidates, missing) = match soak::candidates().await {
        Ok(candidates) => candidates,
        Err(error) => return complain(UNKNOWN, &error),
    };
    for why in missing {
        progress("");
        let _ = writeln!(anstream::stderr(), "{why}");
    }
    let _load = args.load.then(Load::start);
    let began = Instant::now();
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let all = candidates.len() * args.runs as usize;
    let servers = candidates.len();
    let (done, mut rounds) = mpsc::unbounded_channel();
    let soaking = tokio::spawn(soak::soak(candidates, args.runs, args.jobs.into(), seed, done));
    let (mut count, mut verdicts, mut mishaps) = (0, 0, Vec::new());
    while let Some(round) = rounds.recv().await {
        count += 1;
        verdicts += round.verdicts;
        mishaps.extend(round.mishaps);
        progress(&format!("{count} of {all} gradings, {} mishaps", mishaps.len()));
    }
    let _ = soaking.await;
    progress("");
    let failed = mishaps.iter().filter(|mishap| mishap.outcome == "failed").count();
    let unknown = mishaps.len() - failed;
    let mut out = anstream::stdout().lock();
    let _ = write!(out, "{}", told(&mishaps));
    let _ = writeln!(
        out,
        "{servers} right servers, {} runs each{}, seeds from {seed}: {verdicts} verdicts in {:.0} s, {failed} failures, {unknown} unknown ({:.2} %)",
        args.runs,
        if args.load { " under load" } else { "" },
        began.elapsed().as_secs_f64(),
        unknown as f64 * 100.0 / f64::from(u32::try_from(verdicts).unwrap_or(u32::MAX)),
    );
    ExitCode::from(if failed > 0 {
        1
    } else if unknown > 0 {
        UNKNOWN
    } else {
        0
    })
}

/// The mishaps by check, each with what repeats it.
fn told(mishaps: &[Mishap]) -> String {
    let mut by_check: BTreeMap<&str, Vec<&Mishap>> = BTreeMap::new();
    for mishap in mishaps {
        by_check.entry(mishap.check).or_default().push(mishap);
    }
    let mut out = String::new();
    for (check, mishaps) in by_check {
        out.push_str(&format!("{check}: {}\n", mishaps.len()));
        for Mishap { candidate, seed, outcome, summary, .. } in mishaps {
            out.push_str(&format!("  {outcome} on {candidate}, seed {seed}: {summary}\n"));
        }
    }
    out
}
