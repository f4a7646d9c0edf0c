//! The formats of platforms, each written from the one result model.

mod classroom50;
mod exercism;
mod github;
mod gradescope;
mod junit;
mod prairielearn;

use clap::ValueEnum;
use serde_json::Value;
use thiserror::Error;

use crate::classfiles;
use crate::model::Submission;

/// Why a result has no place in a format.
#[derive(Debug, Error)]
pub(crate) enum FormatError {
    #[error("{0} was not graded, and Classroom 50 knows no result without tests")]
    NotGraded(String),
    #[error("{0} is not set: Classroom 50's runner sets it for its autograder")]
    NotSet(&'static str),
    #[error("no JUnit XML: {0}")]
    Junit(#[from] quick_junit::SerializeError),
    #[error("no table: {0}")]
    Csv(#[from] csv::Error),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Gradescope's results.json
    Gradescope,
    /// Classroom 50's result.json
    Classroom50,
    /// JUnit XML
    Junit,
    /// A table with a line for each check
    Csv,
    /// PrairieLearn's results.json
    Prairielearn,
    /// Exercism's results.json, version 3
    Exercism,
    /// A summary for GitHub Actions, in Markdown
    GithubSummary,
    /// Annotations for GitHub Actions, as commands of a workflow
    GithubAnnotations,
}

impl Format {
    /// The file in a submission's folder.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Format::Gradescope => "gradescope.json",
            Format::Classroom50 => "classroom50.json",
            Format::Junit => "junit.xml",
            Format::Csv => "checks.csv",
            Format::Prairielearn => "prairielearn.json",
            Format::Exercism => "exercism.json",
            Format::GithubSummary => "github-summary.md",
            Format::GithubAnnotations => "github-annotations.txt",
        }
    }

    /// The result in this format.
    pub(crate) fn write(self, result: &Submission) -> Result<String, FormatError> {
        Ok(match self {
            Format::Gradescope => pretty(&gradescope::results(result)),
            Format::Classroom50 => pretty(&classroom50::result(result)?),
            Format::Junit => junit::report(result)?,
            Format::Csv => checks(result)?,
            Format::Prairielearn => pretty(&prairielearn::results(result)),
            Format::Exercism => pretty(&exercism::results(result)),
            Format::GithubSummary => github::summary(result),
            Format::GithubAnnotations => github::annotations(result),
        })
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A table with a line for each check.
fn checks(result: &Submission) -> Result<String, csv::Error> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["submission", "check", "outcome", "points", "max_points", "summary"])?;
    for check in result.checks() {
        let (points, max_points) = (check.points.to_string(), check.max_points.to_string());
        let (name, summary) = (classfiles::calm(&result.name), classfiles::calm(&check.summary));
        table.write_record([&name, &check.id, &check.outcome, &points, &max_points, &summary])?;
    }
    let bytes = table.into_inner().map_err(|error| error.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
