//! Writes the verdicts of one grading, as `cargo checker grade --format json` prints them, in a platform's format.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;

use crate::formats::Format;
use crate::model::{Status, Submission, Weights};

#[derive(Args)]
pub(crate) struct ConvertArgs {
    /// For whom
    #[arg(long, value_enum)]
    format: Format,
    /// What to call the submission
    #[arg(long, default_value = "day1")]
    name: String,
    /// Points by check, in place of the workbook's
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
}

/// Reads from standard input, and gives what to print.
///
/// # Errors
/// What is wrong with the input.
pub(crate) fn run(args: &ConvertArgs) -> Result<String, String> {
    let weights = Weights::read(args.weights.as_deref())?;
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| format!("standard input: {error}"))?;
    // `class` writes whole results, `grade` verdicts only.
    let result = match serde_json::from_str::<Submission>(&text) {
        Ok(result) => result,
        Err(_) => {
            let verdicts = serde_json::from_str(&text).map_err(|error| {
                format!("standard input holds no result of `grade --format json`: {error}")
            })?;
            Submission::ungraded(&args.name, Status::Graded, None, &weights)
                .with(verdicts, &weights)
        }
    };
    args.format.write(&result)
}
