//! How many files may be open at a time: a connection is one, and so are a server's output and its error output.

use std::io;

/// As many as a grading has open at most, all checks side by side, several times over.
#[cfg(unix)]
const WANTED: u64 = 4096;

/// Raises this process's limit, and by that the limit of what it starts, if the system lets it. Some grant 256 unless
/// asked for more, as macOS does; that is too few for rooms of a hundred. Windows has no such limit.
#[cfg(unix)]
pub(super) fn allow_many() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE)
        && now < WANTED.min(most)
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, WANTED.min(most), most);
    }
}

/// The error, and what helps if it is that no more files can be opened.
pub(crate) fn explained(error: &io::Error) -> String {
    #[cfg(unix)]
    if error.raw_os_error() == Some(nix::errno::Errno::EMFILE as i32) {
        return format!("{error}; after `ulimit -n {WANTED}` there is room");
    }
    error.to_string()
}
