//! `cargo test -p checker`: the student's grade. Test names are the ids of the checks.
//!
//! `CHECKER_TARGET=solutions` grades the solutions instead, `CHECKER_SEED=N` repeats a run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::process::{ExitCode, exit};
use std::sync::{Arc, Mutex, mpsc};

use checker::cli::fresh_seed;
use checker::grade::{self, Graded, Outcome};
use checker::interrupt::{INTERRUPTED, interrupted};
use checker::plan;
use checker::report::human;
use checker::report::json::Totals;
use checker::state;
use checker::terminal;
use harness::exercise::Target;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

const USAGE: u8 = 2;
const UNKNOWN: u8 = 3;

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    let (target, seed) = match (target(), seed()) {
        (Ok(target), Ok(seed)) => (target, seed),
        (Err(message), _) | (_, Err(message)) => {
            eprintln!("error: {message}");
            return ExitCode::from(USAGE);
        }
    };
    let selected: BTreeSet<&'static str> = checks::all()
        .iter()
        .map(|check| check.id)
        .filter(|id| !args.is_filtered_out(&Trial::test(*id, || Ok(()))))
        .collect();
    if selected.is_empty() {
        // Tools list ignored tests separately. There are none, which is no error.
        if args.list && args.ignored {
            return ExitCode::SUCCESS;
        }
        let why = match args.filter {
            _ if args.ignored => "`--ignored` leaves no check to run; try without".to_string(),
            Some(filter) if args.skip.is_empty() => {
                format!(
                    "no check's name contains `{filter}`; \
                     try echo::, heartbeat::, broadcast:: or latency::"
                )
            }
            _ => "`--skip` leaves no check to run; try without".to_string(),
        };
        eprintln!("error: {why}");
        return ExitCode::from(USAGE);
    }
    // The prerequisites of the selected checks are run and shown, too.
    let checks = plan::with_needs(selected);
    (args.filter, args.exact, args.skip) = (None, false, Vec::new());
    // One thread waits for the verdicts in the contract's order, so failures stand in that order.
    args.test_threads = Some(1);
    let ids: Vec<&'static str> = checks.iter().map(|check| check.id).collect();

    let verdicts = Arc::new(Mutex::new(BTreeMap::new()));
    let mut senders = HashMap::new();
    let mut trials = Vec::new();
    for id in ids {
        let (sender, receiver) = mpsc::channel::<Graded>();
        senders.insert(id, sender);
        let verdicts = verdicts.clone();
        trials.push(Trial::ignorable_test(id, move || {
            let graded =
                receiver.recv().map_err(|_| Failed::from("the checker gave no verdict"))?;
            let result = trial_result(&graded);
            verdicts.lock().expect("no panic holds it").insert(graded.check.id, graded);
            result
        }));
    }
    if args.list {
        libtest_mimic::run(&args, trials).exit();
    }

    std::thread::spawn(move || run(checks, target, seed, senders));
    let conclusion = libtest_mimic::run(&args, trials);
    let graded: Vec<Graded> = {
        let mut verdicts = verdicts.lock().expect("no panic holds it");
        checks::all().iter().filter_map(|check| verdicts.remove(check.id)).collect()
    };
    if target == Target::Day1 {
        // For `cargo checker list` and `hint`. An error only makes them show older verdicts.
        let _ = state::remember(&graded);
    }
    let _ = write!(terminal::stdout(), "{}", human::next_step(&graded, Some(target), seed));
    if conclusion.has_failed() {
        return conclusion.exit_code();
    }
    ExitCode::from(Totals::of(&graded).exit_code())
}

fn target() -> Result<Target, String> {
    let Some(name) = std::env::var_os("CHECKER_TARGET") else { return Ok(Target::Day1) };
    let name = name.to_string_lossy();
    Target::named(&name)
        .ok_or_else(|| format!("CHECKER_TARGET is `{name}`; it can be `day1` or `solutions`"))
}

fn seed() -> Result<u64, String> {
    let Some(seed) = std::env::var_os("CHECKER_SEED") else { return Ok(fresh_seed()) };
    let seed = seed.to_string_lossy();
    seed.parse().map_err(|_| {
        format!("CHECKER_SEED is `{seed}`; it must be a whole number, as a run prints it")
    })
}

/// Runs in a thread of its own, while each of libtest-mimic's threads waits for one verdict.
fn run(
    checks: Vec<&'static checks::Check>,
    target: Target,
    seed: u64,
    senders: HashMap<&'static str, mpsc::Sender<Graded>>,
) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let grading = async {
            let plan = plan::build_plan(checks, target, seed).await.unwrap_or_else(|error| {
                eprintln!("error: {error}");
                exit(UNKNOWN.into());
            });
            let plan = plan.remember_uptime();
            let (done, mut verdicts) = tokio::sync::mpsc::unbounded_channel::<Graded>();
            let forward = async {
                while let Some(graded) = verdicts.recv().await {
                    let _ = senders[graded.check.id].send(graded);
                }
            };
            tokio::join!(grade::grade(plan, done), forward);
        };
        tokio::select! {
            () = grading => {}
            () = interrupted() => exit(INTERRUPTED.into()),
        }
    });
}

fn trial_result(graded: &Graded) -> Result<Completion, Failed> {
    match &graded.outcome {
        Outcome::Passed => Ok(Completion::Completed),
        Outcome::Failed(report) => {
            Err(terminal::shown(&human::failure(graded, report)).as_ref().into())
        }
        Outcome::Blocked(by) => Ok(Completion::ignored_with(format!("blocked by {by}"))),
        Outcome::Inconclusive(reason) => {
            Ok(Completion::ignored_with(format!("not judged: {reason}")))
        }
    }
}
