//! Puts an exercise back to its skeleton, and keeps a copy of the student's file.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The result of a reset.
#[derive(Debug, PartialEq, Eq)]
pub enum Reset {
    /// The file was the skeleton already.
    Untouched,
    /// The file was missing and was created.
    Restored,
    /// The file was replaced. Its copy is at this path.
    Kept(PathBuf),
}

/// Replaces this file by the skeleton. On an error the file is unchanged.
pub fn reset(file: &Path, skeleton: &str) -> io::Result<Reset> {
    // Bytes, not text: the student's file may not be UTF-8.
    let theirs = match fs::read(file) {
        Ok(theirs) if theirs == skeleton.as_bytes() => return Ok(Reset::Untouched),
        Ok(theirs) => Some(theirs),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let kept = theirs.map(|theirs| keep(file, &theirs)).transpose()?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    // A rename never leaves half a file. It also replaces a read-only file, as the student asked.
    let new = file.with_extension("rs.new");
    let replaced = fs::write(&new, skeleton).and_then(|()| replace(&new, file));
    if let Err(error) = replaced {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    Ok(kept.map_or(Reset::Restored, Reset::Kept))
}

/// Renames `new` to `file`. Windows refuses to replace a read-only file, so that flag is cleared.
fn replace(new: &Path, file: &Path) -> io::Result<()> {
    let Err(error) = fs::rename(new, file) else { return Ok(()) };
    let Ok(metadata) = fs::metadata(file) else { return Err(error) };
    if !cfg!(windows) || !metadata.permissions().readonly() {
        return Err(error);
    }
    let mut permissions = metadata.permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "this is for Windows only")]
    permissions.set_readonly(false);
    fs::set_permissions(file, permissions)?;
    fs::rename(new, file)
}

/// Writes a copy beside the file, under an unused name, and reads it back.
fn keep(file: &Path, theirs: &[u8]) -> io::Result<PathBuf> {
    let stamp = stamp(SystemTime::now());
    for number in 1.. {
        let again = if number == 1 { String::new() } else { format!("-{number}") };
        let copy = file.with_extension(format!("{stamp}{again}.rs"));
        match OpenOptions::new().write(true).create_new(true).open(&copy) {
            Ok(mut open) => {
                open.write_all(theirs)?;
                open.sync_all()?;
                return match fs::read(&copy)? == theirs {
                    true => Ok(copy),
                    false => {
                        Err(io::Error::other(format!("{} is not what was written", copy.display())))
                    }
                };
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("there is always one more number")
}

/// Renders a time in UTC, as `20250131-235959`.
fn stamp(time: SystemTime) -> String {
    // Formatting panics for a clock that is set before 1970.
    let time = humantime::format_rfc3339_seconds(time.max(UNIX_EPOCH)).to_string();
    time.replace(['-', ':', 'Z'], "").replace('T', "-")
}
