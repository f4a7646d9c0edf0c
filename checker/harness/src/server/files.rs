//! The limit of open file descriptors. Each connection and each pipe of a server takes one.

use std::io;

/// Several times the most that a grading has open with all checks in parallel.
#[cfg(unix)]
const WANTED: u64 = 4096;

/// Raises the limit of this process, which child processes inherit. macOS defaults to 256, too few
/// for checks with a hundred clients. Windows has no such limit.
#[cfg(unix)]
pub(super) fn allow_many() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE)
        && now < WANTED.min(most)
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, WANTED.min(most), most);
    }
}

/// Renders an error, with advice if the process is out of file descriptors.
pub(crate) fn explained(error: &io::Error) -> String {
    #[cfg(unix)]
    if error.raw_os_error() == Some(nix::errno::Errno::EMFILE as i32) {
        return format!("{error}; after `ulimit -n {WANTED}` there is room");
    }
    error.to_string()
}
