//! What is asked of the system: processors and file descriptors.
//!
//! All of this is known on Linux. Elsewhere nothing is pinned, rates are by the clock, and memory is not measured.

use std::io;

/// Where it was measured, in a line.
pub fn describe() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(format!(" ({})", line.split_once(':')?.1.trim()))
    });
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{os} on {arch}, {processors} processors{}", model.unwrap_or_default())
}

/// From now on this thread, and what it starts, runs on that processor alone. Whether that could be had.
pub fn pin(processor: usize) -> bool {
    #[cfg(target_os = "linux")]
    {
        let mut set = rustix::thread::CpuSet::new();
        set.set(processor);
        rustix::thread::sched_setaffinity(None, &set).is_ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = processor;
        false
    }
}

/// Makes room for that many connections, here and in what is started from here.
///
/// # Errors
/// When the system allows fewer.
pub fn make_room(connections: usize) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let wanted = connections as u64 + 100;
        let limit = getrlimit(Resource::Nofile);
        if limit.current.is_none_or(|current| current >= wanted) {
            return Ok(());
        }
        let raised = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum.map(|maximum| maximum.max(wanted)),
        };
        setrlimit(Resource::Nofile, raised)?;
    }
    let _ = connections;
    Ok(())
}
