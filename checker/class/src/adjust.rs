//! Sets points and a comment by hand. They survive grading again, `--resume` and merging.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::classfiles::Class;
use crate::finish::finish;
use crate::model::Submission;
use crate::{files, settings};

#[derive(Args)]
pub(crate) struct AdjustArgs {
    /// The submission, as the table names it
    #[arg(value_name = "SUBMISSION")]
    name: String,
    /// The --out folder of the class
    #[arg(long, value_name = "DIR", default_value = "class-results")]
    out: PathBuf,
    /// The points that count, in place of those of the checks
    #[arg(long, value_name = "N", required_unless_present_any = ["comment", "clear"])]
    points: Option<u32>,
    /// A text for the student
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Forget earlier points and the earlier comment
    #[arg(long)]
    clear: bool,
}

/// Points and a comment that a person set, in a file of their own beside the result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manual {
    /// Count in place of the points of the checks.
    pub(crate) points: Option<u32>,
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Error)]
#[error("{} holds no manual points: {error}", path.display())]
pub(crate) struct ManualError {
    path: PathBuf,
    error: serde_json::Error,
}

impl Manual {
    fn path(out: &Path, name: &str) -> PathBuf {
        files::folder(out, name).join("manual.json")
    }

    /// Reads what was set for this submission; nothing, if there is no file.
    pub(crate) fn read(out: &Path, name: &str) -> Result<Manual, ManualError> {
        let path = Manual::path(out, name);
        let Ok(text) = std::fs::read(&path) else { return Ok(Manual::default()) };
        serde_json::from_slice(&text).map_err(|error| ManualError { path, error })
    }

    pub(crate) fn write(&self, out: &Path, name: &str) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        files::whole(
            &Manual::path(out, name),
            text + "
",
        )
    }
}

/// Keeps the correction and writes the files of the class again.
pub(crate) fn run(args: &AdjustArgs) -> anyhow::Result<ExitCode> {
    let run = settings::read(&args.out)?;
    let class = Class::read(&args.out)?;
    let Some(result) = class.results.iter().find(|result| result.name == args.name) else {
        bail!("{}", unknown(args, &class.results));
    };
    let checks = result.points;
    let earlier = Manual::read(&args.out, &args.name)?;
    let earlier = if args.clear { Manual::default() } else { earlier };
    let manual = Manual {
        points: args.points.or(earlier.points),
        comment: args.comment.clone().or(earlier.comment),
    };
    manual.write(&args.out, &args.name).with_context(|| args.out.display().to_string())?;
    let results: BTreeMap<String, Submission> =
        class.results.into_iter().map(|result| (result.name.clone(), result)).collect();
    let finished = finish(&args.out, &run, results, &[])?;
    let result = finished.results.iter().find(|result| result.name == args.name);
    if let Some(result) = result {
        println!(
            "{}: {} of {} points; {checks} by the checks.",
            result.name,
            result.final_points(),
            result.max_points
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(args: &AdjustArgs, results: &[Submission]) -> String {
    let distance = |result: &&Submission| strsim::levenshtein(&result.name, &args.name);
    let nearest = results.iter().min_by_key(distance);
    let nearest = nearest.map_or(String::new(), |one| format!("; the nearest is `{}`", one.name));
    format!("{} has no submission `{}`{nearest}", args.out.display(), args.name)
}
