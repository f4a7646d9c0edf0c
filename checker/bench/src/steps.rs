//! The way from the plain server to the tuned one, as patches.
//!
//! `solutions/fast/steps/` holds them. The first applies to `solutions/broadcast/src/main.rs`, each
//! other one to the result of the patch before it. The last result is `solutions/fast/src/main.rs`.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// The patches, from the workspace's root.
pub const FOLDER: &str = "solutions/fast/steps";
/// The file the first patch applies to.
pub const PLAIN: &str = "solutions/broadcast/src/main.rs";
/// The file the last patch results in.
pub const FAST: &str = "solutions/fast/src/main.rs";

/// One patch, applied.
pub struct Step {
    /// The patch's file name without `.diff`.
    pub name: String,
    /// The server's source after this step.
    pub source: String,
}

/// Why the steps cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A file or folder cannot be read.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] io::Error),
    /// The file is not a unified diff.
    #[error("{0} is not a patch")]
    Parse(PathBuf, #[source] diffy::ParsePatchError),
    /// The patch does not fit the result of the patch before it.
    #[error("{0} does not apply")]
    Apply(PathBuf, #[source] diffy::ApplyError),
}

/// Reads the patches of a workspace and applies them in order.
///
/// # Errors
/// If a file cannot be read, or a patch does not apply.
pub fn read(workspace: &Path) -> Result<Vec<Step>, StepError> {
    let folder = workspace.join(FOLDER);
    let failed = |error| StepError::Read(folder.clone(), error);
    let entries: Result<Vec<_>, _> = fs::read_dir(&folder).map_err(failed)?.collect();
    let mut paths: Vec<PathBuf> =
        entries.map_err(failed)?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let mut source = text(&workspace.join(PLAIN))?;
    let mut steps = Vec::new();
    for path in paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == "diff")) {
        let patch = text(&path)?;
        let patch = diffy::Patch::from_str(&patch)
            .map_err(|error| StepError::Parse(path.clone(), error))?;
        source =
            diffy::apply(&source, &patch).map_err(|error| StepError::Apply(path.clone(), error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        steps.push(Step { name, source: source.clone() });
    }
    Ok(steps)
}

/// Reads a file. Git on Windows may have changed its line ends.
fn text(path: &Path) -> Result<String, StepError> {
    let text = fs::read_to_string(path).map_err(|error| StepError::Read(path.into(), error))?;
    Ok(text.replace("\r\n", "\n"))
}
