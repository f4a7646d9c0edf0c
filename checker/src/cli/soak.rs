//! `cargo checker soak`.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use tokio::sync::mpsc;

use super::{UNKNOWN, complain, fresh_seed, progress, select};
use crate::stress::{self, FlakyVerdict, Load, Round};
use crate::terminal;

#[derive(Args, Clone)]
pub(super) struct SoakArgs {
    /// Exercises (echo, heartbeat, broadcast) or checks (echo::reply); all if none is named
    #[arg(value_name = "EXERCISE|CHECK")]
    what: Vec<String>,
    /// How often to grade each right server
    #[arg(long, value_name = "N", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Keep every core busy while grading
    #[arg(long)]
    load: bool,
    /// How many servers to grade at a time
    #[arg(long, value_name = "N", default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// The first run's seed; the others follow
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Grades right servers repeatedly, and prints each verdict other than `passed`.
pub(super) async fn run(args: SoakArgs) -> ExitCode {
    let checks = match select(&args.what) {
        Ok(checks) => checks,
        Err(code) => return code,
    };
    progress("building …");
    let (candidates, missing) = match stress::candidates(&checks).await {
        Ok(candidates) => candidates,
        Err(error) => return complain(UNKNOWN, error),
    };
    for why in missing {
        progress("");
        let _ = writeln!(anstream::stderr(), "{why}");
    }
    let _load = args.load.then(Load::start);
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let servers = candidates.len();
    let (done, mut rounds) = mpsc::unbounded_channel();
    let soaking = tokio::spawn(stress::soak(candidates, args.runs, args.jobs.into(), seed, done));
    let mut tally = Tally {
        servers,
        args,
        seed,
        began: Instant::now(),
        gradings: 0,
        verdicts: 0,
        mishaps: Vec::new(),
    };
    while let Some(round) = rounds.recv().await {
        tally.add(round);
    }
    let _ = soaking.await;
    tally.code()
}

/// Counts the verdicts. Printed when dropped, so that Ctrl-C does not lose hours of grading.
struct Tally {
    servers: usize,
    args: SoakArgs,
    seed: u64,
    began: Instant,
    gradings: usize,
    verdicts: usize,
    mishaps: Vec<FlakyVerdict>,
}

impl Tally {
    fn all(&self) -> usize {
        self.servers * self.args.runs as usize
    }

    fn add(&mut self, round: Round) {
        self.gradings += 1;
        self.verdicts += round.verdicts;
        if !std::io::stderr().is_terminal() {
            // A log shows a mishap at once.
            let _ = write!(std::io::stderr(), "{}", render(&round.mishaps));
        }
        self.mishaps.extend(round.mishaps);
        let so_far =
            format!("{} of {} gradings, {} mishaps", self.gradings, self.all(), self.mishaps.len());
        progress(&so_far);
        if !std::io::stderr().is_terminal() && self.gradings.is_multiple_of(self.servers) {
            // A log has a line for each run.
            let _ = writeln!(std::io::stderr(), "{so_far}");
        }
    }

    fn failed(&self) -> usize {
        self.mishaps.iter().filter(|mishap| mishap.outcome == "failed").count()
    }

    fn code(&self) -> ExitCode {
        ExitCode::from(match self.failed() {
            0 if self.mishaps.is_empty() && self.gradings == self.all() => 0,
            0 => UNKNOWN,
            _ => 1,
        })
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        progress("");
        let (failed, load) = (self.failed(), if self.args.load { " under load" } else { "" });
        let unknown = self.mishaps.len() - failed;
        let interrupted = match self.gradings {
            all if all == self.all() => String::new(),
            some => format!("interrupted after {some} of {} gradings: ", self.all()),
        };
        let mut out = terminal::stdout();
        let _ = write!(out, "{}", render(&self.mishaps));
        let _ = writeln!(
            out,
            "{interrupted}{} right servers, {} runs each{load}, seeds from {}: \
             {} verdicts in {:.0} s, {failed} failures, {unknown} unknown ({:.2} %)",
            self.servers,
            self.args.runs,
            self.seed,
            self.verdicts,
            self.began.elapsed().as_secs_f64(),
            unknown as f64 * 100.0
                / f64::from(u32::try_from(self.verdicts.max(1)).unwrap_or(u32::MAX)),
        );
    }
}

/// Renders the mishaps by check, each with the seed that repeats it.
fn render(mishaps: &[FlakyVerdict]) -> String {
    let mut by_check: BTreeMap<&str, Vec<&FlakyVerdict>> = BTreeMap::new();
    for mishap in mishaps {
        by_check.entry(mishap.check).or_default().push(mishap);
    }
    let mut out = String::new();
    for (check, mishaps) in by_check {
        out.push_str(&format!("{check}: {}\n", mishaps.len()));
        for FlakyVerdict { candidate, seed, outcome, said, .. } in mishaps {
            out.push_str(&format!("  {outcome} on {candidate}, seed {seed}: {said}\n"));
        }
    }
    out
}
