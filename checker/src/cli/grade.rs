//! `cargo checker grade`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use tokio::sync::mpsc;

use super::class::convert;
use super::{
    CliError, TargetArg, UNKNOWN, USAGE, commanded, complain, fresh_seed, progress, select,
    with_spinner,
};
use crate::grade::{self, Graded, Outcome};
use crate::place;
use crate::plan::{self, Plan};
use crate::report::human::Layout;
use crate::report::json::Totals;
use crate::report::tally::Tally;
use crate::report::{brief, html, human, json, timings};
use crate::state;
use crate::terminal;
use checks::Check;
use harness::exercise::Target;

#[derive(Args)]
pub(super) struct GradeArgs {
    /// Exercises (echo, heartbeat, broadcast) or checks (echo::reply); all if none is named
    #[arg(value_name = "EXERCISE|CHECK")]
    what: Vec<String>,
    /// The servers to grade
    #[arg(long, value_enum, default_value_t = TargetArg::Day1)]
    target: TargetArg,
    /// Grade this program instead, in any language, against one exercise: see lessons/contract.md
    #[arg(long, value_name = "CMD ARGS", conflicts_with = "target")]
    command: Option<String>,
    /// Show all failures, not only the first of the first unfinished exercise
    #[arg(long)]
    all: bool,
    /// Show the contract's row of each failure as well
    #[arg(long)]
    verbose: bool,
    /// The format of the verdicts
    #[arg(long, value_enum, default_value_t = Verdicts::Human)]
    format: Verdicts,
    /// Repeat a run: all payloads, sizes and numbers of clients follow from its seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Grade this many times, each time with another seed, and count the failures
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..),
        conflicts_with_all = ["format", "html", "all"])]
    repeat: Option<u16>,
    /// Also write a page with all failures, which needs no network
    #[arg(long, value_name = "FILE.html")]
    html: Option<PathBuf>,
    /// Show where the time went
    #[arg(long)]
    timings: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Verdicts {
    /// For people
    Human,
    /// One JSON object on stdout
    Json,
    /// Gradescope's results.json
    Gradescope,
    /// Classroom 50's result.json
    Classroom50,
    /// JUnit XML
    Junit,
    /// A table with a line for each check
    Csv,
    /// PrairieLearn's results.json
    Prairielearn,
    /// Exercism's results.json, version 3
    Exercism,
    /// A summary for GitHub Actions, in Markdown
    GithubSummary,
    /// Annotations for GitHub Actions
    GithubAnnotations,
}

/// Grades the servers and prints the verdicts.
pub(super) async fn run(args: GradeArgs) -> ExitCode {
    let checks = match select(&args.what) {
        Ok(checks) => checks,
        Err(code) => return code,
    };
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let began = Instant::now();
    let plan = match &args.command {
        Some(command) => command_plan(checks, command, seed),
        None => {
            let building = plan::build_plan(checks, args.target.into(), seed);
            with_spinner("building", building)
                .await
                .map(Plan::remember_uptime)
                .map_err(|error| CliError::new(UNKNOWN, error))
        }
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => return error.exit(),
    };
    if let Some(runs) = args.repeat {
        return repeat(&plan, runs, servers(&args)).await;
    }
    let target = plan.target;
    let spared = plan.with_known_uptime();
    let built = began.elapsed();
    let graded = with_progress(plan).await;
    if target == Some(Target::Day1) {
        // An error only makes `list` and `hint` show older verdicts.
        let _ = state::remember(&graded);
    }
    let totals = Totals::of(&graded);
    let layout = Layout { verbose: args.verbose, ..Layout::default() };
    let mut out = terminal::stdout();
    let written = match args.format {
        Verdicts::Json => {
            let text = serde_json::to_string_pretty(&json::result(&graded, seed))
                .expect("results can be written as JSON");
            writeln!(io::stdout(), "{text}")
        }
        Verdicts::Human if !args.all => {
            write!(out, "{}", brief::report(&graded, target, seed, layout))
        }
        Verdicts::Human => {
            let failures = graded.iter().filter_map(|graded| match &graded.outcome {
                Outcome::Failed(report) => Some(human::failure_in(graded, report, layout)),
                _ => None,
            });
            let failures: Vec<String> = failures.collect();
            let failures = failures.join("\n");
            let overview = human::overview(&graded);
            write!(
                out,
                "{overview}{failures}{}{}",
                if failures.is_empty() { "" } else { "\n" },
                human::next_step(&graded, target, seed)
            )
        }
        platform => {
            let format = platform.to_possible_value().expect("no format is hidden");
            let text = serde_json::to_vec(&json::result(&graded, seed))
                .expect("results can be written as JSON");
            match convert(format.get_name(), &text) {
                Ok(text) => io::stdout().write_all(&text),
                Err(message) => return complain(UNKNOWN, &message),
            }
        }
    };
    if let Some(path) = &args.html
        && let Err(message) = place::write(path, &html::page(&graded, seed))
    {
        return complain(UNKNOWN, message);
    }
    if args.timings {
        let mut err = anstream::stderr().lock();
        let _ = write!(err, "\n{}", timings::table(&graded, built, began.elapsed(), &spared));
    }
    match written {
        // An error means that the reader closed the pipe.
        Ok(()) | Err(_) => ExitCode::from(totals.exit_code()),
    }
}

fn command_plan(checks: Vec<&'static Check>, command: &str, seed: u64) -> Result<Plan, CliError> {
    let exercise = checks[0].exercise;
    if checks.iter().any(|check| check.exercise != exercise) {
        let message = "--command grades one program against one exercise: name it, \
                       as in `cargo checker grade echo --command …`";
        return Err(CliError::new(USAGE, message));
    }
    let programs = BTreeMap::from([(exercise, Ok(commanded(command)?))]);
    Ok(Plan { checks, programs, target: None, seed })
}

/// Returns the arguments that select the servers again, each after a space.
fn servers(args: &GradeArgs) -> String {
    match (&args.command, args.target) {
        (Some(command), _) if command.contains('"') => format!(" --command '{command}'"),
        (Some(command), _) => format!(" --command \"{command}\""),
        (None, TargetArg::Solutions) => " --target solutions".to_string(),
        (None, TargetArg::Day1) => String::new(),
    }
}

/// Grades with one seed after the other, and counts the failures of each check.
async fn repeat(plan: &Plan, runs: u16, servers: String) -> ExitCode {
    let mut tally = Tally::new(plan.checks.iter().map(|check| check.id), servers);
    let mut code = 0;
    for run in 0..u64::from(runs) {
        let seed = plan.seed.wrapping_add(run);
        progress(&format!("run {} of {runs} …", run + 1));
        let graded = grade::grade_all(Plan { seed, ..plan.clone() }).await;
        code = match (code, Totals::of(&graded).exit_code()) {
            (1, _) | (_, 1) => 1,
            (before, now) => before.max(now),
        };
        tally.add(&graded, seed);
    }
    progress("");
    let _ = write!(terminal::stdout(), "{tally}");
    ExitCode::from(code)
}

/// Grades, and shows the progress on a terminal.
async fn with_progress(plan: Plan) -> Vec<Graded> {
    let order: Vec<&str> = plan.checks.iter().map(|check| check.id).collect();
    let (done, mut verdicts) = mpsc::unbounded_channel();
    let grading = tokio::spawn(grade::grade(plan, done));
    let mut graded: Vec<Graded> = Vec::new();
    loop {
        let open: Vec<&str> = order
            .iter()
            .copied()
            .filter(|id| graded.iter().all(|graded| graded.check.id != *id))
            .collect();
        let Some(waiting) = open.first() else { break };
        let text = format!("{} of {} checks, waiting for {waiting}", graded.len(), order.len());
        match with_spinner(&text, verdicts.recv()).await {
            Some(verdict) => graded.push(verdict),
            None => break,
        }
    }
    let _ = grading.await;
    progress("");
    graded.sort_by_key(|graded| order.iter().position(|id| *id == graded.check.id));
    graded
}
