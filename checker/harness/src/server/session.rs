//! The session that a server leads, apart from the terminal and from the files of the checker.

use tokio::process::Command;

/// Starts the command as the leader of a session, and so of a process group, with no files but its
/// standard streams.
///
/// A process without a controlling terminal cannot push input into it (`TIOCSTI`). No process can
/// join the session of another, so the session id also finds descendants that changed their group
/// or their environment.
#[expect(unsafe_code, reason = "the standard library has no stable function that makes a session")]
pub(super) fn lead(command: &mut Command) {
    let enter = || {
        nix::unistd::setsid()?;
        close_others();
        Ok(())
    };
    // SAFETY: between fork and exec, `enter` makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(enter);
    }
}

/// Marks every file descriptor above the standard streams to be closed by `exec`. Kernels before
/// 5.11 do not know the call; there, descriptors that the checker inherited open stay open.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "libc has no safe wrapper")]
fn close_others() {
    // SAFETY: the call reads no memory, and a descriptor of this process is closed only by the
    // `exec` that follows.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
    }
}

#[cfg(not(target_os = "linux"))]
fn close_others() {}
