//! Puts an exercise back to its skeleton, and keeps what was there.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What became of the student's file.
#[derive(Debug, PartialEq, Eq)]
pub enum Reset {
    /// It was the skeleton already.
    Untouched,
    /// There was none; now there is the skeleton.
    Restored,
    /// It is kept in this file, and the skeleton is in its place.
    Kept(PathBuf),
}

/// Puts the skeleton in the place of this file. Whatever happens on the way, what was in the file is in it or beside it.
///
/// # Errors
/// When the file can't be kept or replaced; then it is as it was.
pub fn reset(file: &Path, skeleton: &str) -> io::Result<Reset> {
    // Bytes, not text: what is kept need not be Rust, nor even UTF-8.
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
    // Written beside it and renamed, so that there is no moment with half a file; this replaces a read-only file, too,
    // which is what was asked for.
    let new = file.with_extension("rs.new");
    let replaced = fs::write(&new, skeleton).and_then(|()| replace(&new, file));
    if let Err(error) = replaced {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    Ok(kept.map_or(Reset::Restored, Reset::Kept))
}

/// Windows does not let a read-only file be replaced.
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

/// Writes a copy beside the file, under a name that nobody has, and reads it back.
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

/// Year to second, in UTC, as `20250131-235959`.
fn stamp(time: SystemTime) -> String {
    let seconds =
        time.duration_since(UNIX_EPOCH).map(|passed| passed.as_secs()).unwrap_or_default();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, counted in years that begin in March, so that the leap day is the last.
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
