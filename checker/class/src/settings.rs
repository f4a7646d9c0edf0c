//! The settings of a run, kept in `run.json`, by which it is resumed and merged.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::args::ClassArgs;
use crate::files::whole;
use crate::roster;
use crate::weights::Weights;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seed: u64,
    /// The part of the class, from 1, and the number of parts.
    pub(crate) shard: (usize, usize),
    /// The points by check that `--weights` sets.
    pub(crate) weights: Weights,
    /// When the hand-ins were due, in RFC 3339.
    #[serde(default)]
    pub(crate) due: Option<String>,
    /// The title of the assignment in a gradebook.
    #[serde(default)]
    pub(crate) assignment: Option<String>,
}

impl Run {
    pub(crate) fn assignment(&self) -> &str {
        self.assignment.as_deref().unwrap_or("Day 1")
    }

    /// Writes the settings into a folder of results.
    pub(crate) fn write(&self, out: &Path) -> io::Result<()> {
        let text = serde_json::to_string(self).map_err(io::Error::other)?;
        std::fs::create_dir_all(out)?;
        whole(&out.join("run.json"), text + "\n")
    }
}

#[derive(Debug, Error)]
pub(crate) enum OpenError {
    #[error("--out {} holds results already: add --resume, or name another folder", .0.display())]
    Used(PathBuf),
    #[error("--seed {seed}: the run in {} began with {earlier}", out.display())]
    OtherSeed { out: PathBuf, seed: u64, earlier: u64 },
    #[error(
        "the run in {} began with other points; give the same --weights and --exercise, or another \
         --out",
        .0.display()
    )]
    OtherWeights(PathBuf),
    #[error("the run in {} began with --shard {}/{}", out.display(), earlier.0, earlier.1)]
    OtherShard { out: PathBuf, earlier: (usize, usize) },
    #[error("{}: {error}", path.display())]
    NoRun { path: PathBuf, error: serde_json::Error },
    #[error("{}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("--out {}: {error}", out.display())]
    Io { out: PathBuf, error: io::Error },
}

/// Reads the settings of the run in this folder.
pub(crate) fn read(out: &Path) -> Result<Run, OpenError> {
    let path = out.join("run.json");
    match std::fs::read(&path).map(|text| serde_json::from_slice(&text)) {
        Ok(Ok(run)) => Ok(run),
        Ok(Err(error)) => Err(OpenError::NoRun { path, error }),
        Err(error) => Err(OpenError::Unreadable { path, error }),
    }
}

/// Opens the folder for results. The due time, the title and the roster may change when a run is
/// resumed; those that are not given stay.
pub(crate) fn open(args: &ClassArgs, weights: &Weights) -> Result<Run, OpenError> {
    let (out, shard) = (args.out.clone(), args.shard());
    let mut run = match read(&out) {
        Ok(_) if !args.resume => return Err(OpenError::Used(out)),
        Ok(run) => match args.seed {
            Some(seed) if seed != run.seed => {
                return Err(OpenError::OtherSeed { out, seed, earlier: run.seed });
            }
            _ if run.shard != shard => {
                return Err(OpenError::OtherShard { out, earlier: run.shard });
            }
            _ if run.weights != *weights => return Err(OpenError::OtherWeights(out)),
            _ => run,
        },
        Err(OpenError::Unreadable { .. }) => {
            let seed = args.seed.unwrap_or_else(checker::cli::fresh_seed);
            Run { seed, shard, weights: weights.clone(), due: None, assignment: None }
        }
        Err(error) => return Err(error),
    };
    if let Some(due) = args.due {
        run.due = Some(due.to_string());
    }
    run.assignment = args.assignment.clone().or(run.assignment);
    let keep_roster = || match &args.roster {
        Some(file) => whole(&out.join(roster::KEPT), std::fs::read(file)?),
        None => Ok(()),
    };
    match run.write(&out).and_then(|()| keep_roster()) {
        Ok(()) => Ok(run),
        Err(error) => Err(OpenError::Io { out, error }),
    }
}
