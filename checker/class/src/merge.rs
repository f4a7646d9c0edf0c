//! Merges the parts of a class that were graded with `--shard`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::classfiles::{self, Class};
use crate::files;
use crate::model::Submission;
use crate::overview::SimilarGroup;

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
fn expect_whole(paths: &[PathBuf]) -> anyhow::Result<()> {
    let runs =
        paths.iter().map(|path| classfiles::settings(path)).collect::<Result<Vec<_>, _>>()?;
    let Some((first, of)) = runs.first().map(|run| (run, run.shard.1)) else { return Ok(()) };
    let mut parts: BTreeMap<usize, &Path> = BTreeMap::new();
    for (path, run) in paths.iter().zip(&runs) {
        let (one, other) = (paths[0].display(), path.display());
        if run.shard.1 != of {
            bail!("{one} is one of {of} parts, and {other} one of {}", run.shard.1);
        }
        if run.weights != first.weights {
            bail!("{one} and {other} were graded with different --weights");
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
    Ok(())
}

/// Merges the parts and prints a summary.
pub(crate) fn run(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    expect_whole(&args.parts)?;
    let mut results: BTreeMap<String, Submission> = BTreeMap::new();
    let mut groups: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for part in &args.parts {
        let file = part.join("results.json");
        let class: Class = std::fs::read(&file)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(serde_json::from_slice(&text)?))
            .with_context(|| file.display().to_string())?;
        for result in class.results {
            let name = result.name.clone();
            let folder = files::folder(&args.out, &name);
            copy(&files::folder(part, &name), &folder)
                .with_context(|| folder.display().to_string())?;
            if results.insert(name.clone(), result).is_some() {
                bail!("two parts have a result for `{name}`");
            }
        }
        for alike in class.overview.alike {
            groups.entry((alike.exercise, alike.shape)).or_default().extend(alike.submissions);
        }
    }
    let results: Vec<Submission> = results.into_values().collect();
    let alike = groups.into_iter().map(|((exercise, shape), mut submissions)| {
        submissions.sort();
        SimilarGroup { exercise, shape, submissions }
    });
    let overview = classfiles::write(&args.out, &results, alike.collect())
        .with_context(|| args.out.display().to_string())?;
    println!("{}", classfiles::summary(&results, &overview, &args.out));
    Ok(ExitCode::from(classfiles::exit_code(&results, None)))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        files::whole(&to.join(file.file_name()), std::fs::read(file.path())?)?;
    }
    Ok(())
}
