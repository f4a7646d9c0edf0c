//! A copy of the workbook, for tests that edit it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use assert_cmd::Command;
use harness::exercise::{Exercise, Target};
use tempfile::TempDir;

/// The files that cargo and the student's tools read.
const COPIED: &[&str] =
    &["Cargo.toml", "Cargo.lock", ".cargo", "checker", "day1", "lessons", "solutions"];
/// Names of files and folders that are not copied.
const LEFT: &[&str] = &["node_modules", "target", ".git"];
const WAITS: &str = "waiting for another cargo to finish";

/// A copy with untouched exercises. It is removed on drop.
pub(crate) struct Workbook {
    folder: TempDir,
}

impl Workbook {
    /// Copies the workbook.
    pub(crate) fn copy() -> Self {
        let folder = TempDir::with_prefix("workbook-").expect("a folder");
        for name in COPIED {
            copy(&harness::server::build::workspace().join(name), &folder.path().join(name));
        }
        let workbook = Workbook { folder };
        for exercise in Exercise::ALL {
            workbook.write(exercise, checker::skeleton::of(exercise));
        }
        workbook
    }

    /// Returns its root.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path of an exercise's source.
    pub(crate) fn source(&self, exercise: Exercise) -> PathBuf {
        self.root().join(exercise.source(Target::Day1))
    }

    /// Writes the source of an exercise.
    pub(crate) fn write(&self, exercise: Exercise, text: &str) {
        fs::write(self.source(exercise), text).expect("it can be written");
    }

    /// Returns a command that runs the checker on this copy.
    pub(crate) fn checker(&self, args: &[&str]) -> Command {
        let mut command = super::checker();
        command.args(args).envs(self.environment());
        command
    }

    /// Returns the variables that make a checker work on this copy. All copies share a target
    /// folder, so that the libraries are compiled once.
    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("CARGO_MANIFEST_DIR", self.root().join("checker")), ("CARGO_TARGET_DIR", target())]
    }

    /// Runs the checker and returns its exit code and output, without the line that it waits for
    /// the build of another test.
    pub(crate) fn call(&self, args: &[&str]) -> (i32, String) {
        let output = self.checker(args).output().expect("it runs");
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr);
        said.extend(complaints.split_inclusive('\n').filter(|line| !line.contains(WAITS)));
        (output.status.code().expect("it is not killed"), said)
    }
}

/// Returns the target folder of the copies. It starts with hard links to the compiled libraries of
/// the real workbook, since compiling them takes most of a minute.
fn target() -> PathBuf {
    static TARGET: OnceLock<PathBuf> = OnceLock::new();
    let seeded = TARGET.get_or_init(|| {
        let ours = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let target = ours.join("workbooks");
        if !target.exists() {
            for folder in
                ["build", "deps", ".fingerprint"].map(|name| Path::new("debug").join(name))
            {
                link(&ours.with_file_name("").join(&folder), &target.join(folder));
            }
        }
        target
    });
    seeded.clone()
}

/// Links files. Cargo builds those that cannot be linked.
fn link(from: &Path, to: &Path) {
    if from.is_dir() {
        let _ = fs::create_dir_all(to);
        for entry in fs::read_dir(from).into_iter().flatten().flatten() {
            link(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        let _ = fs::hard_link(from, to);
    }
}

fn copy(from: &Path, to: &Path) {
    if LEFT.iter().any(|left| from.ends_with(left)) {
        return;
    }
    if !from.is_dir() {
        fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        return;
    }
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
