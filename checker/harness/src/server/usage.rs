//! Resource usage of a server and its child processes.

use std::time::Duration;

#[cfg(target_os = "linux")]
use std::{fs, path::PathBuf};

#[cfg(target_os = "linux")]
use super::proc::Ancestry;
use super::proc::Before;

/// Returns the resident memory of a process group in bytes; `None` where it is unknown.
pub fn memory(id: u32, before: &Before) -> Option<u64> {
    #[cfg(target_os = "linux")]
    return linux_memory(id, before);
    #[cfg(not(target_os = "linux"))]
    let _ = before;
    #[cfg(all(unix, not(target_os = "linux")))]
    {
        // Every member of the group; ps counts in KiB.
        let output =
            std::process::Command::new("ps").args(["-A", "-o", "pgid=,rss="]).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rows = text.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.parse::<u32>().ok()?, words.next()?.parse::<u64>().ok()?))
        });
        let total: u64 = rows.filter(|(group, _)| *group == id).map(|(_, kib)| kib * 1024).sum();
        (total > 0).then_some(total)
    }
    #[cfg(windows)]
    {
        let filter = format!("PID eq {id}");
        let output = std::process::Command::new("tasklist")
            .args(["/FI", &filter, "/FO", "CSV", "/NH"])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let digits: String =
            text.rsplit("\",\"").next()?.chars().filter(char::is_ascii_digit).collect();
        Some(digits.parse::<u64>().ok()? * 1024)
    }
}

/// Returns the total run-queue delay of the threads of a process group; `None` where it is unknown.
pub(crate) fn run_queue_delay(id: u32, before: &Before) -> Option<Duration> {
    schedstat_sum(id, before, 1)
}

/// Returns the total CPU time of a process group; `None` where it is unknown.
pub fn cpu_time(id: u32) -> Option<Duration> {
    schedstat_sum(id, &Before::default(), 0)
}

/// Sums up one column of the threads' `schedstat`, in nanoseconds: 0 is CPU time, 1 is run-queue
/// delay.
fn schedstat_sum(id: u32, before: &Before, column: usize) -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        let nanos = members(id, before).flat_map(|process| {
            let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
            threads.filter_map(|thread| {
                let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
                stat.split_whitespace().nth(column)?.parse::<u64>().ok()
            })
        });
        Some(Duration::from_nanos(nanos.sum()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (id, before, column);
        None
    }
}

#[cfg(target_os = "linux")]
fn linux_memory(group: u32, before: &Before) -> Option<u64> {
    let mut total = 0;
    for process in members(group, before) {
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let rss = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = rss.and_then(|rss| rss.split_whitespace().next()?.parse::<u64>().ok());
        total += kib.unwrap_or(0) * 1024;
    }
    (total > 0).then_some(total)
}

/// Returns the folders in `/proc` of all processes of this group.
#[cfg(target_os = "linux")]
fn members(group: u32, before: &Before) -> impl Iterator<Item = PathBuf> {
    let new = before.newer().map(|(_, process)| process);
    new.filter(move |process| Ancestry::read(process).is_some_and(|ids| ids.group == group))
}
