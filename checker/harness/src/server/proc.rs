//! The processes of this machine, from Linux's `/proc`. Empty on other systems.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The processes that existed at some time; none by default. Reading `/proc/PID` is slow, and there
/// may be hundreds. Processes that existed before the server started are skipped.
#[derive(Debug, Default)]
pub struct Before(
    #[cfg_attr(not(unix), expect(dead_code, reason = "`newer` exists on Unix only"))] BTreeSet<u32>,
);

impl Before {
    /// Lists the processes that exist now.
    pub(crate) fn now() -> Self {
        Before(processes().map(|(id, _)| id).collect())
    }

    /// Removes those that have ended: their ids may be reused.
    #[cfg(unix)]
    pub(super) fn remove_exited(&mut self) {
        let present = Before::now();
        self.0.retain(|id| present.0.contains(id));
    }

    /// Returns all later processes: id and folder in `/proc`.
    #[cfg(unix)]
    pub(super) fn newer(&self) -> impl Iterator<Item = (u32, PathBuf)> {
        processes().filter(|(id, _)| !self.0.contains(id))
    }
}

fn processes() -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
}

/// The ids that relate a process to others.
#[cfg(target_os = "linux")]
pub(super) struct Ancestry {
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Zero if the session leader is outside this PID namespace, as in a container.
    pub(super) session: u32,
}

#[cfg(target_os = "linux")]
impl Ancestry {
    /// Reads the ids from a folder in `/proc`; `None` if the process has ended.
    pub(super) fn read(process: &std::path::Path) -> Option<Ancestry> {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // The name in parentheses may contain any character. State, parent, group and session
        // follow.
        let (_, after) = stat.rsplit_once(')')?;
        let mut ids = after.split_whitespace().skip(1).map(|word| word.parse().ok());
        Some(Ancestry { parent: ids.next()??, group: ids.next()??, session: ids.next()?? })
    }
}
