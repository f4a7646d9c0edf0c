//! Machines that are short of something: right submissions get their points, or a person looks at
//! them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::count;
use crate::common::grader::{Class, Ground, is_root, open, said};
use crate::programs::attacking;

/// A cgroup of this test, with one limit.
struct Limited {
    folder: PathBuf,
}

impl Limited {
    /// `None` where this machine has no such controller, or the tests may not use it.
    fn new(controller: &str, files: [&str; 2], value: u64) -> Option<Limited> {
        let name = format!("workbook-test-{}", std::process::id());
        let first = Path::new("/sys/fs/cgroup").join(controller);
        let second = Path::new("/sys/fs/cgroup");
        let places = [(first.as_path(), files[0]), (second, files[1])];
        places.into_iter().find_map(|(place, file)| {
            let folder = place.join(&name);
            fs::create_dir(&folder).ok()?;
            let limited = Limited { folder };
            fs::write(limited.folder.join(file), value.to_string()).ok()?;
            Some(limited)
        })
    }

    /// What a command line begins with that runs inside.
    fn before(&self) -> Vec<std::ffi::OsString> {
        let script = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
        vec!["sh".into(), "-c".into(), script.into(), self.folder.clone().into()]
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        for _ in 0..200 {
            // The class has ended; a worker's last zombie may not be reaped yet.
            if fs::remove_dir(&self.folder).is_ok() {
                break;
            }
            std::thread::yield_now();
        }
    }
}

/// Twelve right submissions get all points, or the machine's reason; and at least `graded` of them
/// have a verdict.
fn assert_twelve(class: &Class, graded: usize) {
    let mut full = 0;
    for number in 0..12 {
        let result = class.result(&format!("right-{number:02}"));
        let (passed, unknown) =
            (count(&result, "echo", "passed"), count(&result, "echo", "unknown"));
        let broken = result["status"] == "broken";
        assert!(passed + unknown == 12 || broken, "right-{number:02}: {}", open(&result));
        full += usize::from(passed == 12);
    }
    assert!(full >= graded, "only {full} of 12 were judged");
}

#[test]
fn twelve_right_submissions_where_400_processes_may_run() {
    let Some(limited) = Limited::new("pids", ["pids.max", "pids.max"], 400) else {
        eprintln!("NOT TRIED: no cgroup that limits processes can be made here");
        return;
    };
    let mut class = Class::new(Ground { level: "bubblewrap", root: is_root() });
    for number in 0..12 {
        class.put_right(&format!("right-{number:02}"));
    }
    class.before = limited.before();
    class.grade();
    eprintln!(
        "most at a time: {}, refused: {}",
        limited.read("pids.peak"),
        limited.read("pids.events")
    );
    assert_twelve(&class, 12);
}

#[test]
fn twelve_right_submissions_and_a_hog_where_memory_is_short() {
    let limit = 2 << 30;
    let Some(limited) = Limited::new("memory", ["memory.limit_in_bytes", "memory.max"], limit)
    else {
        eprintln!("NOT TRIED: no cgroup that limits memory can be made here");
        return;
    };
    let mut class = Class::new(Ground { level: "bubblewrap", root: is_root() });
    for number in 0..12 {
        class.put_right(&format!("right-{number:02}"));
    }
    // Pages of a file in memory belong to no process.
    class.put(
        "hog",
        &attacking(
            r#"for number in 0..24 {
                std::process::Command::new("sh").args(["-c", "exec tail -c 200m /dev/urandom"]).spawn().expect("one more");
                let _ = std::fs::write(format!("/tmp/{number}"), vec![1u8; 32 << 20]);
            }
            let mut all = Vec::new();
            loop { all.push(vec![1u8; 1 << 24]); }"#,
        ),
    );
    class.before = limited.before();
    let output = class.grade();
    assert!(said(&output).contains("13 submissions"), "the class did not end by itself");
    assert_eq!(class.result("hog")["points"], 0);
    assert_twelve(&class, 10);
}

#[test]
fn a_class_leaves_no_zombie_behind() {
    // Each submission leaves orphans, which the grader adopts.
    let class = Class::new(Ground { level: "off", root: is_root() });
    let code = r#"for _ in 0..20 {
        std::process::Command::new("sh").args(["-c", "setsid sleep 0 & exit"]).status().expect("sh");
    }"#;
    for number in 0..4 {
        class.put(&format!("orphans-{number}"), &format!("// {number}\n{}", attacking(code)));
    }
    let mut command = class.command();
    let mut child = command.args(["--jobs", "1"]).spawn().expect("it runs");
    let mut most = 0;
    while child.try_wait().expect("it can be asked").is_none() {
        most = most.max(zombies_of(child.id()));
        std::thread::yield_now();
    }
    eprintln!("at most {most} zombies at a time");
    assert!(most < 30, "{most} zombies at a time");
    for number in 0..4 {
        class.assert_right(&format!("orphans-{number}"));
    }
}

fn zombies_of(parent: u32) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let stats =
        processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    let ours = stats.filter(|stat| {
        let fields = stat.rsplit_once(')').map(|(_, after)| after.trim_start().to_string());
        fields.is_some_and(|fields| fields.starts_with(&format!("Z {parent} ")))
    });
    ours.count()
}
