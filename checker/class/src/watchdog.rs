//! Watches what each submission takes of the machine, with all processes that descend from its
//! first one.
//!
//! A limit of one process says nothing about five hundred, and not every machine has cgroups. A
//! build that neither ends nor computes waits for something that never comes, and holds the only
//! place where builds run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Memory of all processes of one submission, in bytes. A crowd of a hundred clients takes a tenth
/// of it.
pub(crate) const MEMORY: u64 = 1 << 30;
/// Memory of all processes of one build, in bytes: compiler and linker.
pub(crate) const BUILD_MEMORY: u64 = 3 << 30;
/// How often it looks. A process writes about 2 GiB of memory a second.
const EVERY: Duration = Duration::from_millis(100);
/// A build without any processor time for so long waits for something. At the lowest priority on a
/// busy machine it still gets a hundredth of a processor.
const STALLED_AFTER: Duration = Duration::from_secs(20);

/// Why something was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Memory(u64),
    Processes(usize),
    Stalled,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ended::Memory(limit) => write!(f, "ended at {} MiB of memory", limit >> 20),
            Ended::Processes(limit) => write!(f, "ended at {limit} processes"),
            Ended::Stalled => {
                write!(f, "ended after {} s without using a processor", STALLED_AFTER.as_secs())
            }
        }
    }
}

/// What may be taken by a process and its descendants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) memory: u64,
    pub(crate) processes: usize,
    /// Whether the first process is a submission's own, and ends like the others.
    pub(crate) first_too: bool,
}

#[derive(Debug)]
struct Watched {
    limits: Limits,
    ended: Option<Ended>,
    ticks: u64,
    idle: Duration,
}

#[derive(Default)]
struct Shared(Mutex<BTreeMap<u32, Watched>>);

impl Shared {
    fn watched(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs until it is dropped.
pub(crate) struct Watchdog(Arc<Shared>);

/// A process that is watched until this is dropped.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    id: u32,
}

impl Watchdog {
    pub(crate) fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let weak = Arc::downgrade(&shared);
        // A thread of its own: the runtime's threads may be busy.
        std::thread::spawn(move || {
            while let Some(shared) = weak.upgrade() {
                linux::look(&mut shared.watched());
                drop(shared);
                std::thread::sleep(EVERY);
            }
        });
        Watchdog(shared)
    }

    pub(crate) fn watch(&self, id: u32, limits: Limits) -> Watch {
        let watched = Watched { limits, ended: None, ticks: 0, idle: Duration::ZERO };
        self.0.watched().insert(id, watched);
        Watch { shared: self.0.clone(), id }
    }
}

impl Watch {
    /// Why processes were ended, if any were.
    pub(crate) fn ended(&self) -> Option<Ended> {
        self.shared.watched().get(&self.id).and_then(|watched| watched.ended)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.watched().remove(&self.id);
    }
}

#[cfg(not(target_os = "linux"))]
mod linux {
    use super::{BTreeMap, Watched};

    pub(super) fn look(_watched: &mut BTreeMap<u32, Watched>) {}
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use rustix::process::{Pid, Signal, kill_process};

    use super::{BTreeMap, EVERY, Ended, STALLED_AFTER, Watched};

    /// One process, from one line of the kernel's.
    struct Process {
        id: u32,
        parent: u32,
        ticks: u64,
        threads: usize,
        /// Resident memory in bytes, with the program's own text, of which some is shared.
        resident: u64,
    }

    pub(super) fn look(watched: &mut BTreeMap<u32, Watched>) {
        if watched.is_empty() {
            return;
        }
        let mut children: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let id = process.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(process) = id.and_then(read) {
                children.entry(process.parent).or_default().push(process);
            }
        }
        for (first, watched) in watched.iter_mut() {
            let mut family: Vec<&Process> =
                children.values().flatten().filter(|process| process.id == *first).collect();
            let mut next = 0;
            while let Some(process) = family.get(next) {
                next += 1;
                family.extend(children.get(&process.id).into_iter().flatten());
            }
            judge(watched, &family);
        }
    }

    fn judge(watched: &mut Watched, family: &[&Process]) {
        let limits = watched.limits;
        let ticks = family.iter().map(|process| process.ticks).sum();
        watched.idle = if ticks == watched.ticks { watched.idle + EVERY } else { EVERY };
        watched.ticks = ticks;
        let resident: u64 = family.iter().map(|process| process.resident).sum();
        let threads: usize = family.iter().map(|process| process.threads).sum();
        // Program text that processes share is counted for each: the exact sum is asked for only
        // when that is too much.
        let memory =
            |family: &[&Process]| family.iter().map(|process| private(process.id)).sum::<u64>();
        let ended = if resident > limits.memory && memory(family) > limits.memory {
            Ended::Memory(limits.memory)
        } else if threads > limits.processes {
            Ended::Processes(limits.processes)
        } else if limits.first_too && watched.idle >= STALLED_AFTER {
            Ended::Stalled
        } else {
            return;
        };
        watched.ended = Some(ended);
        let others = usize::from(!limits.first_too);
        // Our own worker ends only if it is itself what takes the memory.
        let alone = family.first().filter(|_| !limits.first_too).filter(
            |worker| matches!(ended, Ended::Memory(limit) if private(worker.id) > limit / 2),
        );
        for process in family.iter().skip(others).chain(alone) {
            if let Some(id) = i32::try_from(process.id).ok().and_then(Pid::from_raw) {
                let _ = kill_process(id, Signal::KILL);
            }
        }
    }

    fn read(id: u32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name, in parentheses, may hold anything. The third field follows it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Process {
            id,
            parent: number(4)?.try_into().ok()?,
            ticks: number(14)? + number(15)?,
            threads: number(20)?.try_into().ok()?,
            resident: number(24)? * rustix::param::page_size() as u64,
        })
    }

    /// Memory that has no file: the process's own and shared.
    fn private(id: u32) -> u64 {
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        (kib("RssAnon:").unwrap_or(0) + kib("RssShmem:").unwrap_or(0)) * 1024
    }
}
