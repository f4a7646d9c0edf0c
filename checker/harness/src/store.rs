//! Files under `target/checker/`, where tools keep what they remember from one call to the next.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};

use crate::server::build::workspace;

fn folder() -> PathBuf {
    workspace().join("target/checker")
}

/// What was written there under this name. What can't be read is taken for forgotten.
pub fn read<T: DeserializeOwned + Default>(name: &str) -> T {
    let text = fs::read_to_string(folder().join(name)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Writes it.
///
/// # Errors
/// When `target/checker/` can't be written.
pub fn write<T: Serialize>(name: &str, value: &T) -> io::Result<()> {
    fs::create_dir_all(folder())?;
    // Whoever reads meanwhile gets the old file or the new one.
    let new = folder().join(format!("{name}.{}", std::process::id()));
    fs::write(&new, serde_json::to_string_pretty(value).map_err(io::Error::other)?)?;
    fs::rename(new, folder().join(name))
}
