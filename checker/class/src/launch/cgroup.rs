//! A cgroup (v2) for each submission, where the system lets the grader make one.
//!
//! It counts the memory of all processes together, shared pages and pages of files in memory
//! included, and it ends them all with one write. What is missing here is done by the watchdog.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The cgroup below which each submission gets its own.
#[derive(Debug)]
pub(crate) struct Cgroups {
    folder: PathBuf,
    /// Whether memory and the number of processes can be limited, or processes only be ended
    /// together.
    pub(crate) limits: bool,
}

/// The cgroup of one submission, which ends with everything in it when it is dropped.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folder: PathBuf,
}

impl Cgroups {
    /// Makes the folder for a class, if this user may.
    pub(crate) fn open() -> Option<Cgroups> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
        Cgroups::below(&mount_point(&mounts)?.join(path)).ok()
    }

    fn below(own: &Path) -> io::Result<Cgroups> {
        let folder = own.join(format!("workbook-class-{}", std::process::id()));
        fs::create_dir(&folder)?;
        // A cgroup with processes of its own passes no controllers on, except the root: the grader
        // moves out of the way. If others are left, this fails, and there are no limits.
        let leaf = folder.join("grader");
        let delegate = || -> io::Result<()> {
            let wanted = "+memory +pids";
            if fs::write(own.join("cgroup.subtree_control"), wanted).is_err() {
                fs::create_dir(&leaf)?;
                fs::write(leaf.join("cgroup.procs"), "0")?;
                fs::write(own.join("cgroup.subtree_control"), wanted)?;
            }
            fs::write(folder.join("cgroup.subtree_control"), wanted)
        };
        let limits = delegate().is_ok();
        let cgroups = Cgroups { folder, limits };
        // Ending all processes at once is new in Linux 5.14, and without it or limits a cgroup is
        // of no use.
        let probe = cgroups.make("probe", 1 << 30, 64)?;
        if !limits && !probe.folder.join("cgroup.kill").exists() {
            return Err(io::Error::other("no controllers, and no cgroup.kill"));
        }
        Ok(cgroups)
    }

    /// The cgroup of one submission.
    pub(crate) fn make(&self, name: &str, memory: u64, processes: u64) -> io::Result<Cgroup> {
        let folder = self.folder.join(name);
        fs::create_dir(&folder)?;
        let cgroup = Cgroup { folder };
        if self.limits {
            let set = |file: &str, value: String| fs::write(cgroup.folder.join(file), value);
            set("memory.max", memory.to_string())?;
            set("pids.max", processes.to_string())?;
            // Memory that is swapped out would count twice. Not every kernel has swap.
            let _ = set("memory.swap.max", "0".to_string());
        }
        Ok(cgroup)
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        // The grader goes back to where it was, so that nothing keeps the folder.
        if let Some(own) = self.folder.parent() {
            let _ = fs::write(own.join("cgroup.procs"), "0");
        }
        let _ = fs::remove_dir(self.folder.join("grader"));
        let _ = fs::remove_dir(&self.folder);
    }
}

impl Cgroup {
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// How often a limit of this cgroup was met: memory, then processes.
    pub(crate) fn limits_met(&self) -> (u64, u64) {
        let count = |file: &str, name: &str| {
            let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
            crate::machine::value_of(&text, name).unwrap_or(0)
        };
        (count("memory.events", "oom"), count("pids.events", "max"))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::write(self.folder.join("cgroup.kill"), "1");
        // The folder can be removed as soon as the last process is gone, which takes it a moment.
        for _ in 0..200 {
            match fs::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                _ => break,
            }
        }
    }
}

/// Where the second version is mounted.
fn mount_point(mounts: &str) -> Option<PathBuf> {
    let line = mounts.lines().find(|line| line.contains(" - cgroup2 "))?;
    line.split(' ').nth(4).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_where_controllers_are_delegated() {
        let own = tempfile::tempdir().expect("a folder");
        let cgroups = Cgroups::below(own.path()).expect("a tree of plain files");
        assert!(cgroups.limits);
        let one = cgroups.make("one", 7 << 20, 64).expect("a cgroup");
        let read = |name: &str| fs::read_to_string(one.path().join(name)).expect("a file");
        assert_eq!(
            (read("memory.max"), read("pids.max")),
            ("7340032".to_string(), "64".to_string())
        );
        let delegated = fs::read_to_string(own.path().join("cgroup.subtree_control"));
        assert_eq!(delegated.expect("a file"), "+memory +pids");
    }

    #[test]
    fn the_mount_point_is_found_beside_the_first_version() {
        let mounts = "35 24 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      36 24 0:31 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        assert_eq!(mount_point(mounts), Some(PathBuf::from("/sys/fs/cgroup/unified")));
    }
}
