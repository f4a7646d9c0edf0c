//! Files that are written whole or not at all.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Checks that a file can be written to this path, without leaving one.
pub fn try_out(path: &Path) -> Result<(), String> {
    if path.is_dir() {
        return Err(format!(
            "cannot write {}: it is a directory; wanted: a file's path",
            path.display()
        ));
    }
    let temporary = temporary_path(path)?;
    create(&temporary, b"").map_err(|error| write_error(path, &error))?;
    fs::remove_file(&temporary).map_err(|error| write_error(path, &error))
}

/// Writes a temporary file beside the path and renames it. On an error the previous file remains.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let temporary = temporary_path(path)?;
    let written = create(&temporary, text.as_bytes()).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        write_error(path, &error)
    })
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn temporary_path(path: &Path) -> Result<PathBuf, String> {
    let name = path
        .file_name()
        .ok_or_else(|| format!("cannot write {}: wanted: a file's path", path.display()))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}-{:08x}", std::process::id(), rand::random::<u32>()));
    Ok(path.with_file_name(hidden))
}

fn write_error(path: &Path, error: &io::Error) -> String {
    format!(
        "cannot write {}: {error}; wanted: a path in a directory that is there and may be written",
        path.display()
    )
}
