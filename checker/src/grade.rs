//! Runs checks concurrently, each after its prerequisites, and returns the verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Semaphore, SemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;

use crate::evidence::{self, Observation};
use crate::plan::Plan;
use crate::question::question;
use crate::report::words::{Words, words};
use checks::{self, Check};
use harness::client::timeout_on_busy_host;
use harness::context::{Settings, TestContext};
use harness::exercise::{Exercise, Target};
use harness::failure::Cause;
use harness::failure::start::StartCause;
use harness::server::Program;
use harness::server::build::{UNUSED_MUST_USE, Warning};
use harness::server::output::Output;
pub use harness::stall_monitor::Lateness;
use harness::stall_monitor::StallMonitor;
use harness::verdict::{CheckError, CheckResult, Failure, FailureKind, Progress};
use harness::wire::recorder::Event;
use harness::wire::transcript::{self, TranscriptLine};

/// The heartbeat interval that checks ask for.
const BEAT: Duration = Duration::from_millis(200);
/// How often the interval is doubled when the machine is too busy for it.
const DOUBLINGS: u32 = 3;
/// The time limit of a whole check. Each wait has its own limit; this one ends slow servers.
///
/// Right servers take at most 6 s on an idle machine. A student waits at most 30 s for the last
/// verdict: this limit, the start, and `SLOW_LIMIT`.
const CHECK_LIMIT: Duration = Duration::from_secs(20);
/// The time that other checks of an exercise have left when one has reached its limit.
const SLOW_LIMIT: Duration = Duration::from_secs(5);
/// The number of the server's last log lines in a report.
const LAST_LINES: usize = 8;
/// The number of light checks that run concurrently.
const SIDE_BY_SIDE: usize = 8;

/// Permits for checks that keep the processors busy, shared by all gradings of this process.
static HEAVY: Semaphore = Semaphore::const_new(1);
static HEAVY_PERMITS: AtomicU32 = AtomicU32::new(1);

/// All permits for heavy checks, shared by the checks that are repeated without a heavy one.
///
/// A stall of the machine repeats several checks. One after the other they would take minutes.
static QUIET: Mutex<Weak<SemaphorePermit<'static>>> = Mutex::const_new(Weak::new());

/// Waits until no heavy check runs. None starts until the last of these permits is dropped.
async fn no_heavy_checks() -> Option<Arc<SemaphorePermit<'static>>> {
    let mut quiet = QUIET.lock().await;
    if let Some(shared) = quiet.upgrade() {
        return Some(shared);
    }
    let permits = HEAVY.acquire_many(HEAVY_PERMITS.load(Ordering::Relaxed)).await.ok()?;
    let permits = Arc::new(permits);
    *quiet = Arc::downgrade(&permits);
    Some(permits)
}

/// Allows one more heavy check at a time, for commands that grade many servers.
pub fn allow_another_heavy_check() {
    HEAVY_PERMITS.fetch_add(1, Ordering::Relaxed);
    HEAVY.add_permits(1);
}

/// The verdict on one check.
#[derive(Debug, Clone)]
pub struct Graded {
    /// The check.
    pub check: &'static Check,
    /// The outcome.
    pub outcome: Outcome,
    /// Its duration in milliseconds, without the wait for its turn.
    pub millis: u64,
    /// Its start and end, in milliseconds since the grading began.
    pub span: (u64, u64),
    /// The delays that the stall monitor measured, if the check waits for heartbeats.
    pub lateness: Option<Lateness>,
}

/// The outcome of a check.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The server follows the contract, and the check saw enough evidence.
    Passed,
    /// The server violates the contract.
    Failed(Box<Report>),
    /// The named check has to pass first.
    Blocked(&'static str),
    /// There is no verdict, for this reason.
    Inconclusive(String),
}

/// A failure with its evidence.
#[derive(Debug, Clone)]
pub struct Report {
    /// The failure.
    pub failure: Failure,
    /// The failure in words.
    pub words: Words,
    /// The conversation.
    pub transcript: Vec<TranscriptLine>,
    /// The server's last log lines.
    pub printed: Vec<String>,
    /// The server's first panic, if it had one.
    pub panic: Vec<String>,
    /// How the process ended, if it did.
    pub ended: Option<String>,
    /// Observations beside the wire that explain the failure.
    pub observations: Vec<Observation>,
    /// The compiler's warnings about the server's source, the most telling first.
    pub warnings: Vec<Warning>,
    /// A question that leads to the error, or the next step if the server did not run.
    pub next: String,
}

/// Runs the checks, and sends each verdict to `done` as soon as it is known.
///
/// Dropping this future aborts the checks and kills their servers.
pub async fn grade(plan: Plan, done: mpsc::UnboundedSender<Graded>) {
    let began = Instant::now();
    let progress: BTreeMap<&'static str, watch::Sender<Progress>> =
        plan.checks.iter().map(|check| (check.id, watch::Sender::new(Progress::Pending))).collect();
    let light_ones = plan
        .checks
        .iter()
        .filter(|check| check.is_light() && !check.timed)
        .map(|check| check.id)
        .collect();
    let shared = Arc::new(Shared {
        progress,
        light_ones,
        stalls: StallMonitor::start(),
        light: Semaphore::new(SIDE_BY_SIDE),
        slow: watch::Sender::default(),
        target: plan.target,
        seed: plan.seed,
        began,
    });
    let programs: BTreeMap<Exercise, Result<Program, Box<Failure>>> = plan.programs;
    let mut tasks = JoinSet::new();
    for check in plan.checks {
        let program = programs.get(&check.exercise).cloned().expect("a program for each exercise");
        let (shared, done) = (shared.clone(), done.clone());
        tasks.spawn(async move {
            let graded = shared.judge(check, program).await;
            let _ = done.send(graded);
        });
    }
    drop(done);
    while tasks.join_next().await.is_some() {}
}

/// Runs the checks and returns all verdicts, in the contract's order.
pub async fn grade_all(plan: Plan) -> Vec<Graded> {
    let order: Vec<&str> = plan.checks.iter().map(|check| check.id).collect();
    let (done, mut verdicts) = mpsc::unbounded_channel();
    grade(plan, done).await;
    let mut graded = Vec::new();
    while let Some(verdict) = verdicts.recv().await {
        graded.push(verdict);
    }
    graded.sort_by_key(|graded| order.iter().position(|id| *id == graded.check.id));
    graded
}

struct Shared {
    progress: BTreeMap<&'static str, watch::Sender<Progress>>,
    stalls: StallMonitor,
    light: Semaphore,
    /// Exercises with a server that was too slow for a check.
    slow: watch::Sender<BTreeSet<Exercise>>,
    /// The light checks. A timed check starts after them.
    light_ones: Vec<&'static str>,
    target: Option<Target>,
    seed: u64,
    began: Instant,
}

impl Shared {
    async fn judge(&self, check: &'static Check, program: Result<Program, Box<Failure>>) -> Graded {
        let mut span = (self.now(), self.now());
        let mut lateness = None;
        // A check that waits for heartbeats or for uptime leaves the processors idle. So it runs
        // beside its prerequisites, and is blocked at the end if one of them failed.
        let (beside, before): (Vec<_>, Vec<_>) = check.requires.iter().partition(|need| {
            check.needs_uptime || checks::find(need).is_some_and(|need| need.uses_heartbeats)
        });
        let outcome = match (self.blocked_by(&before).await, program) {
            (Some(outcome), _) => outcome,
            (None, Err(failure)) => Outcome::Failed(Box::new(bare(check, *failure))),
            (None, Ok(program)) => {
                if check.timed {
                    self.wait_for_light_checks().await;
                }
                let _light = if check.is_light() { self.light.acquire().await.ok() } else { None };
                let _heavy = if check.heavy { HEAVY.acquire().await.ok() } else { None };
                span.0 = self.now();
                let run = async {
                    let outcome = self.run(check, &program, &mut lateness).await;
                    span.1 = self.now();
                    outcome
                };
                self.unless_blocked(&beside, run).await
            }
        };
        // Other checks wait for this outcome before it is explained. Otherwise two checks that may
        // explain each other would wait for each other.
        self.progress[check.id].send_replace(match &outcome {
            Outcome::Passed => Progress::Passed,
            Outcome::Failed(report) => Progress::Failed { fundamental: report.failure.fundamental },
            Outcome::Blocked(by) => Progress::Blocked(by),
            Outcome::Inconclusive(_) => Progress::Inconclusive,
        });
        let outcome = self.explain(check, outcome).await;
        Graded { check, outcome, millis: span.1.saturating_sub(span.0), span, lateness }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits until a check has come far enough.
    ///
    /// A check outside of the plan counts as passed, so that it neither blocks nor explains
    /// anything.
    async fn progress_of(&self, id: &str, enough: impl FnMut(&Progress) -> bool) -> Progress {
        let Some(progress) = self.progress.get(id) else { return Progress::Passed };
        progress
            .subscribe()
            .wait_for(enough)
            .await
            .map(|progress| progress.clone())
            .unwrap_or(Progress::Inconclusive)
    }

    /// Waits for these prerequisites, and returns an outcome if one of them blocks the check.
    async fn blocked_by(&self, requires: &[&'static str]) -> Option<Outcome> {
        for need in requires {
            match self.progress_of(need, |progress| *progress != Progress::Pending).await {
                Progress::Failed { fundamental: true } => return Some(Outcome::Blocked(need)),
                Progress::Blocked(by) => return Some(Outcome::Blocked(by)),
                Progress::Inconclusive => {
                    return Some(Outcome::Inconclusive(format!(
                        "{need}, which this check requires, could not be judged"
                    )));
                }
                _ => {}
            }
        }
        None
    }

    /// Runs a check beside its prerequisites, and aborts it when one of them blocks it.
    async fn unless_blocked(
        &self,
        requires: &[&'static str],
        run: impl Future<Output = Outcome>,
    ) -> Outcome {
        let mut run = pin!(run);
        tokio::select! {
            outcome = &mut run => self.blocked_by(requires).await.unwrap_or(outcome),
            blocked = self.blocked_by(requires) => match blocked {
                Some(blocked) => blocked,
                None => run.await,
            },
        }
    }

    /// Waits until another check of this exercise has reached its limit, and `SLOW_LIMIT` more.
    async fn too_slow(&self, exercise: Exercise) {
        let mut slow = self.slow.subscribe();
        if slow.wait_for(|slow| slow.contains(&exercise)).await.is_err() {
            return std::future::pending().await;
        }
        timeout_on_busy_host(SLOW_LIMIT, std::future::pending::<()>()).await;
    }

    /// Waits for the light checks. While they run, the processors are too busy to measure times.
    async fn wait_for_light_checks(&self) {
        for id in &self.light_ones {
            self.progress_of(id, Progress::is_over).await;
        }
    }

    /// Blocks a failure that another check's failure explains: one cause, one failure.
    async fn explain(&self, check: &Check, outcome: Outcome) -> Outcome {
        let causes = match outcome {
            Outcome::Failed(_) => check.explained_by.iter().chain(&[]),
            Outcome::Inconclusive(_) => check.explained_by.iter().chain(check.inconclusive_after),
            _ => return outcome,
        };
        for cause in causes {
            match self.progress_of(cause, Progress::is_over).await {
                Progress::Failed { .. } => return Outcome::Blocked(cause),
                // A cause that this check itself blocks explains nothing.
                Progress::Blocked(by) if by != check.id => return Outcome::Blocked(by),
                _ => {}
            }
        }
        outcome
    }

    async fn run(
        &self,
        check: &'static Check,
        program: &Program,
        lateness: &mut Option<Lateness>,
    ) -> Outcome {
        let mut reason = String::new();
        let mut quiet = None;
        // A stall of this machine may look like a slow server: two of three runs decide.
        let (mut slow, mut in_time) = (false, false);
        let mut doubling = 0;
        while doubling <= DOUBLINGS {
            match self.run_once(check, program, BEAT * 2_u32.pow(doubling), lateness).await {
                Ok(Outcome::Failed(report)) if !slow && report.failure.may_be_a_delay() => {
                    slow = true;
                    continue;
                }
                Ok(Outcome::Passed) if slow && !in_time => {
                    in_time = true;
                    continue;
                }
                Ok(outcome) => return outcome,
                // Longer intervals are for a busy machine only, never for a slow server.
                Err(busy) => (reason, doubling) = (busy, doubling + 1),
            }
            // No heavy check runs beside the next attempt.
            if quiet.is_none() {
                quiet = no_heavy_checks().await;
            }
        }
        drop(quiet);
        Outcome::Inconclusive(reason)
    }

    async fn run_once(
        &self,
        check: &'static Check,
        program: &Program,
        beat: Duration,
        lateness: &mut Option<Lateness>,
    ) -> Result<Outcome, String> {
        let settings = Settings {
            program: program.clone(),
            seed: seed_of(self.seed, check.id),
            beat,
            uses_heartbeats: check.uses_heartbeats,
            ci: in_ci(self.seed, check),
            stalls: self.stalls.clone(),
            progress: self.progress[check.id].clone(),
        };
        let mut ctx = match TestContext::start(settings).await {
            Ok(ctx) => ctx,
            Err((CheckError::Failed(failure), output)) => {
                let mut report = bare(check, *failure);
                report.printed = last_lines(&output);
                report.panic = output.panic();
                report.warnings = by_weight(&program.warnings);
                report.next = question(check, &report);
                return Ok(Outcome::Failed(Box::new(report)));
            }
            Err((CheckError::Inconclusive(reason) | CheckError::HostBusy(reason), _)) => {
                return Ok(Outcome::Inconclusive(reason));
            }
        };
        let began = Instant::now();
        let run = tokio::select! {
            run = timeout_on_busy_host(CHECK_LIMIT, run_check(check, &mut ctx)) => run,
            () = self.too_slow(check.exercise) => None,
        };
        if check.uses_heartbeats {
            *lateness = Some(ctx.lateness(began));
        }
        // A check that saw less than its minimum evidence cannot pass.
        let run = run.map(|ran| {
            ran.and_then(|()| match ctx.evidence.lacks(check.minimum) {
                None => Ok(()),
                Some(lack) => Err(CheckError::Inconclusive(format!(
                    "the check saw too little to pass: {lack}"
                ))),
            })
        });
        Ok(match run {
            None => {
                self.slow.send_modify(|slow| {
                    slow.insert(check.exercise);
                });
                Outcome::Inconclusive(too_slow(&ctx, began))
            }
            Some(Err(CheckError::HostBusy(reason))) => return Err(reason),
            // On a busy machine the checker itself may send a pong late or read a ping late.
            Some(Err(error)) => {
                match (ctx.too_busy(began, &error).filter(|_| check.uses_heartbeats), error) {
                    (Some(busy), _) => return Err(busy),
                    (None, CheckError::Failed(failure)) => {
                        let mut report = self.report(check, &ctx, *failure).await;
                        report.warnings = by_weight(&program.warnings);
                        report.next = question(check, &report);
                        Outcome::Failed(Box::new(report))
                    }
                    (None, CheckError::Inconclusive(reason) | CheckError::HostBusy(reason)) => {
                        Outcome::Inconclusive(reason)
                    }
                }
            }
            Some(Ok(())) => {
                ctx.remember_uptime();
                Outcome::Passed
            }
        })
    }

    async fn report(&self, check: &Check, ctx: &TestContext, failure: Failure) -> Report {
        // A panic's message arrives through stderr, maybe after the end of the connection. The
        // process ends later still.
        let output = &ctx.server.output;
        let panic =
            output.wait_for(|output| !output.panic().is_empty(), std::future::pending::<()>());
        timeout_on_busy_host(Duration::from_millis(100), panic).await;
        if output.main_panicked() {
            timeout_on_busy_host(Duration::from_secs(2), ctx.server.wait_for_exit()).await;
        }
        let observations = match ctx.recorder.events() {
            own if output.panic().is_empty() => evidence::observe(ctx, &failure, &own).await,
            _ => Vec::new(),
        };
        let events: Vec<Event> = failure.events.clone().unwrap_or_else(|| ctx.recorder.events());
        let failure = match output.todo() {
            Some(todo) if check.requires.is_empty() && failure.fundamental => {
                let (exercise, target) = (check.exercise, self.target);
                Failure {
                    kind: FailureKind::NotStarted,
                    cause: Some(StartCause::NotStarted { exercise, target, todo }.into()),
                    ..failure
                }
            }
            _ => failure,
        };
        let failure = match ctx.server.exit_status() {
            // The end of the process explains what the client observed.
            Some(status) if failure.kind != FailureKind::NotStarted => {
                let cause = failure.cause.map(|noticed| Cause::ProcessEnded {
                    status: status.to_string(),
                    noticed: Box::new(noticed),
                });
                Failure { kind: FailureKind::Died, cause, ..failure }
            }
            _ => failure,
        };
        let asked = evidence::asked(&failure);
        Report {
            transcript: transcript::lines(&events, &failure.clients, failure.mark, asked),
            printed: last_lines(output),
            panic: output.panic(),
            ended: ctx.server.exit_status().map(|status| status.to_string()),
            observations,
            ..bare(check, failure)
        }
    }
}

/// Runs the gate, lets the checks that require this one begin, and runs the rest.
async fn run_check(check: &Check, ctx: &mut TestContext) -> CheckResult {
    if let Some(gate) = check.gate {
        let gated = gate(ctx).await;
        gated.map_err(|error| error.map_failure(|failure| failure.fundamental = true))?;
        ctx.pass_gate();
    }
    (check.details)(ctx).await
}

/// Sorts warnings: a future that nothing awaits explains a silent server.
fn by_weight(warnings: &[Warning]) -> Vec<Warning> {
    let mut sorted = warnings.to_vec();
    sorted.sort_by_key(|warning| warning.lint != UNUSED_MUST_USE);
    sorted
}

fn bare(check: &Check, failure: Failure) -> Report {
    let mut report = Report {
        words: words(&failure),
        failure,
        transcript: Vec::new(),
        printed: Vec::new(),
        panic: Vec::new(),
        ended: None,
        observations: Vec::new(),
        warnings: Vec::new(),
        next: String::new(),
    };
    report.next = question(check, &report);
    report
}

/// Describes why a check reached its limit: what it had seen last.
fn too_slow(ctx: &TestContext, began: Instant) -> String {
    let events = ctx.recorder.events();
    let last = transcript::lines(&events, &[], None, None).pop();
    let last = last.map_or_else(
        || "no client had connected".to_string(),
        |line| {
            let arrow = if line.direction == "to-server" { "→" } else { "←" };
            format!("last seen: {arrow} {} {} (client {})", line.kind, line.text, line.client)
        },
    );
    let seconds = began.elapsed().as_secs();
    format!("the server was too slow: the check was not over after {seconds} s; {last}")
}

fn last_lines(output: &Output) -> Vec<String> {
    let ignored =
        |line: &str| line.is_empty() || line.starts_with("note: run with `RUST_BACKTRACE");
    let lines: Vec<_> = output.lines().into_iter().filter(|(_, line)| !ignored(line)).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|(_, line)| line.clone()).collect()
}

/// Returns true if the check's servers get `CI` in their environment: every second check of an
/// exercise. So each seed finds a server that is right in one environment only.
fn in_ci(seed: u64, check: &Check) -> bool {
    let of_exercise = checks::all().into_iter().filter(|other| other.exercise == check.exercise);
    let before = of_exercise.take_while(|other| other.id != check.id).count() as u64;
    seed.wrapping_add(before).is_multiple_of(2)
}

/// Derives a check's seed, so that it does not depend on which other checks run.
fn seed_of(seed: u64, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, id).hash(&mut hasher);
    hasher.finish()
}
