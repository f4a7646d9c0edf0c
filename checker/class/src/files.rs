//! Files that are whole or not there at all.

use std::fs;
use std::io;
use std::path::Path;

use crate::model::Submission;

/// Writes a file in one step: whoever reads it sees the old one or the new one.
pub(crate) fn whole(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let part = path.with_file_name(name);
    fs::write(&part, bytes)?;
    fs::rename(part, path)
}

/// Writes all files of one submission; `result.json` comes last, and says that the rest is there.
pub(crate) fn write(folder: &Path, result: &Submission, report: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    whole(&folder.join("report.txt"), report)?;
    whole(&folder.join("report.html"), crate::page::submission(result, report))?;
    let json = serde_json::to_string_pretty(result).map_err(io::Error::other)?;
    whole(&folder.join("result.json"), json + "\n")
}

/// The result in this folder, if there is a whole one.
pub(crate) fn read(folder: &Path) -> Option<Submission> {
    serde_json::from_slice(&fs::read(folder.join("result.json")).ok()?).ok()
}
