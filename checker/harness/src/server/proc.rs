//! The processes of this machine, as Linux tells of them below `/proc`. Elsewhere nothing is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The processes that there were at some time. What the system tells of one is dear, and there may be hundreds of which
/// nothing need be asked, since they are older than what is looked for. By default there were none.
#[derive(Debug, Default)]
pub struct Before(
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix is asked what came later"))]
    BTreeSet<u32>,
);

impl Before {
    /// Those of now.
    pub fn now() -> Self {
        Before(processes().map(|(id, _)| id).collect())
    }

    /// Forgets those that have ended: others may get their ids.
    #[cfg(unix)]
    pub(super) fn remove_exited(&mut self) {
        let present = Before::now();
        self.0.retain(|id| present.0.contains(id));
    }

    /// All that came later: id, and folder below `/proc`.
    #[cfg(unix)]
    pub(super) fn newer(&self) -> impl Iterator<Item = (u32, PathBuf)> {
        processes().filter(|(id, _)| !self.0.contains(id))
    }
}

fn processes() -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

/// The ids a process is related by.
#[cfg(target_os = "linux")]
pub(super) struct Ancestry {
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Zero where the session began outside this namespace of processes, as in a container.
    pub(super) session: u32,
}

#[cfg(target_os = "linux")]
impl Ancestry {
    /// Reads them for the process of this folder below `/proc`; `None` when it is not one, or gone.
    pub(super) fn of(process: &std::path::Path) -> Option<Ancestry> {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // The name, in parentheses, may hold anything; state, parent, group and session follow it.
        let (_, after) = stat.rsplit_once(')')?;
        let mut ids = after.split_whitespace().skip(1).map(|word| word.parse().ok());
        Some(Ancestry { parent: ids.next()??, group: ids.next()??, session: ids.next()?? })
    }
}
