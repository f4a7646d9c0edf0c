//! The points of checks, and which exercises are graded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use harness::exercise::Exercise;
use serde::{Deserialize, Serialize};
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum WeightsError {
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: std::io::Error },
    #[error(
        "{} is no object of checks and whole points, as {{\"echo::reply\": 2}}: {error}",
        path.display()
    )]
    NoObject { path: PathBuf, error: serde_json::Error },
    #[error("{}: there is no check `{id}`; checks are named like echo::reply", path.display())]
    NoCheck { path: PathBuf, id: String },
}

/// Points by check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Weights {
    /// Those that differ from the workbook's.
    points: BTreeMap<String, u32>,
    /// The name of the only exercise that is graded.
    only: Option<String>,
}

impl Weights {
    /// The points of the workbook, except for the checks that the file names: a JSON object of ids
    /// and whole numbers.
    pub(crate) fn read(file: Option<&Path>) -> Result<Self, WeightsError> {
        let Some(file) = file else { return Ok(Weights::default()) };
        let path = file.to_path_buf();
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) => return Err(WeightsError::Unreadable { path, error }),
        };
        let weights: BTreeMap<String, u32> = match serde_json::from_str(&text) {
            Ok(weights) => weights,
            Err(error) => return Err(WeightsError::NoObject { path, error }),
        };
        match weights.keys().find(|id| checks::find(id).is_none()) {
            Some(id) => Err(WeightsError::NoCheck { path, id: id.clone() }),
            None => Ok(Weights { points: weights, only: None }),
        }
    }

    /// Counts the checks of this exercise only.
    pub(crate) fn only(self, exercise: Option<Exercise>) -> Self {
        Weights { only: exercise.map(|exercise| exercise.name().to_string()), ..self }
    }

    /// The exercises that are graded.
    pub(crate) fn exercises(&self) -> impl Iterator<Item = Exercise> {
        let is_graded =
            |exercise: &Exercise| self.only.as_ref().is_none_or(|only| exercise.name() == *only);
        Exercise::ALL.into_iter().filter(is_graded)
    }

    pub(crate) fn of(&self, id: &str) -> u32 {
        self.points
            .get(id)
            .copied()
            .unwrap_or_else(|| checks::find(id).map_or(0, checks::Check::points))
    }

    pub(crate) fn sum(&self) -> u32 {
        let graded: Vec<Exercise> = self.exercises().collect();
        let checks = checks::all().into_iter().filter(|check| graded.contains(&check.exercise));
        checks.map(|check| self.of(check.id)).sum()
    }
}
