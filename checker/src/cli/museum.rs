//! `cargo checker museum`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tokio::sync::mpsc;

use super::{CliError, Format, UNKNOWN, USAGE, complain, fresh_seed, progress};
use crate::museum::{self, Fault, Matrix};
use crate::report;
use crate::terminal;

#[derive(Args)]
pub(super) struct MuseumArgs {
    /// Names of faults; all if none is named
    fault: Vec<String>,
    /// How to show the matrix
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// How many faulty servers to grade at a time
    #[arg(long, value_name = "N", default_value_t = 6,
        value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Repeat a run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Grades the museum and prints the matrix.
pub(super) async fn run(args: MuseumArgs) -> ExitCode {
    progress("building …");
    let (program, catalogue) = match museum::open().await {
        Ok(museum) => museum,
        Err(error) => return complain(UNKNOWN, error),
    };
    let faults = catalogue.faults;
    if let Some(name) =
        args.fault.iter().find(|name| faults.iter().all(|fault| fault.name != **name))
    {
        return complain(
            USAGE,
            format!("the museum has no fault `{name}`; `cargo checker museum` names them all"),
        );
    }
    let whole = args.fault.is_empty();
    let faults: Vec<_> =
        faults.into_iter().filter(|fault| whole || args.fault.contains(&fault.name)).collect();
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let matrix = match grade_with_progress(program, faults, args.jobs, seed).await {
        Ok(matrix) => matrix,
        Err(error) => return complain(UNKNOWN, error),
    };
    let text = match args.format {
        Format::Json => {
            serde_json::to_string_pretty(&matrix).expect("a matrix can be written as JSON")
        }
        Format::Human => report::matrix::matrix(&matrix, whole),
    };
    let _ = writeln!(terminal::stdout(), "{text}");
    ExitCode::from(u8::from(!matrix.complaints(whole).is_empty()))
}

/// Grades the faults and shows progress.
async fn grade_with_progress(
    program: PathBuf,
    faults: Vec<Fault>,
    jobs: u16,
    seed: u64,
) -> Result<Matrix, CliError> {
    let (done, mut rows) = mpsc::unbounded_channel();
    let all = faults.len();
    let grading = tokio::spawn(museum::matrix(program, faults, jobs.into(), seed, done));
    let mut count = 0;
    while let Some(name) = rows.recv().await {
        count += 1;
        progress(&format!("{count} of {all} faults, last {name}"));
    }
    progress("");
    let cannot_grade = |error| CliError::new(UNKNOWN, format!("cannot grade the museum: {error}"));
    grading.await.map_err(cannot_grade)
}
