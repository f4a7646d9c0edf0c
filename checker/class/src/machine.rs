//! What this machine has room for, and how often it refused something.
//!
//! A machine that has no process or no memory left makes right servers look wrong. What was refused
//! is counted by the kernel, for each cgroup that the grader is in.

use std::fs;
use std::path::{Path, PathBuf};

/// Processes and threads of one submission that is graded, its worker and its sandboxes included:
/// 74 were counted.
const PROCESSES: u64 = 128;
/// Memory of one submission that is graded or built, in bytes: 210 MiB were counted.
const MEMORY: u64 = 320 << 20;

/// How many processes were refused and how many were killed for want of memory, since the machine
/// was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    processes: u64,
    kills: u64,
}

impl Refusals {
    pub(crate) fn now() -> Self {
        let folders = Folders::of_this_process();
        let events = |folders: &[PathBuf], file: &str, name: &str| {
            let texts =
                folders.iter().filter_map(|folder| fs::read_to_string(folder.join(file)).ok());
            texts.filter_map(|text| value_of(&text, name)).sum::<u64>()
        };
        let vmstat = fs::read_to_string("/proc/vmstat").unwrap_or_default();
        Refusals {
            processes: events(&folders.pids, "pids.events", "max"),
            kills: value_of(&vmstat, "oom_kill").unwrap_or(0)
                + events(&folders.memory, "memory.events", "oom_kill")
                + events(&folders.memory, "memory.oom_control", "oom_kill"),
        }
    }

    /// What the machine refused since `before`, in words.
    pub(crate) fn since(self, before: Refusals) -> Option<&'static str> {
        if self.kills > before.kills {
            Some("the machine ran out of memory")
        } else if self.processes > before.processes {
            Some("the machine had no room for another process")
        } else {
            None
        }
    }
}

/// How many submissions fit beside each other, at most `jobs` and at least one.
pub(crate) fn fitting(jobs: usize) -> usize {
    let folders = Folders::of_this_process();
    let processes = folders.pids.iter().filter_map(|folder| {
        Some(number(folder, "pids.max")?.saturating_sub(number(folder, "pids.current")?))
    });
    let memory = folders.memory.iter().filter_map(|folder| {
        let limit = number(folder, "memory.max").or(number(folder, "memory.limit_in_bytes"))?;
        let used = number(folder, "memory.current").or(number(folder, "memory.usage_in_bytes"))?;
        // Cached files make room when it is needed.
        let stat = fs::read_to_string(folder.join("memory.stat")).ok()?;
        let cached = value_of(&stat, "total_cache").or(value_of(&stat, "file"))?;
        Some(limit.saturating_sub(used.saturating_sub(cached)))
    });
    let fits = |room: Option<u64>, each: u64| {
        room.and_then(|room| usize::try_from(room / each).ok()).unwrap_or(usize::MAX)
    };
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
    });
    jobs.min(fits(processes.min(), PROCESSES))
        .min(fits(memory.chain(available).min(), MEMORY))
        .max(1)
}

/// The value in the line `name value`.
pub(crate) fn value_of(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(its, _)| *its == name)?.1.trim().parse().ok()
}

/// The number in a file; `None` for the word `max`.
fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

/// The cgroups that this process is in, each with those above it, by controller.
struct Folders {
    pids: Vec<PathBuf>,
    memory: Vec<PathBuf>,
}

impl Folders {
    fn of_this_process() -> Folders {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Folders::of(&mounts, &own)
    }

    fn of(mounts: &str, own: &str) -> Folders {
        let of = |controller: &str| {
            let folders = own.lines().filter_map(|line| {
                let mut parts = line.splitn(3, ':').skip(1);
                let (controllers, path) = (parts.next()?, parts.next()?);
                // The second version has one tree for all controllers, and names none.
                let ours =
                    controllers.is_empty() || controllers.split(',').any(|its| its == controller);
                let (root, point) = ours.then(|| mount(mounts, controllers, controller))??;
                let below = path.strip_prefix(&root).unwrap_or(path).trim_start_matches('/');
                let folder = point.join(below);
                let above = folder.ancestors().take_while(|above| above.starts_with(&point));
                Some(above.map(Path::to_path_buf).collect::<Vec<_>>())
            });
            folders.flatten().collect()
        };
        Folders { pids: of("pids"), memory: of("memory") }
    }
}

/// The root and the mount point of the tree with this controller.
fn mount(mounts: &str, controllers: &str, controller: &str) -> Option<(String, PathBuf)> {
    mounts.lines().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let fits = match controllers {
            "" => kind == "cgroup2",
            _ => kind == "cgroup" && options.split(',').any(|option| option == controller),
        };
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        fits.then(|| (root.to_string(), PathBuf::from(point)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_cgroups_are_found() {
        let mounts = "35 24 0:30 / /sys/fs/cgroup/pids rw shared:1 - cgroup cgroup rw,pids\n\
                      36 24 0:31 /box /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let folders = Folders::of(mounts, "8:pids:/a/b\n0::/box/c\n");
        let pids = ["pids/a/b", "pids/a", "pids", "unified/c", "unified"];
        let pids = pids.map(|path| Path::new("/sys/fs/cgroup").join(path));
        assert_eq!(folders.pids, pids);
        assert_eq!(folders.memory, pids[3..]);
    }

    #[test]
    fn counters_are_read_by_their_whole_name() {
        assert_eq!(value_of("oom 1\noom_kill 7\n", "oom_kill"), Some(7));
        assert_eq!(value_of("max 3\n", "oom_kill"), None);
    }
}
