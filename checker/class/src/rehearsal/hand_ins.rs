//! The hand-ins.

use anyhow::Context;
use checker::skeleton;
use harness::exercise::{Exercise, Target};
use mistakes::catalogue::{self, Chapter};

use super::{Content, Expected, HandIn};
use crate::overview::Category;
use crate::pack::{Files, tar, tar_gz, zip};

use Category::{DoesNotCompile, Graded, NotStarted, Unreadable};
use Exercise::{Broadcast, Echo, Heartbeat};

/// Ids as Canvas and names as Moodle put them into the names of hand-ins.
pub(super) const ROSTER: &str =
    "Name,ID\nStudent Six,1006\nStudent Seven,1007\nStudent Five,1005\n";

const NOT_RUST: &str = "fn main() { let never: u32 = ; }\n";
const SHAPE: &str = "there is no day1/<exercise>/src/*.rs";

/// The workbook's solution of an exercise.
struct Solutions(Vec<Chapter>);

impl Solutions {
    fn chapter(&self, exercise: Exercise) -> anyhow::Result<&Chapter> {
        let chapter = self.0.iter().find(|chapter| chapter.exercise == exercise.name());
        chapter.with_context(|| format!("the catalogue has no {exercise}"))
    }

    fn of(&self, exercise: Exercise) -> anyhow::Result<&str> {
        Ok(self.chapter(exercise)?.solution)
    }

    /// A solution with this mistake.
    fn mistake(&self, exercise: Exercise, name: &str) -> anyhow::Result<String> {
        let chapter = self.chapter(exercise)?;
        let mistake = chapter.mistakes.iter().find(|mistake| mistake.name == name);
        Ok(chapter.source(mistake.with_context(|| format!("the catalogue has no {name}"))?)?)
    }
}

fn put(path: &str, text: &str) -> (String, Vec<u8>) {
    (path.to_string(), text.as_bytes().to_vec())
}

fn source(exercise: Exercise, text: &str) -> (String, Vec<u8>) {
    put(&exercise.source(Target::Day1), text)
}

/// The points of all checks of these exercises.
fn points(exercises: &[Exercise]) -> Option<u32> {
    let checks = checks::all().into_iter().filter(|check| exercises.contains(&check.exercise));
    Some(checks.map(checks::Check::points).sum())
}

fn row(file: &'static str, content: Content, category: Category) -> HandIn {
    HandIn { file, content, expected: Expected { category, points: Some(0), words: "" } }
}

impl HandIn {
    fn points(mut self, points: Option<u32>) -> HandIn {
        self.expected.points = points;
        self
    }

    fn says(mut self, words: &'static str) -> HandIn {
        self.expected.words = words;
        self
    }
}

/// A server that binds its own address, with the standard library only.
fn own_address(address: &str) -> String {
    format!(
        "use std::net::TcpListener;\nfn main() {{\n    \
         let listener = TcpListener::bind(\"{address}\").unwrap();\n    \
         println!(\"WebSocket server running on ws://{address}\");\n    \
         for stream in listener.incoming() {{ drop(stream); }}\n}}\n"
    )
}

/// Returns all hand-ins: as platforms hand them out, packed in other ways, and with what students
/// write.
pub(super) fn all() -> anyhow::Result<Vec<HandIn>> {
    let solutions = Solutions(catalogue::chapters()?);
    let mut all = platforms(&solutions)?;
    all.extend(refused()?);
    all.extend(packed(&solutions)?);
    all.extend(programs(&solutions)?);
    Ok(all)
}

fn platforms(solutions: &Solutions) -> anyhow::Result<Vec<HandIn>> {
    let echo = source(Echo, solutions.of(Echo)?);
    let within = |root: &str| (format!("{root}/{}", echo.0), echo.1.clone());
    let zipped = zip(&vec![within("project")])?;
    let file = Content::File;
    let right = |name, content| row(name, content, Graded).points(points(&[Echo]));
    Ok(vec![
        right("folder", Content::Folder(vec![echo.clone()])),
        right("repository-main", Content::Folder(vec![within("repository-main")])),
        right("archive.zip", file(zipped.clone())),
        right("archive.tar.gz", file(tar_gz(&vec![within("project")])?)),
        right("archive-2.tar", file(tar(&vec![echo.clone()])?)),
        right("zip-in-a-zip.zip", file(zip(&vec![("project.zip".into(), zipped.clone())])?)),
        right(
            "Student Five_105_assignsubmission_file_",
            Content::Folder(vec![("project.zip".into(), zipped.clone())]),
        )
        .says("of Student Five"),
        right("studentsix_1006_5006_project-1.zip", file(zipped.clone())).says("of Student Six"),
        right("studentseven_LATE_1007_5007_project.zip", file(zipped)).says("late"),
    ])
}

fn refused() -> anyhow::Result<Vec<HandIn>> {
    let refused = |name, content| row(name, content, Unreadable);
    let one = zip(&vec![source(Echo, "fn main() {}\n")])?;
    let (first, second) = (source(Echo, "fn main() {}\n"), source(Echo, "fn main() { }\n"));
    let several = vec![(format!("a/{}", first.0), first.1), (format!("b/{}", second.0), second.1)];
    Ok(vec![
        refused("compressed.7z", Content::File(b"7z".to_vec())).says("a .7z archive is not read"),
        refused("compressed.rar", Content::File(b"Rar!".to_vec())).says(".rar archive is not read"),
        refused(
            "two-archives",
            Content::Folder(vec![("a.zip".into(), one.clone()), ("b.zip".into(), one)]),
        )
        .says("a.zip and b.zip; hand in one"),
        refused("two-versions", Content::Folder(several)).says("a/day1 and b/day1"),
        refused("empty", Content::Folder(Vec::new())).says(SHAPE),
        refused("essay", Content::Folder(vec![put("essay.txt", "I had no time.\n")])).says(SHAPE),
        refused("lone-main", Content::Folder(vec![put("main.rs", "fn main() {}\n")])).says(SHAPE),
        refused("no-archive.zip", Content::File(b"PK".to_vec())).says("it cannot be read"),
        refused("essay.docx", Content::File(b"text".to_vec())).says("neither a folder nor"),
    ])
}

fn packed(solutions: &Solutions) -> anyhow::Result<Vec<HandIn>> {
    let text = solutions.of(Echo)?;
    let echo = source(Echo, text);
    let right = |name, content| row(name, content, Graded).points(points(&[Echo]));
    let mut built: Files =
        (0..100).map(|n| put(&format!("w/target/debug/{n}.o"), "object")).collect();
    built.extend([put("__MACOSX/w/._main.rs", "x"), put("w/.DS_Store", "x")]);
    built.push((format!("w/{}", echo.0), echo.1.clone()));
    let backslashes = (echo.0.replace('/', "\\"), echo.1.clone());
    let skeleton = source(Echo, skeleton::of(Echo));
    let backup = vec![
        (format!("backup/{}", skeleton.0), skeleton.1),
        (format!("project/{}", echo.0), echo.1.clone()),
    ];
    let escaping = vec![put("../outside.rs", "fn main() {}\n"), echo.clone()];
    Ok(vec![
        right("built.zip", Content::File(zip(&built)?)),
        right("backslashes.zip", Content::File(zip(&vec![backslashes])?)),
        right("without-day1", Content::Folder(vec![put("work/echo/src/main.rs", text)])),
        right("old-backup", Content::Folder(backup)).says("backup/day1: the untouched skeleton"),
        right("escaping.zip", Content::File(zip(&escaping)?))
            .says("its path leads out of the submission"),
        right("name (of, honour) = 1", Content::Folder(vec![echo])).says("the same sources as"),
        right(
            "windows-line-ends",
            Content::Folder(vec![source(Echo, &text.replace('\n', "\r\n"))]),
        ),
    ])
}

fn programs(solutions: &Solutions) -> anyhow::Result<Vec<HandIn>> {
    let folder = |files: Files| Content::Folder(files);
    let skeletons = Exercise::ALL.map(|exercise| source(exercise, skeleton::of(exercise)));
    let all = [Echo, Heartbeat, Broadcast]
        .map(|exercise| Ok(source(exercise, solutions.of(exercise)?)))
        .into_iter()
        .collect::<anyhow::Result<Files>>()?;
    let heartbeat = source(Heartbeat, solutions.of(Heartbeat)?);
    let manifest =
        put("day1/echo/Cargo.toml", "[package]\nname = \"echo\"\n[dependencies]\nanyhow = \"1\"\n");
    let uses = format!("use anyhow::Context as _;\n{}", solutions.of(Echo)?);
    Ok(vec![
        row("everything-right", folder(all), Graded).points(points(&Exercise::ALL)),
        row(
            "one-mistake",
            folder(vec![source(Echo, &solutions.mistake(Echo, "connection-not-logged")?)]),
            Graded,
        )
        .points(None)
        .says("echo::log"),
        row("half-compiles", folder(vec![source(Echo, NOT_RUST), heartbeat]), Graded)
            .points(points(&[Heartbeat]))
            .says("Exercise echo does not compile: its 12 checks count 0"),
        row("does-not-compile", folder(vec![source(Echo, NOT_RUST)]), DoesNotCompile)
            .says("Exercise echo does not compile."),
        row("not-started", folder(skeletons.into()), NotStarted).says("is not started yet"),
        row("needs-a-crate", folder(vec![source(Echo, &uses), manifest]), DoesNotCompile)
            .says("Exercise echo needs `anyhow`"),
        row("default-port", folder(vec![source(Echo, &own_address("127.0.0.1:8080"))]), Graded)
            .says("not on the address in ADDR"),
        row("own-port", folder(vec![source(Echo, &own_address("127.0.0.1:9109"))]), Graded)
            .says("port 9109 and not on the address in ADDR"),
        row("ends-at-once", folder(vec![source(Echo, "fn main() { panic!(\"no\") }\n")]), Graded)
            .says("The server ended before it was ready."),
        row(
            "never-ready",
            folder(vec![source(Echo, "fn main() { loop { std::thread::park() } }\n")]),
            Graded,
        )
        .says("The server never printed its ready line."),
    ])
}
