//! Writes the files of a submission, each in one step.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::Submission;

/// Returns the folder of one submission. Submissions have a folder apart from the class's files, so
/// that names never collide.
pub(crate) fn folder(out: &Path, name: &str) -> PathBuf {
    out.join("submissions").join(name)
}

/// Replaces a file in one step.
pub(crate) fn whole(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let part = path.with_file_name(name);
    fs::write(&part, bytes)?;
    fs::rename(part, path)
}

/// Writes all files of one submission. `result.json` comes last, and says that the rest is there.
pub(crate) fn write(out: &Path, result: &Submission, report: &str) -> io::Result<()> {
    let folder = folder(out, &result.name);
    fs::create_dir_all(&folder)?;
    whole(&folder.join("report.txt"), report)?;
    whole(&folder.join("report.html"), crate::pages::submission(result, report))?;
    let json = serde_json::to_string_pretty(result).map_err(io::Error::other)?;
    whole(&folder.join("result.json"), json + "\n")
}

/// The result of this submission, if there is a whole one.
pub(crate) fn read(out: &Path, name: &str) -> Option<Submission> {
    serde_json::from_slice(&fs::read(folder(out, name).join("result.json")).ok()?).ok()
}
