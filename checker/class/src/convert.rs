//! Writes the verdicts of one grading, as `cargo checker grade --format json` prints them, in a
//! platform's format.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::formats::Format;
use crate::model::{Status, Submission};
use crate::weights::Weights;

#[derive(Args)]
pub(crate) struct ConvertArgs {
    /// The format to write
    #[arg(long, value_enum)]
    format: Format,
    /// The name of the submission
    #[arg(long, default_value = "day1")]
    name: String,
    /// Points by check, in place of the workbook's
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// Reads from standard input and prints.
pub(crate) fn run(args: &ConvertArgs) -> anyhow::Result<ExitCode> {
    let weights = Weights::read(args.weights.as_deref())?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("standard input")?;
    // `class` writes whole results, `grade` verdicts only.
    let result = match serde_json::from_str::<Submission>(&text) {
        Ok(result) => result,
        Err(_) => {
            let verdicts = serde_json::from_str(&text)
                .context("standard input holds no result of `grade --format json`")?;
            Submission::ungraded(&args.name, Status::Graded, None, &weights)
                .with(verdicts, &weights)
        }
    };
    print!("{}", args.format.write(&result.clean())?);
    Ok(ExitCode::SUCCESS)
}
