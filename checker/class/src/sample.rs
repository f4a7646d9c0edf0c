//! Makes a class to try the grader on. Its verdicts are known: each exercise is the solution, with
//! or without a mistake of the catalogue.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use harness::exercise::{Exercise, Target};
use harness::server::build::workspace;
use mistakes::catalogue::{self, Chapter};
use serde_json::{Value, json};

use crate::pack::{self, Files};

#[derive(Args)]
pub(crate) struct SampleArgs {
    /// The folder for `submissions/` and `expected.json`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The number of submissions
    #[arg(long, value_name = "N", default_value_t = 60)]
    count: usize,
}

use Exercise::{Broadcast, Echo, Heartbeat};

/// Makes the class.
pub(crate) fn run(args: &SampleArgs) -> anyhow::Result<ExitCode> {
    let folder = args.out.join("submissions");
    let chapters = catalogue::chapters()?;
    let mut expected: BTreeMap<String, Value> = BTreeMap::new();
    for number in 0..args.count {
        let (name, verdicts) = write_one(&folder, number, &chapters)
            .with_context(|| format!("submission {number}"))?;
        expected.insert(name, verdicts);
    }
    let text = serde_json::to_string_pretty(&expected)?;
    fs::write(args.out.join("expected.json"), text + "\n")?;
    println!("{} submissions in {}", args.count, folder.display());
    Ok(ExitCode::SUCCESS)
}

/// Returns the n-th submission's source of an exercise and the check that fails, if one does.
fn solution(
    chapters: &[Chapter],
    exercise: Exercise,
    number: usize,
) -> anyhow::Result<(String, Option<String>)> {
    let step = match exercise {
        Echo => 1,
        Heartbeat => 3,
        Broadcast => 5,
    };
    let chapter = chapters.iter().find(|chapter| chapter.exercise == exercise.name());
    let chapter = chapter.context("the catalogue has no such exercise")?;
    match chapter.mistakes.get(number / step % (chapter.mistakes.len() + 1)) {
        Some(mistake) => Ok((chapter.source(mistake)?, Some(mistake.caught_by.clone()))),
        None => Ok((chapter.solution.to_string(), None)),
    }
}

fn write_one(
    folder: &Path,
    number: usize,
    chapters: &[Chapter],
) -> anyhow::Result<(String, Value)> {
    let name = format!("student-{number:02}");
    let place = folder.join(&name);
    if number % 12 == 11 {
        // Nothing in it has the shape of a submission.
        fs::create_dir_all(&place)?;
        fs::write(place.join("main.rs"), "fn main() {}\n")?;
        return Ok((name, json!({ "status": "unreadable" })));
    }
    let mut verdicts = serde_json::Map::new();
    let mut files: Vec<(String, String)> =
        vec![("day1/echo/build.rs".to_string(), "fn main() { panic!() }\n".to_string())];
    for exercise in Exercise::ALL {
        let path = exercise.source(Target::Day1);
        let (text, verdict) = match (number % 10, exercise) {
            (7, Broadcast) => {
                verdicts.insert(
                    exercise.name().to_string(),
                    json!({ "fails": "broadcast::welcome", "why": "missing" }),
                );
                continue;
            }
            (8, Heartbeat) => (
                fs::read_to_string(workspace().join(&path))?,
                json!({ "fails": "heartbeat::echo", "why": "skeleton" }),
            ),
            (9, Echo) => (
                "fn main() { let never: u32 = \"\"; }\n".to_string(),
                json!({ "fails": "echo::handshake", "why": "does not compile" }),
            ),
            _ => {
                let (text, caught_by) = solution(chapters, exercise, number)?;
                (text, json!({ "fails": caught_by }))
            }
        };
        // A comment makes them differ, since equal submissions are graded once.
        files.push((path, format!("// submission {number}\n{text}")));
        verdicts.insert(exercise.name().to_string(), verdict);
    }
    let packed = |root: &str| -> Files {
        let files = files.iter();
        files.map(|(path, text)| (format!("{root}{path}"), text.clone().into_bytes())).collect()
    };
    fs::create_dir_all(folder)?;
    match number % 4 {
        2 => {
            let mut files = packed("");
            files.push(("../outside.rs".to_string(), Vec::new()));
            fs::write(folder.join(format!("{name}.zip")), pack::zip(&files)?)?;
        }
        3 => {
            let archive = pack::tar_gz(&packed("workbook/"))?;
            fs::write(folder.join(format!("{name}.tar.gz")), archive)?;
        }
        deeper => {
            let root = if deeper == 1 { place.join("workbook-main") } else { place };
            for (path, text) in &files {
                let file = root.join(path);
                fs::create_dir_all(file.parent().unwrap_or(&root))?;
                fs::write(file, text)?;
            }
        }
    }
    Ok((name, json!({ "status": "graded", "exercises": verdicts })))
}
