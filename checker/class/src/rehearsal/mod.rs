//! A class of hand-ins as students and platforms make them, with the row that each must get: an
//! instructor grades it before the real one.

mod hand_ins;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;

use crate::classfiles::Class;
use crate::launch::Wanted;
use crate::model::Submission;
use crate::overview::Category;
use crate::pack::Files;

/// Hand-ins are due then. All but one are in time.
const DUE: &str = "2100-01-01T00:00:00Z";

#[derive(Args)]
pub(crate) struct RehearseArgs {
    /// The folder for `submissions/`, `roster.csv` and `results/`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The walls around submissions
    #[arg(long, value_enum, default_value_t = Wanted::Require)]
    sandbox: Wanted,
}

/// A hand-in and its row.
struct HandIn {
    /// The name of its file or folder.
    file: &'static str,
    content: Content,
    expected: Expected,
}

enum Content {
    Folder(Files),
    File(Vec<u8>),
}

/// The contents that a row must have.
struct Expected {
    category: Category,
    /// `None` where only the words are known.
    points: Option<u32>,
    /// Words in the reason, the verdicts, the notes or the remarks.
    words: &'static str,
}

/// Makes the class and returns the command line that grades it.
pub(crate) fn make(args: &RehearseArgs) -> anyhow::Result<Vec<String>> {
    let class = args.out.join("submissions");
    if class.exists() {
        bail!("--out {} holds a class already: name another folder", args.out.display());
    }
    for hand_in in hand_ins::all()? {
        let path = class.join(hand_in.file);
        hand_in.write(&path).with_context(|| path.display().to_string())?;
    }
    let roster = args.out.join("roster.csv");
    fs::write(&roster, hand_ins::ROSTER).with_context(|| roster.display().to_string())?;
    let sandbox = match args.sandbox {
        Wanted::Require => "require",
        Wanted::Bubblewrap => "bubblewrap",
        Wanted::Landlock => "landlock",
        Wanted::Off => "off",
    };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let words = ["class", "class", "--sandbox", sandbox, "--due", DUE, "--roster"];
    let mut line: Vec<String> = words.map(String::from).into();
    line.extend([text(&roster), "--each".into(), text(&class)]);
    line.extend(["--out".into(), text(&args.out.join("results"))]);
    Ok(line)
}

/// Prints what was expected and what came, and returns 1 if they differ.
pub(crate) fn compare(args: &RehearseArgs) -> anyhow::Result<ExitCode> {
    let class = Class::read(&args.out.join("results"))?;
    let hand_ins = hand_ins::all()?;
    println!("\n{:<40} {:<28} {:<28} says", "hand-in", "expected", "came");
    let mut wrong = 0;
    for HandIn { file, expected, .. } in &hand_ins {
        let result = class.results.iter().find(|result| result.hand_in == *file);
        let differs = result.is_none_or(|result| !expected.is_met(result));
        let came = result.map_or("nothing".to_string(), describe);
        let (row, words) = (expected.row(), expected.words);
        println!("{}", format!("{file:<40} {row:<28} {came:<28} {words}").trim_end());
        if differs {
            let said = result.map(said).unwrap_or_default();
            println!("{:<40} WRONG: it says: {}", "", said.join("; "));
        }
        wrong += usize::from(differs);
    }
    println!("\n{} hand-ins: {} as expected, {wrong} not.", hand_ins.len(), hand_ins.len() - wrong);
    Ok(ExitCode::from(u8::from(wrong > 0)))
}

impl HandIn {
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let create = |path: &Path, bytes: &[u8]| {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            fs::write(path, bytes)
        };
        match &self.content {
            Content::File(bytes) => create(path, bytes),
            Content::Folder(files) => {
                fs::create_dir_all(path)?;
                files.iter().try_for_each(|(name, bytes)| create(&path.join(name), bytes))
            }
        }
    }
}

impl Expected {
    fn is_met(&self, result: &Submission) -> bool {
        self.category == Category::of(result)
            && self.points.is_none_or(|points| points == result.final_points())
            && (self.words.is_empty()
                || said(result).iter().any(|words| words.contains(self.words)))
    }

    /// Category and points.
    fn row(&self) -> String {
        let points = self.points.map(|points| format!(", {points} points"));
        format!("{}{}", self.category.name(), points.unwrap_or_default())
    }
}

fn describe(result: &Submission) -> String {
    format!("{}, {} points", Category::of(result).name(), result.final_points())
}

/// All that a result says to a person.
fn said(result: &Submission) -> Vec<String> {
    let mut said: Vec<String> = result.reason.iter().cloned().collect();
    let failed = result.checks().filter(|check| check.outcome == "failed");
    said.extend(failed.map(|check| format!("{}: {}", check.id, check.summary)));
    said.extend(result.notes.iter().chain(&result.left_out).cloned());
    said.extend(result.costs());
    said.extend(result.same_as.iter().map(|other| format!("the same sources as {other}")));
    said.extend((result.late == Some(true)).then(|| "late".to_string()));
    said.extend(result.person.iter().map(|person| format!("of {}", person.name)));
    said
}
