//! Which builds were seen to be right when they were no longer young.
//!
//! A server that is right only in its first second is found by a check that waits for longer than that. Of the same
//! program this need not be seen twice: who grades again what has not changed is spared the wait, and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use crate::store;

const FILE: &str = "ages.json";

/// One build of a program, and whether it has been waited for before.
#[derive(Debug, Clone)]
pub struct Age {
    path: PathBuf,
    stamp: Stamp,
    seen: bool,
}

/// What tells a build from the next: cargo writes the file only if something changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    /// Since the Unix epoch, in nanoseconds.
    modified: u64,
}

impl Age {
    /// The build that is at this path now; `None` if the system does not tell builds apart.
    pub fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        let modified = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        let stamp = Stamp { bytes: file.len(), modified: u64::try_from(modified.as_nanos()).ok()? };
        let seen = stamps().get(path) == Some(&stamp);
        Some(Age { path: path.to_path_buf(), stamp, seen })
    }

    /// Whether this build has been seen to be right after its first second.
    pub fn seen(&self) -> bool {
        self.seen
    }

    /// Remembers that it has.
    ///
    /// # Errors
    /// When `target/checker/` can't be written.
    pub fn remember(&self) -> io::Result<()> {
        let mut stamps = stamps();
        stamps.insert(self.path.clone(), self.stamp.clone());
        store::write(FILE, &stamps)
    }
}

fn stamps() -> BTreeMap<PathBuf, Stamp> {
    store::read(FILE)
}
