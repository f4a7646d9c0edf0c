//! Grades a class: several submissions at a time, each to its own files.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context;
use tokio::sync::{Semaphore, mpsc};

use crate::adjust::Manual;
use crate::args::ClassArgs;
use crate::compile::Compiler;
use crate::grading::{Candidate, Shared, open_to_all};
use crate::intake::{Fingerprints, unpack};
use crate::launch::{Cgroups, Launcher, probe};
use crate::libraries::Libraries;
use crate::model::{Status, Steps, Submission};
use crate::roster::{Roster, RosterError};
use crate::watchdog::Watchdog;
use crate::weights::Weights;
use crate::{classfiles, files, finish, hand_back, progress, settings, similarity, text};

const NO_COMPILER: &str = "no submission can be compiled here. Where the grader is root and \
                           bubblewrap is missing, every user must be able to read Rust and the \
                           workbook";

/// An error with the exit code of a wrong command line.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Usage(#[from] anyhow::Error);

fn usage<E: Into<anyhow::Error>>(error: E) -> Usage {
    Usage(error.into())
}

/// Grades all of them, and returns the exit code.
pub(crate) async fn run(args: &ClassArgs) -> anyhow::Result<ExitCode> {
    let weights = Weights::read(args.weights.as_deref()).map_err(usage)?.only(args.exercise);
    let named = args.submissions().map_err(usage)?;
    check_roster(args, &named.paths).map_err(usage)?;
    named.remarks.iter().for_each(|remark| eprintln!("{remark}"));

    let temporary = tempfile::Builder::new().prefix("workbook-class-").tempdir();
    let temporary = temporary.context("no folder for temporary files")?;
    open_to_all(temporary.path())?;
    let ours = temporary.path().join(format!("class{}", std::env::consts::EXE_SUFFIX));
    std::fs::copy(std::env::current_exe()?, &ours).context("this program cannot be copied")?;
    let (sandbox, remarks) = probe(args.sandbox, &ours)?;
    let cgroups = Cgroups::open();
    let by_cgroup = cgroups.as_ref().is_some_and(|cgroups| cgroups.limits);
    let abi = sandbox.landlock.map_or(String::new(), |abi| format!(" (Landlock ABI {abi})"));
    let memory_limit = if by_cgroup { "cgroup" } else { "watchdog" };
    eprintln!("Sandbox: {}{abi}; memory is limited by a {memory_limit}.", sandbox.name());
    remarks.iter().for_each(|remark| eprintln!("  {remark}"));
    let launcher = Launcher { sandbox, ours: ours.clone() };

    progress::line("compiling what all submissions share …");
    let build_cache = build_cache()?;
    let libraries =
        tokio::task::spawn_blocking(move || Libraries::open(&build_cache, &ours)).await??;
    let watchdog = Watchdog::start();
    let canary = tempfile::tempdir_in(temporary.path())?;
    open_to_all(canary.path())?;
    let (cpu, watched) = (args.build_cpu, &watchdog);
    let compiler = Compiler { launcher: &launcher, libraries: &libraries, watchdog: watched, cpu };
    compiler.check(canary.path()).await.context(NO_COMPILER)?;

    let run = settings::open(args, &weights).map_err(usage)?;
    progress::line("unpacking …");
    let mut intake = Intake::new(args, &weights, temporary.path());
    intake.unpack(&launcher, &named.paths).await?;
    let Intake { mut results, mut candidates, twins, .. } = intake;
    if args.resume {
        candidates.retain(|candidate| match files::read(&args.out, &candidate.name) {
            Some(result)
                if result.content == candidate.sources.content
                    && result.status == Status::Graded
                    && !result.is_open() =>
            {
                results.insert(candidate.name.clone(), result);
                false
            }
            _ => true,
        });
        if !results.is_empty() {
            eprintln!("{} of {} have a result already.", results.len(), named.paths.len());
        }
    }
    let shared = Arc::new(Shared {
        launcher,
        libraries,
        cgroups,
        watchdog,
        weights,
        seed: run.seed,
        build_cpu: args.build_cpu,
        out: args.out.clone(),
        temporary: temporary.path().to_path_buf(),
        building: Semaphore::new(args.build_jobs()),
        memory_limit,
    });
    let began = Instant::now();
    let fresh: Vec<String> = candidates.iter().map(|one| one.name.clone()).collect();
    let jobs = args.jobs().min(fresh.len());
    grade_all(&shared, candidates, args.jobs(), &mut results).await?;
    let elapsed = began.elapsed();
    for (twin, first) in twins {
        copy_result(args, &twin, &first, &mut results)?;
    }
    for (name, path) in &named.paths {
        let Some(result) = results.get_mut(name) else { continue };
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        result.hand_in = text::line(&file, 500);
        result.submitted = finish::modified(path).map(|time| time.to_string());
    }
    results.extend(earlier(args, &named.paths).map_err(usage)?);
    let finished = finish::finish(&args.out, &run, results, &args.format)?;
    progress::line("");
    println!("{}", finished.summary(&args.out));
    if !fresh.is_empty() {
        let graded = finished.results.iter().filter(|result| fresh.contains(&result.name));
        let steps: Vec<Steps> = graded.map(|result| result.steps).collect();
        println!("{}", progress::throughput(&steps, jobs, elapsed));
    }
    Ok(ExitCode::from(classfiles::exit_code(&finished.results, args.fail_under)))
}

/// Assigns the hand-ins to the people of the roster, if there is one, by the names of their files.
fn assign(
    roster: Option<&Roster>,
    named: &BTreeMap<String, PathBuf>,
) -> Result<BTreeMap<String, usize>, RosterError> {
    let files = named.iter().map(|(name, path)| {
        (name.as_str(), path.file_name().and_then(|file| file.to_str()).unwrap_or(name))
    });
    roster.map_or_else(|| Ok(BTreeMap::new()), |roster| roster.assign(files))
}

/// Checks the roster before any time is spent on grading.
fn check_roster(args: &ClassArgs, named: &BTreeMap<String, PathBuf>) -> Result<(), RosterError> {
    let roster = match &args.roster {
        Some(file) => Some(Roster::read(file)?),
        None => Roster::kept(&args.out)?,
    };
    assign(roster.as_ref(), named).map(|_| ())
}

/// The results of an earlier run that this one did not name. A new hand-in of a person replaces the
/// one that had another name.
fn earlier(
    args: &ClassArgs,
    named: &BTreeMap<String, PathBuf>,
) -> anyhow::Result<BTreeMap<String, Submission>> {
    let mut kept = BTreeMap::new();
    if !args.resume || !args.out.join("results.json").exists() {
        return Ok(kept);
    }
    let class = classfiles::Class::read(&args.out)?;
    let roster = Roster::kept(&args.out)?;
    let rows = assign(roster.as_ref(), named)?;
    for result in class.results.into_iter().filter(|result| !named.contains_key(&result.name)) {
        let row = match &roster {
            Some(roster) => roster.find(&result.name, &result.hand_in)?,
            None => None,
        };
        match rows.iter().find(|(_, taken)| Some(**taken) == row) {
            Some((newer, _)) => {
                eprintln!("{newer} replaces {}: both are of one person", result.name);
                let _ = std::fs::remove_dir_all(hand_back::folder(&args.out, &result.name));
                let manual = Manual::read(&args.out, &result.name)?;
                if Manual::read(&args.out, newer)? == Manual::default() {
                    manual.write(&args.out, newer)?;
                }
            }
            None => {
                kept.insert(result.name.clone(), result);
            }
        }
    }
    Ok(kept)
}

/// Returns the folder for compiled libraries: beside this program, in cargo's folder.
fn build_cache() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let target = exe.ancestors().nth(2).context("this program lies in no folder of cargo's")?;
    Ok(target.join("class"))
}

/// The submissions as they are unpacked.
struct Intake<'a> {
    args: &'a ClassArgs,
    weights: &'a Weights,
    temporary: &'a Path,
    results: BTreeMap<String, Submission>,
    candidates: Vec<Candidate>,
    /// Submissions with the same sources as another, each with the other's name.
    twins: Vec<(Candidate, String)>,
    seen: HashMap<String, String>,
}

impl<'a> Intake<'a> {
    fn new(args: &'a ClassArgs, weights: &'a Weights, temporary: &'a Path) -> Self {
        Intake {
            args,
            weights,
            temporary,
            results: BTreeMap::new(),
            candidates: Vec::new(),
            twins: Vec::new(),
            seen: HashMap::new(),
        }
    }

    async fn unpack(
        &mut self,
        launcher: &Launcher,
        named: &BTreeMap<String, PathBuf>,
    ) -> anyhow::Result<()> {
        for (index, (name, path)) in named.iter().enumerate() {
            let folder = self.temporary.join(format!("sources-{index}"));
            match unpack(launcher, path, &folder, self.args.exercise).await {
                Ok((sources, fingerprints)) => {
                    let programs = folder.join("programs");
                    similarity::keep(&self.args.out, name, &fingerprints, &programs)
                        .with_context(|| self.args.out.display().to_string())?;
                    let files = folder.join("files");
                    self.add(Candidate { name: name.clone(), sources, files });
                }
                Err(error) => {
                    // An earlier hand-in of this name must not be compared any more.
                    similarity::keep(&self.args.out, name, &Fingerprints::default(), &folder)
                        .with_context(|| self.args.out.display().to_string())?;
                    let status = match error.is_of_the_submission() {
                        true => Status::Unreadable,
                        false => Status::Broken,
                    };
                    let reason = Some(error.to_string());
                    let result = Submission::ungraded(name, status, reason, self.weights).clean();
                    let reason = result.reason.as_deref().unwrap_or_default();
                    files::write(&self.args.out, &result, &format!("{name}: {reason}\n"))
                        .with_context(|| self.args.out.display().to_string())?;
                    self.results.insert(name.clone(), result);
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, candidate: Candidate) {
        match self.seen.get(&candidate.sources.content) {
            Some(first) => self.twins.push((candidate, first.clone())),
            None => {
                self.seen.insert(candidate.sources.content.clone(), candidate.name.clone());
                self.candidates.push(candidate);
            }
        }
    }
}

fn copy_result(
    args: &ClassArgs,
    twin: &Candidate,
    first: &str,
    results: &mut BTreeMap<String, Submission>,
) -> anyhow::Result<()> {
    let Some(result) = results.get(first) else { return Ok(()) };
    let result = Submission {
        name: twin.name.clone(),
        same_as: Some(first.to_string()),
        left_out: twin.sources.left_out.clone(),
        ..result.clone()
    };
    let result = result.clean();
    let report = files::folder(&args.out, first).join("report.txt");
    let report = std::fs::read_to_string(report).unwrap_or_default();
    files::write(&args.out, &result, &report).with_context(|| args.out.display().to_string())?;
    results.insert(twin.name.clone(), result);
    Ok(())
}

async fn grade_all(
    shared: &Arc<Shared>,
    candidates: Vec<Candidate>,
    jobs: usize,
    results: &mut BTreeMap<String, Submission>,
) -> anyhow::Result<()> {
    let all = candidates.len();
    let queue = Arc::new(Mutex::new(candidates.into_iter().collect::<VecDeque<_>>()));
    let (done, mut finished) = mpsc::unbounded_channel();
    for place in 0..jobs.min(all) {
        let (shared, queue, done) = (shared.clone(), queue.clone(), done.clone());
        tokio::spawn(async move {
            loop {
                let next = queue.lock().ok().and_then(|mut queue| queue.pop_front());
                let Some(candidate) = next else { break };
                let graded = shared.grade(place, &candidate).await;
                if done.send((graded, candidate)).is_err() {
                    break;
                }
            }
        });
    }
    drop(done);
    let mut pace = progress::Pace::new(all);
    let mut again = Vec::new();
    while let Some((graded, candidate)) = finished.recv().await {
        let graded = graded?;
        progress::line(&pace.step(&graded.result.name));
        // Perhaps this was too much at a time for this machine: a last time, alone.
        if graded.result.is_open() || graded.refused.is_some() {
            again.push(candidate);
        }
        results.insert(graded.result.name.clone(), graded.result);
    }
    for candidate in again {
        progress::line(&format!("{} once more, alone", candidate.name));
        let graded = shared.grade(0, &candidate).await?;
        let mut result = graded.result;
        if let Some(reason) = graded.refused {
            result.withdraw_verdicts(reason);
            shared.rewrite(&result)?;
        }
        results.insert(result.name.clone(), result);
    }
    Ok(())
}
