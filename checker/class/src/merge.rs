//! Puts the parts of a class together that were graded apart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::classfiles::{self, Class};
use crate::files;
use crate::model::Submission;
use crate::overview::Alike;

#[derive(Args)]
pub(crate) struct MergeArgs {
    /// The --out folders of the parts
    #[arg(value_name = "DIR", required = true)]
    parts: Vec<PathBuf>,
    /// Where to put the whole
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Merges the parts and prints a summary.
pub(crate) fn run(args: &MergeArgs) -> anyhow::Result<ExitCode> {
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
        Alike { exercise, shape, submissions }
    });
    let overview = classfiles::write(&args.out, &results, alike.collect())
        .with_context(|| args.out.display().to_string())?;
    println!("{}", classfiles::summary(&results, &overview, &args.out));
    Ok(ExitCode::from(classfiles::exit_code(&results)))
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        files::whole(&to.join(file.file_name()), std::fs::read(file.path())?)?;
    }
    Ok(())
}
