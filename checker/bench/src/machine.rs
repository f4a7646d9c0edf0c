//! Processors and file descriptors.
//!
//! Only Linux supports all of this. Elsewhere no process is pinned, rates are by the clock, and
//! memory is not measured.

use std::io;

/// Describes the machine in one line.
pub fn describe() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(format!(" ({})", line.split_once(':')?.1.trim()))
    });
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{os} on {arch}, {processors} processors{}", model.unwrap_or_default())
}

/// Pins this thread, and the processes it starts from now on, to one processor. Returns false if
/// the system refuses.
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

/// Raises the limit of open files for this process and its children.
///
/// # Errors
/// If the system does not allow so many.
pub fn allow_files(files: u64) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        if limit.current.is_none_or(|current| current >= files) {
            return Ok(());
        }
        let raised = Rlimit {
            current: Some(files),
            maximum: limit.maximum.map(|maximum| maximum.max(files)),
        };
        setrlimit(Resource::Nofile, raised)?;
    }
    let _ = files;
    Ok(())
}
