//! Finds out which sandbox this machine has, by trying what a grading will do: distributions differ
//! in what they allow.

use std::path::Path;
use std::process::{Command, Stdio};

use thiserror::Error;

use super::{LANDLOCK_ABI, LANDLOCK_KERNEL, Launcher, Level, Sandbox, Wanted};

/// Why there is no sandbox as it was asked for.
#[derive(Debug, Error)]
#[error(
    "no submission is run, since this machine has no sandbox for it\n  {}\n  \
     install bubblewrap and iproute2 and allow user namespaces, or see platforms/README.md; \
     `--sandbox off` runs submissions that are trusted",
    reasons.join("\n  ")
)]
pub(crate) struct NoSandbox {
    reasons: Vec<String>,
}

/// The sandbox that was asked for, with remarks for the instructor.
pub(crate) fn probe(wanted: Wanted, ours: &Path) -> Result<(Sandbox, Vec<String>), NoSandbox> {
    let root = is_root();
    let user_processes = user_processes();
    let abi = landlock_abi(ours);
    let landlock = (abi >= LANDLOCK_ABI).then_some(abi);
    let sandbox = |level| Sandbox { level, landlock, root, user_processes };
    let works = |level| try_out(sandbox(level), ours);
    let mut reasons = Vec::new();
    if !cfg!(target_os = "linux") && wanted != Wanted::Off {
        reasons.push("only Linux has what a sandbox is made of".to_string());
        return Err(NoSandbox { reasons });
    }
    if matches!(wanted, Wanted::Require | Wanted::Bubblewrap) {
        match works(Level::Bubblewrap) {
            Ok(()) => return Ok((sandbox(Level::Bubblewrap), Vec::new())),
            Err(why) => reasons.push(format!("bubblewrap: {why}")),
        }
    }
    if matches!(wanted, Wanted::Require | Wanted::Landlock) {
        match landlock {
            None => reasons.push(format!(
                "Landlock: this kernel has ABI {abi}, wanted is {LANDLOCK_ABI}, which {LANDLOCK_KERNEL} has"
            )),
            Some(_) => match works(Level::Landlock) {
                Ok(()) => {
                    reasons.push(
                        "Landlock alone: processes can be seen, and no limit counts all files"
                            .to_string(),
                    );
                    return Ok((sandbox(Level::Landlock), reasons));
                }
                Err(why) => reasons.push(format!("Landlock: {why}")),
            },
        }
    }
    if wanted == Wanted::Off {
        match works(Level::Off) {
            Ok(()) => {
                let user = if root { "as a user that owns nothing" } else { "as you" };
                reasons.push(format!("no sandbox, as asked for: submissions run {user}"));
                return Ok((sandbox(Level::Off), reasons));
            }
            Err(why) => reasons.push(why),
        }
    }
    Err(NoSandbox { reasons })
}

/// The ABI of this kernel's Landlock, 0 without one.
fn landlock_abi(ours: &Path) -> i32 {
    let output = Command::new(ours).arg("landlock-abi").stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// What the hidden command prints.
pub(crate) fn print_landlock_abi() {
    #[cfg(target_os = "linux")]
    println!("{}", super::rules::abi());
    #[cfg(not(target_os = "linux"))]
    println!("0");
}

/// Runs a program behind the same walls as a server, in a worker's network.
fn try_out(sandbox: Sandbox, ours: &Path) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    let launcher = Launcher { sandbox, ours: ours.to_path_buf() };
    let scratch = std::env::temp_dir();
    // `env` answers with success, and is everywhere that `/usr` is.
    let server = launcher.server(Path::new("/usr/bin/env"), &scratch, 0).into_strings();
    let mut line: Vec<String> = Vec::new();
    if launcher.sandbox.level == Level::Bubblewrap {
        line.extend(super::network(launcher.sandbox.root).map(String::from));
    }
    line.extend(server);
    let output = Command::new(&line[0])
        .args(&line[1..])
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .output();
    let output = output.map_err(|error| format!("{}: {error}", line[0]))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().find(|line| !line.trim().is_empty());
    Err(first.map_or_else(|| output.status.to_string(), |line| crate::text::line(line, 300)))
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// How many processes and threads this user may have while a class is graded: those of now, and
/// room for the class. Without this limit a fork bomb would only end when the watchdog sees it.
#[cfg(target_os = "linux")]
fn user_processes() -> Option<u64> {
    use std::os::unix::fs::MetadataExt;

    let uid = rustix::process::getuid().as_raw();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let own = processes.filter(|process| process.metadata().is_ok_and(|file| file.uid() == uid));
    let threads = own
        .map(|process| std::fs::read_dir(process.path().join("task")).map_or(0, Iterator::count));
    Some(threads.sum::<usize>() as u64 + 4 * super::SERVER_PROCESSES)
}

#[cfg(not(target_os = "linux"))]
fn user_processes() -> Option<u64> {
    None
}
