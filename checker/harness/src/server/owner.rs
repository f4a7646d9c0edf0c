//! The owner of the socket that a ready line names.
//!
//! A ready line can name the port of a server that started later than this one, so that the port
//! was free before. Linux lists the sockets of a process in `/proc/PID/fd`. Other systems do not
//! look.

use super::proc::Before;

/// Returns whether a process of another server holds a socket that listens on this port.
///
/// A process without a mark, such as a container's proxy, counts as the server's own.
#[cfg(target_os = "linux")]
pub(super) fn is_another(server: u32, port: u16, before: &Before) -> bool {
    use std::collections::BTreeMap;

    use super::proc::Ancestry;
    use super::socket::Listening;

    let sockets = Listening::now().on(port);
    let holds = |process: &std::path::Path| {
        let files = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|file| {
            let inode =
                file.to_str().and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']'));
            inode.and_then(|inode| inode.parse().ok()).is_some_and(|inode| sockets.contains(&inode))
        })
    };
    let read = |before: &Before| -> BTreeMap<u32, (Ancestry, std::path::PathBuf)> {
        before.newer().filter_map(|(id, path)| Some((id, (Ancestry::read(&path)?, path)))).collect()
    };
    let related = |mut id: u32, processes: &BTreeMap<u32, (Ancestry, std::path::PathBuf)>| {
        // Bounded, since the tree may change while it is read.
        for _ in 0..64 {
            match processes.get(&id) {
                _ if id == server => return true,
                Some((ancestry, _)) if ancestry.session == server => return true,
                Some((ancestry, _)) => id = ancestry.parent,
                None => return false,
            }
        }
        false
    };
    // The server's own processes are newer than the server. They come first, since the search
    // mostly ends with them.
    let newer = read(before);
    if newer.iter().any(|(id, (_, path))| related(*id, &newer) && holds(path)) {
        return false;
    }
    // Another server may be older than this one and listen later.
    let all = read(&Before::default());
    let marked = |process: &std::path::Path| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        memchr::memmem::find(&environment, format!("{}=", super::process::MARK).as_bytes())
            .is_some()
    };
    all.iter().any(|(id, (_, path))| !related(*id, &all) && marked(path) && holds(path))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_another(_server: u32, _port: u16, _before: &Before) -> bool {
    false
}
