//! Submissions as learning platforms hand them out, and classes graded in parts.
#![cfg(unix)]

mod common;

use std::fs::File;
use std::io::{Cursor, Write};
use std::path::Path;

use common::{classroom, put, result};
use serde_json::Value;
use zip::write::SimpleFileOptions;

/// A source that does not compile is graded soonest.
const SOURCE: &str = "not Rust";
const MAIN: &str = "day1/echo/src/main.rs";

/// A zip archive with these files.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        archive.start_file(*path, SimpleFileOptions::default()).expect("an entry");
        archive.write_all(bytes).expect("its content");
    }
    archive.finish().expect("an archive").into_inner()
}

/// Grades the folder and returns the exit code and all output.
fn grade(class: &Path, out: &Path, more: &[&str]) -> (i32, String) {
    let output = classroom()
        .args(["class", "--seed", "7", "--each"])
        .arg(class)
        .arg("--out")
        .arg(out)
        .args(more)
        .output()
        .expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("a code"), String::from_utf8_lossy(&text).into_owned())
}

/// The verdict on the only exercise of a submission.
fn summary(result: &Value) -> &str {
    result["exercises"][0]["checks"][0]["summary"].as_str().unwrap_or_default()
}

#[test]
fn what_platforms_hand_out_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (class, out) = (folder.path().join("class"), folder.path().join("out"));
    std::fs::create_dir(&class).expect("a folder");
    let write = |path: &str, bytes: &[u8]| {
        let path = class.join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    };
    let source = SOURCE.as_bytes();
    let project = zip(&[("project/day1/echo/src/main.rs", source)]);
    write("Ada Lovelace_123_assignsubmission_file_/project.zip", &project);
    write("lovelaceada_12_345_project-1.zip", &zip(&[("project.zip", &project)]));
    let solution = ("work/solutions/echo/src/main.rs", &b"fn main() {}"[..]);
    write("without-day1.zip", &zip(&[("work/echo/src/main.rs", source), solution]));
    let objects: Vec<String> = (0..100).map(|n| format!("w/target/debug/{n}.o")).collect();
    let mut files: Vec<(&str, &[u8])> = objects.iter().map(|path| (&path[..], source)).collect();
    files.extend([("w/.DS_Store", source), ("__MACOSX/w/._main.rs", source)]);
    files.push(("w/day1/echo/src/main.rs", source));
    write("built.zip", &zip(&files));
    let mut tar = tar::Builder::new(File::create(class.join("plain.tar")).expect("a file"));
    let mut header = tar::Header::new_gnu();
    header.set_size(source.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, MAIN, source).expect("an entry");
    tar.finish().expect("an archive");
    for ending in ["7z", "rar"] {
        write(&format!("packed-by-{ending}.{ending}"), b"compressed");
    }
    write("two/a.zip", &project);
    write("two/b.zip", &project);
    let (_, text) = grade(&class, &out, &[]);

    let graded = [
        "Ada Lovelace_123_assignsubmission_file_",
        "lovelaceada_12_345_project-1",
        "without-day1",
        "built",
        "plain",
    ];
    for name in graded {
        let result = result(&out, name);
        assert_eq!(result["status"], "graded", "{name}: {text}");
        assert_eq!(summary(&result), "Exercise echo does not compile.", "{name}: {result:#}");
    }
    assert_eq!(result(&out, "built")["left_out"], Value::Array(Vec::new()));
    for (name, reason) in [
        ("packed-by-7z.7z", "a .7z archive is not read; hand in a .zip or .tar.gz"),
        ("packed-by-rar.rar", "a .rar archive is not read; hand in a .zip or .tar.gz"),
        ("two", "it holds several archives: a.zip and b.zip; hand in one"),
    ] {
        let result = result(&out, name);
        assert_eq!((&result["status"], &result["reason"]), (&"unreadable".into(), &reason.into()));
    }
}

/// A hand-in's own `Cargo.toml` is not used, and the report says so where it matters.
#[test]
fn a_crate_that_is_not_allowed_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (class, out) = (folder.path().join("class"), folder.path().join("out"));
    let manifest = |name: &str, dependencies: &str| {
        let file = class.join(name).join("day1/echo/Cargo.toml");
        let text = format!("[package]\nname = \"echo\"\n\n[dependencies]\n{dependencies}");
        std::fs::write(file, text).expect("a file");
    };
    let right = common::reference("echo");
    let uses = format!("use anyhow::Context as _;\n{right}");
    put(&class.join("needs"), "echo", &uses);
    manifest("needs", "anyhow = \"1\"\ntokio.workspace = true\n");
    put(&class.join("typo"), "echo", "fn main() { let x = ; }");
    manifest("typo", "anyhow = \"1\"\ntokio = { version = \"1\", features = [\"full\"] }\n");
    put(&class.join("unused"), "echo", &right);
    manifest("unused", "anyhow = \"1\"\n");
    put(&class.join("unchanged"), "echo", "not Rust");
    let workbook = std::fs::read_to_string(common::root().join("day1/echo/Cargo.toml"));
    let file = class.join("unchanged/day1/echo/Cargo.toml");
    std::fs::write(file, workbook.expect("a manifest")).expect("a file");
    let (_, text) = grade(&class, &out, &[]);

    let words = "The one handed in is not used; it adds `anyhow`";
    let needs = result(&out, "needs");
    assert_eq!(
        summary(&needs),
        "Exercise echo needs `anyhow`, which this class does not allow.",
        "{text}"
    );
    let got = needs["exercises"][0]["checks"][0]["got"].as_str().expect("words");
    assert!(got.contains("unresolved import `anyhow`") && got.contains(words), "{got}");
    assert!(!got.contains("cargo add"), "{got}");
    let typo = result(&out, "typo");
    assert_eq!(summary(&typo), "Exercise echo does not compile.");
    let got = typo["exercises"][0]["checks"][0]["got"].as_str().expect("words");
    assert!(got.contains("it adds `anyhow` and changes `tokio`."), "{got}");
    let unused = result(&out, "unused");
    assert_eq!(common::count(&unused, "echo", "passed"), 12, "{unused:#}");
    assert!(unused["notes"][0].as_str().expect("a note").contains(words), "{unused:#}");
    let unchanged = result(&out, "unchanged");
    let none = Value::Array(Vec::new());
    assert_eq!((&unchanged["notes"], &unchanged["left_out"]), (&none, &none));
}

/// One exercise is asked for, so nothing else counts, and a lone `main.rs` is that exercise.
#[test]
fn one_exercise_is_graded_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (class, out) = (folder.path().join("class"), folder.path().join("out"));
    let right = common::reference("echo");
    put(&class.join("both"), "echo", &right);
    put(&class.join("both"), "heartbeat", "not Rust");
    std::fs::create_dir(class.join("lone")).expect("a folder");
    std::fs::write(class.join("lone/main.rs"), &right).expect("a file");
    let archive = zip(&[("main.rs", right.as_bytes())]);
    std::fs::write(class.join("lone-2.zip"), archive).expect("a file");
    put(&class.join("another"), "heartbeat", &right);
    let (code, text) = grade(&class, &out, &["--exercise", "echo"]);
    assert_eq!(code, 0, "{text}");
    for name in ["both", "lone", "lone-2"] {
        let result = result(&out, name);
        assert_eq!((&result["points"], &result["max_points"]), (&19.into(), &19.into()), "{name}");
        assert_eq!(result["exercises"].as_array().expect("a list").len(), 1, "{name}");
    }
    let left_out = "day1/heartbeat/src/main.rs: of an exercise that is not graded";
    assert_eq!(result(&out, "both")["left_out"][0], left_out);
    let reason = "there is no day1/echo/src/*.rs, no echo/src/*.rs and no lone main.rs in it";
    assert_eq!(result(&out, "another")["reason"], reason);
    let (code, text) = grade(&class, &out, &["--resume"]);
    assert_eq!(code, 2, "{text}");
    let (code, text) = grade(&class, &out, &["--exercise", "chat"]);
    assert!(code == 2 && text.contains("wanted echo, heartbeat or broadcast"), "{text}");
}

/// Parts with other points, or not all of them, do not make a whole.
#[test]
fn parts_make_a_whole_or_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let class = folder.path().join("class");
    for name in ["ada", "grace"] {
        put(&class.join(name), "echo", &format!("{SOURCE} by {name}"));
    }
    let weights = folder.path().join("weights.json");
    std::fs::write(&weights, r#"{"echo::reply": 9}"#).expect("a file");
    let weights = weights.to_str().expect("UTF-8");
    let part = |name: &str| folder.path().join(name);
    grade(&class, &part("part-1"), &["--shard", "1/2"]);
    grade(&class, &part("part-2"), &["--shard", "2/2"]);
    grade(&class, &part("heavy-2"), &["--shard", "2/2", "--weights", weights]);
    let merge = |names: &[&str], out: &str| {
        let parts = names.iter().map(|name| part(name));
        let output = classroom().arg("merge").args(parts).arg("--out").arg(part(out)).output();
        let output = output.expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(merge(&["part-2", "part-1"], "whole").0, Some(0));
    for name in ["ada", "grace"] {
        assert_eq!(result(&part("whole"), name)["status"], "graded");
    }
    for (names, reason) in [
        (&["part-1"][..], "--shard 2/2 are missing"),
        (&["part-1", "heavy-2"], "graded with different --weights or --exercise"),
        (&["part-1", "part-1"], "are both part 1 of 2"),
    ] {
        let (code, text) = merge(names, "broken");
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(reason), "{names:?}: {text}");
        assert!(!part("broken").exists(), "{names:?} left files");
    }
    let (code, text) =
        grade(&class, &part("part-1"), &["--shard", "1/2", "--resume", "--weights", weights]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("began with other points; give the same --weights and --exercise"),
        "{text}"
    );
    let (code, text) = grade(&class, &part("part-1"), &["--shard", "2/2", "--resume"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("began with --shard 1/2"), "{text}");
}
