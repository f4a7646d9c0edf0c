//! Files under `target/checker/`, in which tools keep data from one run to the next.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};

use crate::server::build::workspace;

fn folder() -> PathBuf {
    workspace().join("target/checker")
}

/// Reads the value stored under this name. A file that can't be read counts as missing.
pub fn read<T: DeserializeOwned + Default>(name: &str) -> T {
    let text = fs::read_to_string(folder().join(name)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Stores a value under this name.
pub fn write<T: Serialize>(name: &str, value: &T) -> io::Result<()> {
    fs::create_dir_all(folder())?;
    // Renamed into place, so that another process reads either the old file or the new one.
    let new = folder().join(format!("{name}.{}", std::process::id()));
    fs::write(&new, serde_json::to_string_pretty(value).map_err(io::Error::other)?)?;
    fs::rename(new, folder().join(name))
}
