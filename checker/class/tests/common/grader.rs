//! A class that is graded on a level of the sandbox, as root or as a plain user.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

/// A user that owns nothing and has no name.
const PLAIN: u32 = 31_416;

/// A level of the sandbox and a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ground {
    pub(crate) level: &'static str,
    pub(crate) root: bool,
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// All levels, for each user that the tests can be.
pub(crate) fn grounds(levels: &[&'static str]) -> Vec<Ground> {
    let users: &[bool] = if is_root() { &[true, false] } else { &[false] };
    if !is_root() {
        eprintln!("NOT ROOT: the levels are tried as a plain user only");
    }
    let all =
        levels.iter().flat_map(|level| users.iter().map(|root| Ground { level, root: *root }));
    all.collect()
}

/// A class of submissions, and how it is graded.
pub(crate) struct Class {
    folder: TempDir,
    ground: Ground,
    /// The beginning of the command line, before the grader.
    pub(crate) before: Vec<OsString>,
    pub(crate) args: Vec<OsString>,
    pub(crate) env: Vec<(&'static str, OsString)>,
}

impl Class {
    pub(crate) fn new(ground: Ground) -> Class {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("its own");
        fs::create_dir(folder.path().join("class")).expect("a folder");
        fs::create_dir(folder.path().join("results")).expect("a folder");
        let class = Class { folder, ground, before: vec![], args: vec![], env: vec![] };
        if let Some(uid) = class.uid() {
            chown(class.folder.path().join("results"), Some(uid), Some(uid)).expect("root");
        }
        class
    }

    fn uid(&self) -> Option<u32> {
        (is_root() && !self.ground.root).then_some(PLAIN)
    }

    /// The folder of the submissions.
    pub(crate) fn submissions(&self) -> PathBuf {
        self.folder.path().join("class")
    }

    /// A folder that only the tests use.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("results/out")
    }

    /// The echo server of this text, as a submission.
    pub(crate) fn put(&self, name: &str, text: &str) {
        super::put(&self.submissions().join(name), "echo", text);
    }

    pub(crate) fn put_right(&self, name: &str) {
        // A comment makes them differ, since equal submissions are graded once.
        self.put(name, &format!("// {name}\n{}", super::reference("echo")));
    }

    /// The command that grades all submissions.
    pub(crate) fn command(&self) -> Command {
        let exe = match self.uid() {
            Some(uid) => plain_grader(uid),
            None => PathBuf::from(env!("CARGO_BIN_EXE_class")),
        };
        let mut line = self.before.clone();
        line.push(exe.into());
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).args(["class", "--sandbox", self.ground.level, "--each"]);
        command.arg(self.submissions()).arg("--out").arg(self.out()).args(&self.args);
        // `cargo test` sets the path of its own compiler's libraries.
        command.env_remove("CARGO_MANIFEST_DIR").env_remove("LD_LIBRARY_PATH");
        command.envs(self.env.clone());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = [toolchain().join("bin")].into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).expect("a search path"));
        if let Some(uid) = self.uid() {
            command.uid(uid).gid(uid).env("HOME", self.folder.path().join("results"));
        }
        command
    }

    pub(crate) fn grade(&self) -> Output {
        let output = self.command().output().expect("it runs");
        eprintln!("{:?}\n{}", self.ground, output_text(&output));
        output
    }

    pub(crate) fn result(&self, name: &str) -> Value {
        super::result(&self.out(), name)
    }

    /// Fails unless this submission, which is right, passed every check of its exercise.
    pub(crate) fn assert_right(&self, name: &str) {
        let result = self.result(name);
        let passed = super::count(&result, "echo", "passed");
        assert_eq!(passed, 12, "{:?} {name}: {}", self.ground, open(&result));
    }
}

/// Returns everything that a command printed.
pub(crate) fn output_text(output: &Output) -> String {
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{out}{err}")
}

/// The verdicts of the echo exercise that are no pass.
pub(crate) fn open(result: &Value) -> String {
    let checks = result["exercises"].as_array().into_iter().flatten();
    let checks = checks.filter(|exercise| exercise["name"] == "echo");
    let checks =
        checks.flat_map(|exercise| exercise["checks"].as_array().cloned().unwrap_or_default());
    let open = checks.filter(|check| check["outcome"] != "passed");
    let lines = open.map(|check| {
        format!("\n  {} {} {} {}", check["id"], check["outcome"], check["summary"], check["got"])
    });
    format!(
        "{} {} {}{}",
        result["status"],
        result["reason"],
        result["notes"],
        lines.collect::<String>()
    )
}

/// The compiler's folder, where every user may read it.
pub(crate) fn toolchain() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc");
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        let closed = |folder: &Path| {
            fs::metadata(folder).is_ok_and(|file| file.permissions().mode() & 0o001 == 0)
        };
        if !is_root() || !sysroot.ancestors().any(closed) {
            return sysroot;
        }
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("toolchain");
        copy_by_links(&sysroot, &copy);
        copy
    })
}

/// Copies a folder; files are shared where the file system allows it.
pub(crate) fn copy_by_links(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let linked = Command::new("cp").arg("-al").arg(from).arg(to).status().expect("cp");
    if !linked.success() {
        let _ = fs::remove_dir_all(to);
        assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp").success());
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).expect("its own");
}

/// The grader with its libraries, where a plain user may write.
fn plain_grader(uid: u32) -> PathBuf {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    let place = PLACE.get_or_init(|| {
        // Compiles the libraries, if that was not done.
        let first = Class::new(Ground { level: "off", root: true });
        assert!(first.grade().status.success(), "the libraries cannot be compiled");
        let exe = Path::new(env!("CARGO_BIN_EXE_class"));
        let target = exe.ancestors().nth(2).expect("cargo's folder");
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plain");
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(place.join("debug")).expect("a folder");
        fs::copy(exe, place.join("debug/class")).expect("a copy");
        copy_by_links(&target.join("class"), &place.join("class"));
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("its own");
        chown(place.join("class"), Some(uid), Some(uid)).expect("root");
        place
    });
    place.join("debug/class")
}

/// Returns whether a process has this word in its command line. A killed process may take a moment
/// to end.
pub(crate) fn is_running(word: &str) -> bool {
    let present = || {
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let mut lines =
            processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.any(|line| line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes()))
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while present() {
        if std::time::Instant::now() > deadline {
            return true;
        }
        std::thread::yield_now();
    }
    false
}
