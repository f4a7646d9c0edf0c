//! A roster, late hand-ins, a regraded one and a manual correction, back to Canvas and Moodle.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::{classroom, put, reference, result};
use tempfile::TempDir;

const DUE: &str = "2026-11-30T23:59:00+01:00";
/// The points of `echo`.
const ECHO: &str = "19";

/// A class in a folder of its own.
struct Class(TempDir);

impl Class {
    fn new() -> Class {
        Class(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }

    /// Makes a hand-in, last changed at this time in UTC, as `touch` reads it.
    fn hand_in(&self, name: &str, source: &str, changed: &str) -> PathBuf {
        let folder = self.path("class").join(name);
        put(&folder, "echo", source);
        let file = folder.join("day1/echo/src/main.rs");
        let mut touch = std::process::Command::new("touch");
        touch.args(["-d", changed]).arg(file);
        assert!(touch.status().expect("touch").success());
        folder
    }

    /// Runs `class` with these arguments and the folder of results.
    fn run(&self, args: &[&str], paths: &[&Path]) -> Output {
        let mut command = classroom();
        command.args(args).args(paths).arg("--out").arg(self.path("out"));
        command.output().expect("it runs")
    }

    fn grade(&self, more: &[&str]) -> String {
        let class = self.path("class");
        let args = [&["class", "--seed", "7"], more, &["--each"]].concat();
        text(&self.run(&args, &[&class]), 0)
    }

    fn table(&self, name: &str) -> Vec<Vec<String>> {
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true);
        let mut table = reader.from_path(self.path("out").join(name)).expect("a table");
        let records = table.records().map(|record| record.expect("a record"));
        records.map(|record| record.iter().map(String::from).collect()).collect()
    }

    /// The cells of one row of `results.csv`, by column.
    fn row(&self, name: &str, columns: &[&str]) -> Vec<String> {
        let table = self.table("results.csv");
        let row = table.iter().find(|row| row[0] == name).expect("a row");
        let index = |column: &&str| table[0].iter().position(|head| head == column);
        columns.iter().map(|column| row[index(column).expect("a column")].clone()).collect()
    }
}

/// All output of a command that must end with this exit code.
fn text(output: &Output, code: i32) -> String {
    let bytes = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// A gradebook of forty as Canvas exports it.
fn canvas_export() -> String {
    let mut text = "\u{feff}Student,ID,SIS User ID,SIS Login ID,Section,Essay (776),\
                    Day 1 (777),Current Score\n    Points Possible,,,,,10,75,(read only)\n"
        .to_string();
    for n in 1..=40 {
        text += &format!("\"{n:02}, Student\",{},S{n:03},student{n:02},Lab 1,8,,80\n", 1000 + n);
    }
    text
}

#[test]
fn a_roster_of_forty_goes_back_to_canvas() {
    let class = Class::new();
    let roster = class.write("export.csv", &canvas_export());
    let right = reference("echo");
    for n in 1..=38 {
        // Canvas marks what was late; student-04 is late by the time of the file alone.
        let late = if [2, 3].contains(&n) { "LATE_" } else { "" };
        let name = format!("student{n:02}_{late}{}_{}_project", 1000 + n, 5000 + n);
        let changed = if n == 4 { "2026-11-30T23:00:00Z" } else { "2026-11-30T22:58:00Z" };
        let source = if n == 1 { &right } else { "not Rust" };
        class.hand_in(&name, source, changed);
    }
    fs::create_dir(class.path("class/student39_1039_5039_project")).expect("a folder");
    class.hand_in("guest (of honour)", "not Rust", "2026-11-30T22:58:00Z");
    let roster = roster.to_str().expect("UTF-8");
    let printed = class.grade(&["--roster", roster, "--due", DUE]);
    for words in [
        "40 submissions: 1 graded, 38 does not compile, 1 unreadable.",
        "3 came late.",
        "Without a hand-in: 40, Student",
        "Not in the roster: guest _of honour_",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    let columns = ["hand_in", "name", "id", "late", "points", "reason"];
    let guest = class.row("guest _of honour_", &columns);
    assert_eq!(guest, ["guest (of honour)", "", "", "in time", "0", ""]);
    let late = class.row("student04_1004_5004_project", &columns[1..5]);
    assert_eq!(late, ["04, Student", "S004", "late", "0"]);
    let refused = class.row("student39_1039_5039_project", &columns[4..]);
    assert!(refused[1].starts_with("there is no day1/"), "{refused:?}");

    // One is corrected by hand, and one hands in again under the next name that Canvas gives.
    let correction = ["adjust", "student03_LATE_1003_5003_project", "--points", "11"];
    let correction = [&correction[..], &["--comment", "One \"semicolon\" was missing."]].concat();
    let printed = text(&class.run(&correction, &[]), 0);
    assert!(printed.contains("11 of 75 points; 0 by the checks."), "{printed}");
    let again = class.hand_in("student05_1005_5999_project-1", &right, "2026-11-30T22:59:00Z");
    let printed = text(&class.run(&["class", "--resume"], &[&again]), 0);
    let words = "student05_1005_5999_project-1 replaces student05_1005_5005_project";
    assert!(printed.contains(words), "{printed}");
    assert_eq!(class.table("results.csv").len(), 41);

    let table = class.table("gradebook-canvas.csv");
    let head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Day 1 (777)"];
    assert_eq!(table[0], head);
    assert_eq!(table[1], ["    Points Possible", "", "", "", "", "75"]);
    // Neither the unreadable hand-in nor the missing one gets a line.
    assert_eq!(table.len(), 2 + 38);
    for (n, row) in (1..).zip(&table[2..]) {
        let points = match n {
            1 | 5 => ECHO,
            3 => "11",
            _ => "0",
        };
        let (id, sis, login) = (1000 + n, format!("S{n:03}"), format!("student{n:02}"));
        let wanted = [&format!("{n:02}, Student"), &id.to_string(), &sis, &login, "Lab 1", points];
        assert_eq!(row, &wanted);
    }

    // The correction survives a run that grades everything again.
    fs::remove_dir_all(class.path("class/student05_1005_5005_project")).expect("a folder");
    class.hand_in("student03_LATE_1003_5003_project", "still not Rust", "2026-11-30T22:58:00Z");
    class.grade(&["--resume"]);
    let columns = ["points", "points_by_checks", "comment", "late"];
    let row = class.row("student03_LATE_1003_5003_project", &columns);
    assert_eq!(row, ["11", "0", "One \"semicolon\" was missing.", "late"]);
    assert_eq!(class.row("student05_1005_5999_project-1", &columns)[0], ECHO);
}

#[test]
fn a_roster_goes_back_to_moodle() {
    let class = Class::new();
    let roster = class.write(
        "grades.csv",
        "First name,Last name,ID number,Email address,Submitted,Course total (Real)\n\
         Student,One,M-1,one@example.org,2026-11-30T23:58:59+01:00,1\n\
         Student,Two,M-2,two@example.org,2026-11-30T23:59:01+01:00,2\n\
         Student,Three,M-3,three@example.org,,3\n",
    );
    for name in ["Student One_91_assignsubmission_file_", "two"] {
        class.hand_in(name, "not Rust", "2026-12-24T12:00:00Z");
    }
    let roster = roster.to_str().expect("UTF-8");
    class.grade(&["--roster", roster, "--due", DUE, "--assignment", "WebSockets"]);
    let table = class.table("gradebook-moodle.csv");
    assert_eq!(
        table[0],
        [
            "First name",
            "Last name",
            "ID number",
            "Email address",
            "WebSockets",
            "WebSockets (Feedback)"
        ]
    );
    let points = "0 of 75 points.";
    assert_eq!(table[1], ["Student", "One", "M-1", "one@example.org", "0", points]);
    let late = "0 of 75 points. Handed in late.";
    assert_eq!(table[2], ["Student", "Two", "M-2", "two@example.org", "0", late]);
    assert_eq!(table.len(), 3);
    assert!(!class.path("out/gradebook-canvas.csv").exists());
    let result = result(&class.path("out"), "two");
    assert_eq!(result["submitted"], "2026-11-30T22:59:01Z");
}

#[test]
fn what_cannot_be_assigned_is_named_before_anything_is_graded() {
    let class = Class::new();
    for name in ["seven", "S7"] {
        class.hand_in(name, "not Rust", "2026-11-30T22:58:00Z");
    }
    let submissions = class.path("class");
    let submissions = submissions.to_str().expect("UTF-8");
    let refuse = |roster: &str, more: &[&str]| {
        let roster = class.write("roster.csv", roster);
        let roster = roster.to_str().expect("UTF-8");
        let args = [&["class", "--each", submissions, "--roster", roster], more].concat();
        let printed = text(&class.run(&args, &[]), 2);
        assert!(!class.path("out").exists(), "{printed}");
        printed
    };
    for (roster, words) in [
        ("Name,ID\nseven,S7\n", "are both hand-ins of seven; leave one out"),
        ("Name,ID\nseven,1\nseven,2\n", "`seven` may be of seven (1) or of seven (2)"),
        ("who,id\nseven,S7\n", "it needs a column `Name` or `Student`"),
        ("Name,Submitted\nseven,yesterday\n", "line 2: `yesterday` is no time of hand-in"),
    ] {
        let printed = refuse(roster, &[]);
        assert!(printed.contains(words), "{words}: {printed}");
    }
    let printed = refuse("Name\nseven\n", &["--due", "2026-11-30"]);
    assert!(printed.contains("wanted a time with its offset"), "{printed}");
    class.grade(&[]);
    let printed = text(&class.run(&["adjust", "sevem", "--points", "1"], &[]), 2);
    assert!(printed.contains("has no submission `sevem`; the nearest is `seven`"), "{printed}");
}
