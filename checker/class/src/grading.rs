//! Grades one submission: builds it, lets a worker talk to its servers, and writes its files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use harness::exercise::Exercise;
use harness::server::process::{self, Process};
use thiserror::Error;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;

use crate::compile::{CompileError, Compiled, Compiler, Place, Rejected, give_to_user};
use crate::files;
use crate::intake::{Changes, Sources};
use crate::launch::{Cgroup, Cgroups, Launcher};
use crate::libraries::Libraries;
use crate::machine::Refusals;
use crate::model::{Status, Steps, Submission, Verdicts};
use crate::text::{block, line};
use crate::watchdog::{self, Limits, Watchdog};
use crate::weights::Weights;
use crate::worker::{Submitted, Task};

/// After this long a grading is given up. No check takes more than a minute.
const LIMIT: Duration = Duration::from_secs(420);
/// How much of a worker's error output is kept, in bytes.
const WORDS: u64 = 4 << 10;
/// How much of the verdicts and of the report is read, in bytes.
const VERDICTS: u64 = 16 << 20;
/// Characters of a report.
const REPORT: usize = 256 << 10;
/// Processes and threads of one submission, its worker included.
const PROCESSES: u64 = 1024;

/// One submission on its way.
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) sources: Sources,
    /// Holds the files that `sources` names.
    pub(crate) files: PathBuf,
}

/// The resources that all gradings share.
pub(crate) struct Shared {
    pub(crate) launcher: Launcher,
    pub(crate) libraries: Libraries,
    pub(crate) cgroups: Option<Cgroups>,
    pub(crate) watchdog: Watchdog,
    pub(crate) weights: Weights,
    pub(crate) seed: u64,
    pub(crate) build_cpu: u64,
    pub(crate) out: PathBuf,
    pub(crate) temporary: PathBuf,
    pub(crate) building: Semaphore,
    pub(crate) memory_limit: &'static str,
}

pub(crate) struct Graded {
    pub(crate) result: Submission,
    /// The resource that the machine refused meanwhile, if it can explain a failed check.
    pub(crate) refused: Option<&'static str>,
}

#[derive(Debug, Error)]
pub(crate) enum GradingError {
    #[error("no room for it: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("{} is no file of its own", path.display())]
    NoProgram { path: PathBuf },
    #[error("grading it came to no end in {} s", LIMIT.as_secs())]
    TimedOut,
    #[error("the process that grades it ended with {status}: {words}")]
    Worker { status: ExitStatus, words: String },
    #[error("its verdicts cannot be read: {0}")]
    Verdicts(#[from] serde_json::Error),
}

/// Verdicts, the report, and notes for the instructor.
struct Finished {
    verdicts: Verdicts,
    report: String,
    notes: Vec<String>,
    steps: Steps,
    /// The submission reached a limit of its own, which explains what the machine refused.
    at_its_limit: bool,
}

impl Shared {
    /// Grades one submission in the place of this number and writes its files. Whatever goes wrong
    /// is in its result.
    pub(crate) async fn grade(
        &self,
        place: usize,
        candidate: &Candidate,
    ) -> anyhow::Result<Graded> {
        let (began, before) = (Instant::now(), Refusals::now());
        let name = &candidate.name;
        let mut at_its_limit = false;
        let (mut result, report) = match self.finish(place, candidate).await {
            Ok(finished) => {
                at_its_limit = finished.at_its_limit;
                let empty = Submission::ungraded(name, Status::Graded, None, &self.weights);
                let mut result = empty.with(finished.verdicts, &self.weights);
                (result.notes, result.steps) = (finished.notes, finished.steps);
                (result, finished.report)
            }
            Err(error) => {
                let reason = Some(error.to_string());
                let result = Submission::ungraded(name, Status::Broken, reason, &self.weights);
                (result, format!("{name} was not graded; a person has to look at it: {error}\n"))
            }
        };
        let submitted = candidate.sources.exercises();
        let missing = self.weights.exercises().filter(|one| !submitted.contains(one));
        result.missing = missing.map(|one| one.to_string()).collect();
        result.content = candidate.sources.content.clone();
        result.sandbox = self.launcher.sandbox.name().to_string();
        result.landlock_abi = self.launcher.sandbox.landlock;
        result.memory_limit = self.memory_limit.to_string();
        result.left_out = candidate.sources.left_out.clone();
        result.millis = millis(began);
        let result = result.clean();
        files::write(&self.out, &result, &block(&report, REPORT))?;
        let totals = result.totals;
        let refused = Refusals::now().since(before).filter(|_| !at_its_limit);
        Ok(Graded { refused: refused.filter(|_| totals.failed + totals.blocked > 0), result })
    }

    /// Writes a result again after its verdicts have changed.
    pub(crate) fn rewrite(&self, result: &Submission) -> io::Result<()> {
        let report = files::folder(&self.out, &result.name).join("report.txt");
        files::write(&self.out, result, &fs::read_to_string(report)?)
    }

    async fn finish(&self, place: usize, candidate: &Candidate) -> Result<Finished, GradingError> {
        let make_folder =
            |prefix: &str| tempfile::Builder::new().prefix(prefix).tempdir_in(&self.temporary);
        let temporary = make_folder("submission-")?;
        open_to_all(temporary.path())?;
        // Tasks and verdicts are in a folder that no submission may enter.
        let private = make_folder("verdicts-")?;
        let scratch = temporary.path().join("scratch");
        fs::create_dir(&scratch)?;
        give_to_user(&scratch, self.launcher.uid(place))?;
        let mut steps = Steps::default();
        let compiled = self.compile(place, candidate, temporary.path(), &mut steps).await?;
        let mut exercises = BTreeMap::new();
        for (exercise, compiled) in compiled {
            let submitted = match compiled {
                Compiled::Program(path) => {
                    let program = copy_program(&path, &temporary.path().join(exercise.name()))?;
                    let line = self.launcher.server(&program, &scratch, place);
                    Submitted::Program(line.into_strings())
                }
                Compiled::Rejected(rejected) => {
                    let changes = self.changes(&candidate.sources, exercise);
                    reject(exercise, &rejected, changes.as_ref())
                }
                Compiled::Unknown(reason) => Submitted::Unknown(reason),
            };
            exercises.insert(exercise.name().to_string(), submitted);
        }
        let task = Task {
            graded: self.weights.exercises().map(|one| one.name().to_string()).collect(),
            exercises,
            directory: scratch,
            seed: self.seed,
            verdicts: private.path().join("verdicts.json"),
            report: private.path().join("report.txt"),
        };
        let file = private.path().join("task.json");
        fs::write(&file, serde_json::to_vec(&task)?)?;
        let cgroup = self.cgroup("grade", watchdog::MEMORY);
        let mut notes = Vec::new();
        let began = Instant::now();
        notes.extend(self.work(&file, cgroup.as_ref()).await?);
        steps.grade = millis(began);
        let met = cgroup.as_ref().map_or((0, 0), Cgroup::limits_met);
        let at_its_limit = !notes.is_empty() || met != (0, 0);
        let verdicts = serde_json::from_slice(&read(&task.verdicts)?)?;
        let report = String::from_utf8_lossy(&read(&task.report)?).into_owned();
        notes.extend(
            Exercise::ALL.into_iter().filter_map(|exercise| {
                self.changes(&candidate.sources, exercise)?.describe(exercise)
            }),
        );
        Ok(Finished { verdicts, report, notes, steps, at_its_limit })
    }

    /// How the hand-in's manifest of an exercise differs from the workbook's.
    fn changes(&self, sources: &Sources, exercise: Exercise) -> Option<Changes> {
        let own = sources.manifests.get(exercise.name())?;
        let workbook = self.libraries.dependencies(exercise)?;
        Some(Changes::between(&workbook, own))
    }

    /// A cgroup of its own for a build or a grading, where the system has them.
    fn cgroup(&self, kind: &str, memory: u64) -> Option<Cgroup> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let cgroups = self.cgroups.as_ref()?;
        cgroups.make(&format!("{kind}-{number}"), memory, PROCESSES).ok()
    }

    async fn compile(
        &self,
        number: usize,
        candidate: &Candidate,
        temporary: &Path,
        steps: &mut Steps,
    ) -> Result<BTreeMap<Exercise, Compiled>, GradingError> {
        let asked = Instant::now();
        let _turn = self.building.acquire().await;
        steps.wait = millis(asked);
        let began = Instant::now();
        let cgroup = self.cgroup("build", watchdog::BUILD_MEMORY);
        let compiler = Compiler {
            launcher: &self.launcher,
            libraries: &self.libraries,
            watchdog: &self.watchdog,
            cpu: self.build_cpu,
        };
        let place = Place { number, folder: temporary.join("build") };
        fs::create_dir(&place.folder)?;
        let sources = &candidate.sources;
        let compiled = compiler.compile(&place, cgroup.as_ref(), sources, &candidate.files).await?;
        steps.build = millis(began);
        Ok(compiled)
    }

    /// Runs a worker, and ends it with all that it started. Returns what the watchdog had to do.
    async fn work(
        &self,
        task: &Path,
        cgroup: Option<&Cgroup>,
    ) -> Result<Option<String>, GradingError> {
        let mut command = self.launcher.worker(cgroup, task).into_command();
        // Servers inherit from the worker, and need nothing of the class.
        let names = ["PATH", "TMPDIR", "TEMP", "TMP", "SystemRoot"];
        command
            .env_clear()
            .envs(names.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let folder = task.parent().and_then(Path::file_name).unwrap_or_default();
        let mark = format!("worker-{}-{}", std::process::id(), folder.display());
        let (mut worker, _, stderr) = Process::spawn(command, &mark)?;
        let processes = usize::try_from(PROCESSES).unwrap_or(usize::MAX);
        let limits = Limits { memory: watchdog::MEMORY, processes, first_too: false };
        let watch = self.watchdog.watch(worker.id(), limits);
        let mut words = Vec::new();
        let run = async {
            if let Some(stderr) = stderr {
                let _ = stderr.take(WORDS).read_to_end(&mut words).await;
            }
            worker.wait().await
        };
        let ended = tokio::time::timeout(LIMIT, run).await;
        process::kill(worker.id());
        let note = watch.ended().map(|ended| format!("processes of the submission were {ended}"));
        let status = ended.map_err(|_| GradingError::TimedOut)??;
        if status.success() {
            return Ok(note);
        }
        let words = String::from_utf8_lossy(&words);
        let words = note.unwrap_or_else(|| words.trim().to_string());
        Err(GradingError::Worker { status, words })
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Tells a program that needs a crate of its own manifest from one that does not compile.
fn reject(exercise: Exercise, rejected: &Rejected, changes: Option<&Changes>) -> Submitted {
    let added = changes.map(|changes| changes.added.iter()).into_iter().flatten();
    let needs = |name: &&String| rejected.not_found.contains(&name.replace('-', "_"));
    let crates: Vec<String> = added.filter(needs).map(|name| line(name, 60)).collect();
    let mut words = block(&rejected.words, 8 << 10);
    if let Some(note) = changes.and_then(|changes| changes.describe(exercise)) {
        words = format!("{}\n\n{}", words.trim_end(), line(&note, 500));
    }
    match crates[..] {
        [] => Submitted::Rejected(words),
        _ => Submitted::NotAllowed { crates, words },
    }
}

/// Copies a program to the folder from which servers are started. A link is refused, since it could
/// lead to any file.
fn copy_program(path: &Path, kept: &Path) -> Result<PathBuf, GradingError> {
    if !path.symlink_metadata()?.is_file() {
        return Err(GradingError::NoProgram { path: path.to_path_buf() });
    }
    fs::copy(path, kept)?;
    make_runnable(kept)?;
    Ok(kept.to_path_buf())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(VERDICTS).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
fn make_runnable(program: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_runnable(_program: &Path) -> io::Result<()> {
    Ok(())
}

/// Lets other users pass through a folder without listing it.
#[cfg(unix)]
pub(crate) fn open_to_all(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
}

#[cfg(not(unix))]
pub(crate) fn open_to_all(_folder: &Path) -> io::Result<()> {
    Ok(())
}
