//! Grades a class: several submissions at a time, each to its own files.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::exercise::Exercise;
use harness::server::process::{self, Process};
use tokio::io::AsyncReadExt;
use tokio::sync::{Semaphore, mpsc};

use crate::args::ClassArgs;
use crate::collect::{Sources, collect};
use crate::model::{Status, Submission, Verdicts, Weights};
use crate::sandbox::Level;
use crate::worker::Task;
use crate::workshop::Workshop;
use crate::{alike, classfiles, files, progress};

/// After this long a grading is given up; no check may take more than a minute.
const GRADING_LIMIT: Duration = Duration::from_secs(420);

/// One submission on its way.
struct Candidate {
    name: String,
    sources: Sources,
    content: String,
}

struct Room {
    workshop: Workshop,
    level: Level,
    weights: Weights,
    seed: u64,
    out: PathBuf,
    /// Holds our own program and those to be graded, where a plain user may reach them.
    shelf: PathBuf,
    ours: PathBuf,
    building: Semaphore,
}

/// Grades all of them, and says with what to exit.
///
/// # Errors
/// What keeps the class from being graded, with the exit code that says so.
pub(crate) async fn run(args: &ClassArgs) -> Result<ExitCode, (u8, String)> {
    let usage = |message: String| (2, message);
    let weights = Weights::read(args.weights.as_deref()).map_err(usage)?;
    let named = args.named().map_err(usage)?;
    let seed = classfiles::open(&args.out, args.resume, args.seed).map_err(usage)?;
    let (level, notes) = Level::probe(args.sandbox).map_err(|message| (3, message))?;
    eprintln!("Sandbox: {}.", level.name());
    notes.iter().for_each(|note| eprintln!("  {note}"));

    let mut results: BTreeMap<String, Submission> = BTreeMap::new();
    let mut shapes = BTreeMap::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut twins: Vec<(Candidate, String)> = Vec::new();
    let mut seen: HashMap<String, String> = HashMap::new();
    for (name, path) in &named {
        match collect(path) {
            Ok(sources) => {
                let content = sources.content();
                shapes.insert(name.clone(), alike::shapes(&sources));
                let candidate = Candidate { name: name.clone(), sources, content };
                match seen.get(&candidate.content) {
                    Some(first) => twins.push((candidate, first.clone())),
                    None => {
                        seen.insert(candidate.content.clone(), name.clone());
                        candidates.push(candidate);
                    }
                }
            }
            Err(reason) => {
                let result =
                    Submission::ungraded(name, Status::Unreadable, Some(reason.clone()), &weights);
                files::write(&args.out.join(name), &result, &format!("{name}: {reason}\n"))
                    .map_err(|e| told(&args.out, &e))?;
                results.insert(name.clone(), result);
            }
        }
    }
    candidates.retain(|candidate| match files::read(&args.out.join(&candidate.name)) {
        Some(result)
            if args.resume
                && result.content == candidate.content
                && result.status == Status::Graded =>
        {
            results.insert(candidate.name.clone(), result);
            false
        }
        _ => true,
    });
    if args.resume && !results.is_empty() {
        eprintln!("{} of {} have a result already.", results.len(), named.len());
    }

    let shelf = tempfile::Builder::new()
        .prefix("workbook-class-")
        .tempdir()
        .map_err(|e| told(&std::env::temp_dir(), &e))?;
    open_to_all(shelf.path()).map_err(|error| told(shelf.path(), &error))?;
    let ours = shelf.path().join(format!("classroom{}", std::env::consts::EXE_SUFFIX));
    let exe = std::env::current_exe().map_err(|error| told(Path::new("classroom"), &error))?;
    std::fs::copy(exe, &ours).map_err(|error| told(&ours, &error))?;
    progress::line("compiling what all submissions share …");
    let workshop = Workshop::open(level.clone(), ours.clone(), args.build_cpu)
        .await
        .map_err(|message| (3, message))?;
    let room = Arc::new(Room {
        workshop,
        level,
        weights,
        seed,
        out: args.out.clone(),
        shelf: shelf.path().to_path_buf(),
        ours,
        building: Semaphore::new(args.builds()),
    });
    let began = Instant::now();
    let fresh = candidates.len();
    let outcome = grade_all(&room, candidates, args.jobs(), &mut results).await;
    room.workshop.close();
    outcome.map_err(|message| (3, message))?;
    for (twin, first) in twins {
        let Some(result) = results.get(&first) else { continue };
        let result = Submission {
            name: twin.name.clone(),
            same_as: Some(first.clone()),
            left_out: twin.sources.left_out,
            ..result.clone()
        };
        let report =
            std::fs::read_to_string(args.out.join(&first).join("report.txt")).unwrap_or_default();
        files::write(&args.out.join(&twin.name), &result, &report)
            .map_err(|error| told(&args.out, &error))?;
        results.insert(twin.name, result);
    }
    let results: Vec<Submission> = results.into_values().collect();
    for (result, format) in
        results.iter().flat_map(|result| args.format.iter().map(move |format| (result, format)))
    {
        match format.write(result) {
            Ok(text) => {
                let file = args.out.join(&result.name).join(format.file());
                files::whole(&file, text).map_err(|error| told(&file, &error))?;
            }
            Err(error) => eprintln!("{}: {error}", result.name),
        }
    }
    let overview = classfiles::write(&args.out, &results, alike::groups(&shapes))
        .map_err(|error| told(&args.out, &error))?;
    progress::line("");
    println!("{}", classfiles::summary(&results, &overview, &args.out));
    if fresh > 0 {
        println!("{}", progress::throughput(fresh, began.elapsed()));
    }
    Ok(ExitCode::from(classfiles::exit_code(&results)))
}

fn told(path: &Path, error: &std::io::Error) -> (u8, String) {
    (3, format!("{}: {error}", path.display()))
}

#[cfg(unix)]
fn open_to_all(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // To be passed through, not to be listed.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o711))
}

#[cfg(not(unix))]
fn open_to_all(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}

async fn grade_all(
    room: &Arc<Room>,
    candidates: Vec<Candidate>,
    jobs: usize,
    results: &mut BTreeMap<String, Submission>,
) -> Result<(), String> {
    let all = candidates.len();
    let queue =
        Arc::new(Mutex::new(candidates.into_iter().collect::<std::collections::VecDeque<_>>()));
    let (done, mut finished) = mpsc::unbounded_channel();
    for slot in 0..jobs.min(all) {
        let (room, queue, done) = (room.clone(), queue.clone(), done.clone());
        tokio::spawn(async move {
            loop {
                let next = queue.lock().expect("no panic holds it").pop_front();
                let Some(candidate) = next else { break };
                let written = room.grade(slot, &candidate).await;
                if done.send((written, candidate)).is_err() {
                    break;
                }
            }
        });
    }
    drop(done);
    let mut pace = progress::Pace::new(all);
    let mut again = Vec::new();
    while let Some((written, candidate)) = finished.recv().await {
        let result = written?;
        progress::line(&pace.step(&result.name));
        // Too much at a time for this machine, perhaps: a last time, and alone.
        if result.status == Status::Broken || result.totals.unknown > 0 {
            again.push(candidate);
        }
        results.insert(result.name.clone(), result);
    }
    for candidate in again {
        progress::line(&format!("{} once more, alone", candidate.name));
        let result = room.grade(0, &candidate).await?;
        results.insert(result.name.clone(), result);
    }
    Ok(())
}

impl Room {
    /// Grades one submission and writes its files; whatever goes wrong with it is in its result.
    async fn grade(&self, slot: usize, candidate: &Candidate) -> Result<Submission, String> {
        let began = Instant::now();
        let name = &candidate.name;
        let (mut result, report) = match self.verdicts(slot, candidate).await {
            Ok((verdicts, report)) => {
                let empty = Submission::ungraded(name, Status::Graded, None, &self.weights);
                (empty.with(verdicts, &self.weights), report)
            }
            Err(reason) => {
                let report = format!(
                    "{name} could not be graded, and that is the grader's fault: {reason}\n"
                );
                (Submission::ungraded(name, Status::Broken, Some(reason), &self.weights), report)
            }
        };
        let submitted = candidate.sources.exercises();
        result.content = candidate.content.clone();
        result.sandbox = self.level.name().to_string();
        result.missing = Exercise::ALL
            .iter()
            .filter(|one| !submitted.contains(one))
            .map(ToString::to_string)
            .collect();
        result.left_out = candidate.sources.left_out.clone();
        result.millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let folder = self.out.join(name);
        files::write(&folder, &result, &report)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(result)
    }

    async fn verdicts(
        &self,
        slot: usize,
        candidate: &Candidate,
    ) -> Result<(Verdicts, String), String> {
        let shelf = tempfile::Builder::new()
            .prefix("submission-")
            .tempdir_in(&self.shelf)
            .map_err(|e| e.to_string())?;
        open_to_all(shelf.path()).map_err(|error| error.to_string())?;
        let scratch = shelf.path().join("scratch");
        // Verdicts and tasks are in a folder that nobody but us may enter.
        let private = tempfile::Builder::new()
            .prefix("verdicts-")
            .tempdir_in(&self.shelf)
            .map_err(|e| e.to_string())?;
        std::fs::create_dir(&scratch).map_err(|error| error.to_string())?;
        let built = {
            let _seat = self.building.acquire().await;
            self.workshop.build(&format!("slot-{slot}"), &candidate.sources, shelf.path()).await?
        };
        let command = |program: &PathBuf| self.level.server(&self.ours, program, &scratch, slot);
        let programs = built.into_iter().map(|(exercise, outcome)| {
            (exercise.name().to_string(), outcome.map(|program| command(&program)))
        });
        let task = Task {
            programs: programs.collect(),
            directory: scratch.clone(),
            seed: self.seed,
            verdicts: private.path().join("verdicts.json"),
            report: private.path().join("report.txt"),
        };
        let file = private.path().join("task.json");
        let text = serde_json::to_vec(&task).map_err(|error| error.to_string())?;
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        self.work(&file, &candidate.content).await?;
        let verdicts = std::fs::read(&task.verdicts)
            .map_err(|error| format!("the grader left no verdicts: {error}"))?;
        let verdicts = serde_json::from_slice(&verdicts)
            .map_err(|error| format!("the verdicts are no JSON: {error}"))?;
        let report = std::fs::read_to_string(&task.report)
            .map_err(|error| format!("there is no report: {error}"))?;
        Ok((verdicts, report))
    }

    /// Runs a worker, and ends it with all that it started.
    async fn work(&self, task: &Path, content: &str) -> Result<(), String> {
        let mut line = self.level.network();
        line.extend(
            [&self.ours, Path::new("worker"), task].map(|word| word.to_string_lossy().into_owned()),
        );
        let mut command = tokio::process::Command::new(&line[0]);
        // Servers inherit from the worker, and there is nothing that they need.
        let names = ["PATH", "TMPDIR", "TEMP", "TMP", "SystemRoot"];
        command
            .env_clear()
            .envs(names.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.args(&line[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mark = format!("worker-{}-{content}", std::process::id());
        let (mut worker, _, stderr) =
            Process::spawn(command, &mark).map_err(|error| format!("no worker: {error}"))?;
        let mut words = String::new();
        let run = async {
            if let Some(stderr) = stderr {
                let _ = stderr.take(64 << 10).read_to_string(&mut words).await;
            }
            worker.wait().await
        };
        let ended = tokio::time::timeout(GRADING_LIMIT, run).await;
        process::kill(worker.id());
        match ended {
            Err(_) => Err(format!("grading came to no end in {} s", GRADING_LIMIT.as_secs())),
            Ok(Err(error)) => Err(format!("the worker cannot be watched: {error}")),
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(format!("the worker ended with {status}: {}", words.trim())),
        }
    }
}
