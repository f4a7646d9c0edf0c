//! Reports changes of an exercise's files.
//!
//! The system's file events make it fast. It polls as well, because some file systems have no
//! events: network file systems, or folders shared with a virtual machine. It compares contents,
//! because editors may replace files, or write them without a change.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::sleep;

use harness::exercise::{Exercise, Target};
use harness::server::build::workspace;

/// The polling interval.
const LOOK: Duration = Duration::from_millis(120);
/// A save counts as complete after this time without a change.
const SETTLED: Duration = Duration::from_millis(15);
/// The time limit for a missing or empty file, which an editor may be about to write.
const SAVE_TIMEOUT: Duration = Duration::from_millis(120);
/// The greatest age of a modification time that is used.
const RECENT: Duration = Duration::from_secs(2);

/// Exercises that were saved.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// The exercises.
    pub(crate) exercises: Vec<Exercise>,
    /// The time of the save: the modification time, or else the time of detection.
    pub(crate) at: Instant,
    /// The time of detection.
    pub(crate) noticed: Instant,
}

/// The state of an exercise's files: a fingerprint, the last modification, and whether `main.rs`
/// has any text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contents {
    fingerprint: u64,
    written: Option<SystemTime>,
    complete: bool,
}

/// Reports saves of these exercises from now on, until the receiver is dropped.
pub(crate) fn saves(exercises: Vec<Exercise>) -> mpsc::UnboundedReceiver<Saved> {
    let (sender, saved) = mpsc::unbounded_channel();
    // Not inside the task, which may start late and would miss a save before that.
    let mut seen = look(&exercises);
    tokio::spawn(async move {
        let (_watcher, mut events) = events(&exercises);
        while !sender.is_closed() {
            tokio::select! {
                Some(()) = events.recv() => {}
                () = sleep(LOOK) => {}
            }
            if !differs(&seen, &look(&exercises)) {
                continue;
            }
            let noticed = Instant::now();
            let now = wait_until_stable(&exercises, noticed).await;
            while events.try_recv().is_ok() {}
            let changed =
                |exercise: &Exercise| seen[exercise].fingerprint != now[exercise].fingerprint;
            let changed: Vec<Exercise> = exercises.iter().copied().filter(changed).collect();
            if !changed.is_empty() {
                let written = changed.iter().filter_map(|exercise| now[exercise].written).max();
                let at = written.and_then(instant).map_or(noticed, |written| written.min(noticed));
                let _ = sender.send(Saved { exercises: changed, at, noticed });
            }
            seen = now;
        }
    });
    saved
}

/// Watches the folders, not the files, because replacing a file ends its watch.
fn events(exercises: &[Exercise]) -> (Option<RecommendedWatcher>, mpsc::Receiver<()>) {
    let (sender, events) = mpsc::channel(1);
    // One pending event is enough, so a full channel is no error.
    let handler = move |_: notify::Result<notify::Event>| {
        let _ = sender.try_send(());
    };
    let watcher = notify::recommended_watcher(handler).ok().map(|mut watcher| {
        for exercise in exercises {
            // If this fails, polling is enough.
            let _ = watcher.watch(&folder(*exercise), RecursiveMode::Recursive);
        }
        watcher
    });
    (watcher, events)
}

/// Waits until nothing changes, and returns the state then.
async fn wait_until_stable(exercises: &[Exercise], since: Instant) -> BTreeMap<Exercise, Contents> {
    let mut last = look(exercises);
    loop {
        sleep(SETTLED).await;
        let now = look(exercises);
        let complete = now.values().all(|contents| contents.complete);
        if (complete && !differs(&last, &now)) || since.elapsed() > SAVE_TIMEOUT {
            return now;
        }
        last = now;
    }
}

fn differs(one: &BTreeMap<Exercise, Contents>, other: &BTreeMap<Exercise, Contents>) -> bool {
    one.iter().any(|(exercise, contents)| other[exercise].fingerprint != contents.fingerprint)
}

fn look(exercises: &[Exercise]) -> BTreeMap<Exercise, Contents> {
    exercises.iter().map(|exercise| (*exercise, contents(*exercise))).collect()
}

fn folder(exercise: Exercise) -> PathBuf {
    workspace().join("day1").join(exercise.name())
}

fn contents(exercise: Exercise) -> Contents {
    let main = workspace().join(exercise.source(Target::Day1));
    let mut files = vec![folder(exercise).join("Cargo.toml")];
    sources(&folder(exercise).join("src"), &mut files);
    files.sort();
    let mut hasher = DefaultHasher::new();
    let mut contents = Contents { fingerprint: 0, written: None, complete: false };
    for file in files {
        let Ok(text) = fs::read(&file) else { continue };
        contents.complete |= file == main && !text.is_empty();
        (&file, text).hash(&mut hasher);
        contents.written =
            contents.written.max(fs::metadata(&file).and_then(|metadata| metadata.modified()).ok());
    }
    contents.fingerprint = hasher.finish();
    contents
}

/// Adds the Rust sources in a folder, without hidden files, which editors leave there.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Converts a modification time to an `Instant`; `None` if it is too old or in the future.
fn instant(written: SystemTime) -> Option<Instant> {
    let age = SystemTime::now().duration_since(written).ok().filter(|age| *age < RECENT)?;
    Instant::now().checked_sub(age)
}
