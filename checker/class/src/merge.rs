//! Merges the parts of a class that were graded with `--shard`.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::classfiles::{self, Class};
use crate::finish::finish;
use crate::model::Submission;
use crate::settings::{self, Run};
use crate::{files, roster};

#[derive(Args)]
pub(crate) struct MergeArgs {
    /// The --out folders of the parts
    #[arg(value_name = "DIR", required = true)]
    parts: Vec<PathBuf>,
    /// Where to put the whole
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Fails unless these are all parts of one class, graded with the same points.
fn expect_whole(paths: &[PathBuf]) -> anyhow::Result<Run> {
    let runs = paths.iter().map(|path| settings::read(path)).collect::<Result<Vec<_>, _>>()?;
    let (first, of) = (&runs[0], runs[0].shard.1);
    let mut parts: BTreeMap<usize, &Path> = BTreeMap::new();
    for (path, run) in paths.iter().zip(&runs) {
        let (one, other) = (paths[0].display(), path.display());
        if run.shard.1 != of {
            bail!("{one} is one of {of} parts, and {other} one of {}", run.shard.1);
        }
        if run.weights != first.weights {
            bail!("{one} and {other} were graded with different --weights or --exercise");
        }
        if (&run.due, &run.assignment) != (&first.due, &first.assignment) {
            bail!("{one} and {other} were graded with different --due or --assignment");
        }
        if read_roster(path)? != read_roster(&paths[0])? {
            bail!("{one} and {other} were graded with different --roster");
        }
        if let Some(same) = parts.insert(run.shard.0, path) {
            bail!("{} and {other} are both part {} of {of}", same.display(), run.shard.0);
        }
    }
    let missing = (1..=of).filter(|part| !parts.contains_key(part));
    let missing: Vec<String> = missing.map(|part| format!("{part}/{of}")).collect();
    if !missing.is_empty() {
        bail!("the parts graded with --shard {} are missing", missing.join(", "));
    }
    Ok(Run { shard: (1, 1), ..first.clone() })
}

fn read_roster(part: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let file = part.join(roster::KEPT);
    match std::fs::read(&file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| file.display().to_string()),
    }
}

/// Merges the parts and prints a summary.
pub(crate) fn run(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    let run = expect_whole(&args.parts)?;
    let mut results: BTreeMap<String, Submission> = BTreeMap::new();
    for part in &args.parts {
        let class = Class::read(part)?;
        for result in class.results {
            let name = result.name.clone();
            let folder = files::folder(&args.out, &name);
            copy(&files::folder(part, &name), &folder)
                .with_context(|| folder.display().to_string())?;
            if results.insert(name.clone(), result).is_some() {
                bail!("two parts have a result for `{name}`");
            }
        }
    }
    run.write(&args.out).with_context(|| args.out.display().to_string())?;
    if let Some(text) = read_roster(&args.parts[0])? {
        let file = args.out.join(roster::KEPT);
        files::whole(&file, text).with_context(|| file.display().to_string())?;
    }
    let finished = finish(&args.out, &run, results, &[])?;
    println!("{}", finished.summary(&args.out));
    Ok(ExitCode::from(classfiles::exit_code(&finished.results, None)))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        files::whole(&to.join(file.file_name()), std::fs::read(file.path())?)?;
    }
    Ok(())
}
