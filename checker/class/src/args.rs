//! What `cargo checker class` is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::formats::Format;
use crate::sandbox::Wanted;

#[derive(Args)]
pub(crate) struct ClassArgs {
    /// Folders, .zip or .tar.gz files, each with a day1/ somewhere inside
    #[arg(value_name = "SUBMISSIONS", required_unless_present = "each")]
    submissions: Vec<PathBuf>,
    /// Take everything in this folder as a submission
    #[arg(long, value_name = "DIR")]
    each: Option<PathBuf>,
    /// How many to grade at a time [default: three a processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Where to put the results
    #[arg(long, value_name = "DIR", default_value = "class-results")]
    pub(crate) out: PathBuf,
    /// Go on with the run in --out: what has a result is not graded again
    #[arg(long)]
    pub(crate) resume: bool,
    /// What to shut submissions in
    #[arg(long, value_enum, default_value_t = Wanted::Auto)]
    pub(crate) sandbox: Wanted,
    /// Points by check, as {"echo::reply": 2}, in place of the workbook's
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Write each result for a platform as well
    #[arg(long, value_enum)]
    pub(crate) format: Vec<Format>,
    /// Grade only the K-th of N parts; `class merge` puts the parts together
    #[arg(long, value_name = "K/N", value_parser = shard)]
    shard: Option<(usize, usize)>,
    /// Seconds of processor time that a compiler may take for one exercise
    #[arg(long, value_name = "S", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) build_cpu: u64,
    /// What all chance follows from
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let wanted = || "wanted K/N, as 2/5: the second of five parts".to_string();
    let (part, parts) = text.split_once('/').ok_or_else(wanted)?;
    let (part, parts) = (part.parse().map_err(|_| wanted())?, parts.parse().map_err(|_| wanted())?);
    if (1..=parts).contains(&part) { Ok((part, parts)) } else { Err(wanted()) }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

impl ClassArgs {
    /// How many to grade at a time: a grading waits most of the time.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs.map_or(3 * processors(), usize::from)
    }

    /// How many to build at a time: a compiler never waits.
    pub(crate) fn builds(&self) -> usize {
        processors().div_ceil(2)
    }

    /// Where each submission of this part is, by its name.
    ///
    /// # Errors
    /// What is wrong with the names.
    pub(crate) fn named(&self) -> Result<BTreeMap<String, PathBuf>, String> {
        let mut paths = self.submissions.clone();
        if let Some(folder) = &self.each {
            let entries = std::fs::read_dir(folder)
                .map_err(|error| format!("--each {}: {error}", folder.display()))?;
            paths.extend(entries.flatten().map(|entry| entry.path()));
        }
        let mut named = BTreeMap::new();
        for path in paths {
            if !path.exists() {
                return Err(format!("there is no {}", path.display()));
            }
            let name = name(&path)
                .ok_or_else(|| format!("{} has no name to call its result by", path.display()))?;
            if let Some(other) = named.insert(name.clone(), path.clone()) {
                return Err(format!(
                    "{} and {} are both called `{name}`: rename one",
                    other.display(),
                    path.display()
                ));
            }
        }
        // By place in the order of names: the same for everybody who is given the same submissions.
        let (part, parts) = self.shard.unwrap_or((1, 1));
        Ok(named
            .into_iter()
            .enumerate()
            .filter(|(index, _)| index % parts == part - 1)
            .map(|(_, named)| named)
            .collect())
    }
}

/// A submission's name: its folder's or archive's, with nothing in it that a path or a page may stumble over.
fn name(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let name = path.file_name()?.to_string_lossy().into_owned();
    let lower = name.to_lowercase();
    let ending = [".tar.gz", ".tgz", ".zip"]
        .into_iter()
        .find(|ending| lower.ends_with(ending) && path.is_file());
    let stem = &name[..name.len() - ending.map_or(0, str::len)];
    let safe = |c: char| if c.is_alphanumeric() || "-_.@+ ".contains(c) { c } else { '_' };
    let name: String = stem.chars().map(safe).collect();
    (!name.trim_matches(['.', ' ']).is_empty()).then_some(name)
}
