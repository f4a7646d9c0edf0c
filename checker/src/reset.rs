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
    let seconds =
        time.duration_since(UNIX_EPOCH).map(|passed| passed.as_secs()).unwrap_or_default();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the leap day is the last day of a year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
}
