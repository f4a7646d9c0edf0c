//! The journal: when checks first failed and first passed, and which hints were shown. A student
//! may switch it on. It stays in `target/checker/journal.json`.

use std::collections::BTreeMap;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use harness::exercise::Exercise;
use harness::store;
use serde::{Deserialize, Serialize};

use crate::skeleton;

const STORE: &str = "journal.json";

/// All entries, and whether new ones are added.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Journal {
    /// True if new entries are added.
    pub on: bool,
    /// The oldest entry first.
    pub entries: Vec<Entry>,
}

/// An event and its time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Seconds since 1970.
    pub at: u64,
    /// The event.
    pub event: Event,
}

/// An event in the journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Checks were graded.
    Graded {
        /// The ids of those that passed.
        passed: Vec<String>,
        /// The ids of those that failed.
        failed: Vec<String>,
    },
    /// A hint for this check was shown.
    Hint(String),
}

/// How a student got on with one TODO. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The exercise.
    pub exercise: Exercise,
    /// The number of the TODO.
    pub todo: u32,
    /// When one of its checks first failed, since the journal began.
    pub first_red: Option<u64>,
    /// When all of its checks had passed at least once, since the journal began.
    pub green: Option<u64>,
    /// The time since the TODO that was done before it.
    pub took: Option<u64>,
    /// The number of hints shown for its checks.
    pub hints: usize,
}

/// Reads the journal. A missing one is empty and switched off.
pub fn read() -> Journal {
    store::read(STORE)
}

/// Stores the journal.
pub fn write(journal: &Journal) -> io::Result<()> {
    store::write(STORE, journal)
}

/// Adds an entry if the journal is switched on.
pub fn note(event: Event) -> io::Result<()> {
    let mut journal = read();
    if !journal.on {
        return Ok(());
    }
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    journal.entries.push(Entry { at, event });
    write(&journal)
}

impl Journal {
    /// Returns the progress in all TODOs, in the order of the exercises.
    pub fn progress(&self) -> Vec<Progress> {
        let start = self.entries.first().map_or(0, |entry| entry.at);
        let (mut red, mut green) = (BTreeMap::new(), BTreeMap::new());
        for entry in &self.entries {
            let Event::Graded { passed, failed } = &entry.event else { continue };
            let at = entry.at.saturating_sub(start);
            for id in failed {
                red.entry(id.as_str()).or_insert(at);
            }
            for id in passed {
                green.entry(id.as_str()).or_insert(at);
            }
        }
        let hints = |ids: &[String]| {
            let events = self.entries.iter().map(|entry| &entry.event);
            events.filter(|event| matches!(event, Event::Hint(id) if ids.contains(id))).count()
        };
        let mut rows = Vec::new();
        for exercise in Exercise::ALL {
            for (todo, ids) in skeleton::todos(exercise) {
                let first_red = ids.iter().filter_map(|id| red.get(id.as_str())).min();
                let passed: Option<Vec<u64>> =
                    ids.iter().map(|id| green.get(id.as_str()).copied()).collect();
                rows.push(Progress {
                    exercise,
                    todo,
                    first_red: first_red.copied(),
                    green: passed.and_then(|times| times.into_iter().max()),
                    took: None,
                    hints: hints(&ids),
                });
            }
        }
        let mut done: Vec<u64> = rows.iter().filter_map(|row| row.green).collect();
        done.sort_unstable();
        for row in &mut rows {
            row.took = row.green.map(|green| {
                green - done.iter().rev().find(|before| **before < green).unwrap_or(&0)
            });
        }
        rows
    }
}
