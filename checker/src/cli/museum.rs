//! `cargo checker museum`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use tokio::sync::mpsc;

use super::{CliError, Format, UNKNOWN, USAGE, complain, fresh_seed, progress};
use crate::museum::{self, Fault, Matrix, Row};
use crate::{known_mistakes, report};

#[derive(Args)]
pub(super) struct MuseumArgs {
    /// Names of faults; all if none is named
    fault: Vec<String>,
    /// How to show the matrix
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// How many faulty servers to grade at a time
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: u16,
    /// Repeat a run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Grade the whole museum several times; write how the faults with a unique failure fail
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fault", "format"])]
    signatures: Option<PathBuf>,
    /// How often to grade the museum, with --signatures
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..))]
    rounds: u16,
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
    if let Some(file) = &args.signatures {
        return write_signatures(file, &program, &faults, &args, seed).await;
    }
    let matrix = match grade_with_progress(program, faults, args.jobs, seed, "").await {
        Ok(matrix) => matrix,
        Err(error) => return complain(UNKNOWN, error),
    };
    let text = match args.format {
        Format::Json => {
            serde_json::to_string_pretty(&matrix).expect("a matrix can be written as JSON")
        }
        Format::Human => report::matrix::matrix(&matrix, whole),
    };
    let _ = writeln!(anstream::stdout(), "{text}");
    ExitCode::from(u8::from(!matrix.complaints(whole).is_empty()))
}

/// Grades the faults and shows progress, with `round` before it.
async fn grade_with_progress(
    program: PathBuf,
    faults: Vec<Fault>,
    jobs: u16,
    seed: u64,
    round: &str,
) -> Result<Matrix, CliError> {
    let (done, mut rows) = mpsc::unbounded_channel();
    let all = faults.len();
    let grading = tokio::spawn(museum::matrix(program, faults, jobs.into(), seed, done));
    let mut count = 0;
    while let Some(name) = rows.recv().await {
        count += 1;
        progress(&format!("{round}{count} of {all} faults, last {name}"));
    }
    progress("");
    let cannot_grade = |error| CliError::new(UNKNOWN, format!("cannot grade the museum: {error}"));
    grading.await.map_err(cannot_grade)
}

async fn write_signatures(
    file: &Path,
    program: &Path,
    faults: &[Fault],
    args: &MuseumArgs,
    seed: u64,
) -> ExitCode {
    let mut rounds = Vec::new();
    for round in 1..=args.rounds {
        let label = format!("round {round} of {}: ", args.rounds);
        let seed = seed.wrapping_add(round.into());
        let (program, faults) = (program.to_path_buf(), faults.to_vec());
        match grade_with_progress(program, faults, args.jobs, seed, &label).await {
            Ok(matrix) => {
                rounds.push(matrix.faults.iter().filter_map(Row::known_mistake).collect::<Vec<_>>())
            }
            Err(error) => return complain(UNKNOWN, error),
        }
    }
    let unique = known_mistakes::unique(&rounds);
    for known in known_mistakes::table()
        .iter()
        .filter(|known| unique.iter().all(|unique| unique.name != known.name))
    {
        let lookalikes = known_mistakes::lookalikes(&rounds, known);
        let _ = writeln!(
            anstream::stderr(),
            "no longer recognised by its failure: {} {lookalikes:?}",
            known.name
        );
    }
    let text =
        serde_json::to_string_pretty(&unique).expect("a table can be written as JSON") + "\n";
    if let Err(error) = std::fs::write(file, text) {
        return complain(USAGE, format!("cannot write {}: {error}", file.display()));
    }
    let (unique, all, rounds) = (unique.len(), faults.len(), args.rounds);
    let _ = writeln!(
        anstream::stdout(),
        "{unique} of {all} faults fail in a unique way, {rounds} times of {rounds}."
    );
    ExitCode::SUCCESS
}
