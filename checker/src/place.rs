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
    let beside = beside(path)?;
    create(&beside, b"").map_err(|error| cannot(path, &error))?;
    fs::remove_file(&beside).map_err(|error| cannot(path, &error))
}

/// Writes a temporary file beside the path and renames it. On an error the previous file remains.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    let beside = beside(path)?;
    let written = create(&beside, text.as_bytes()).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&beside);
        cannot(path, &error)
    })
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn beside(path: &Path) -> Result<PathBuf, String> {
    let name = path
        .file_name()
        .ok_or_else(|| format!("cannot write {}: wanted: a file's path", path.display()))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}-{:08x}", std::process::id(), rand::random::<u32>()));
    Ok(path.with_file_name(hidden))
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!(
        "cannot write {}: {error}; wanted: a path in a directory that is there and may be written",
        path.display()
    )
}
