//! Tells when an exercise's files have changed.
//!
//! The system's file events make it quick; that it looks by itself as well makes it work where there are none (network
//! file systems, folders shared with a virtual machine). What counts is what is in the files: an editor may write them
//! in place, replace them, or touch them without a change.

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

/// How often it looks without having been told.
const LOOK: Duration = Duration::from_millis(120);
/// So long nothing may change before a save counts as complete.
const SETTLED: Duration = Duration::from_millis(15);
/// A file that is missing or empty is waited for so long: an editor may be about to write it.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(120);
/// A file's own time is believed if it is no older than this.
const RECENT: Duration = Duration::from_secs(2);

/// Exercises that were saved.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// Which.
    pub(crate) exercises: Vec<Exercise>,
    /// When the file was written, as far as its time can be believed.
    pub(crate) at: Instant,
    /// When that was noticed.
    pub(crate) noticed: Instant,
}

/// What is in an exercise's files: a fingerprint, when it was last written, and whether anything is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contents {
    fingerprint: u64,
    written: Option<SystemTime>,
    complete: bool,
}

/// Tells of saves of these exercises from now on, until the receiver is dropped.
pub(crate) fn saves(exercises: Vec<Exercise>) -> mpsc::UnboundedReceiver<Saved> {
    let (told, saved) = mpsc::unbounded_channel();
    // Not by the task, which may be late: what is saved before its turn would never be told of.
    let mut seen = look(&exercises);
    tokio::spawn(async move {
        let (_watcher, mut events) = events(&exercises);
        while !told.is_closed() {
            tokio::select! {
                Some(()) = events.recv() => {}
                () = sleep(LOOK) => {}
            }
            if !differs(&seen, &look(&exercises)) {
                continue;
            }
            let noticed = Instant::now();
            let now = settled(&exercises, noticed).await;
            while events.try_recv().is_ok() {}
            let changed =
                |exercise: &Exercise| seen[exercise].fingerprint != now[exercise].fingerprint;
            let changed: Vec<Exercise> = exercises.iter().copied().filter(changed).collect();
            if !changed.is_empty() {
                let written = changed.iter().filter_map(|exercise| now[exercise].written).max();
                let at = written.and_then(instant).map_or(noticed, |written| written.min(noticed));
                let _ = told.send(Saved { exercises: changed, at, noticed });
            }
            seen = now;
        }
    });
    saved
}

/// Events of the folders, not of the files: a file that is replaced takes its watcher with it.
fn events(exercises: &[Exercise]) -> (Option<RecommendedWatcher>, mpsc::Receiver<()>) {
    let (told, events) = mpsc::channel(1);
    // One that waits is as good as many.
    let handler = move |_: notify::Result<notify::Event>| {
        let _ = told.try_send(());
    };
    let watcher = notify::recommended_watcher(handler).ok().map(|mut watcher| {
        for exercise in exercises {
            // Where this fails, looking is enough.
            let _ = watcher.watch(&folder(*exercise), RecursiveMode::Recursive);
        }
        watcher
    });
    (watcher, events)
}

/// What is there once nothing changes any more.
async fn settled(exercises: &[Exercise], since: Instant) -> BTreeMap<Exercise, Contents> {
    let mut last = look(exercises);
    loop {
        sleep(SETTLED).await;
        let now = look(exercises);
        let complete = now.values().all(|contents| contents.complete);
        if (complete && !differs(&last, &now)) || since.elapsed() > RESPONSE_TIMEOUT {
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

/// What cargo may compile; not what editors put beside it.
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

/// A file's time on the clock that measures durations; none if it is old or in the future.
fn instant(written: SystemTime) -> Option<Instant> {
    let age = SystemTime::now().duration_since(written).ok().filter(|age| *age < RECENT)?;
    Instant::now().checked_sub(age)
}
