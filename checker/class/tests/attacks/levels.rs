//! Machines with other sandboxes: older kernels, no namespaces, nothing at all.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::grader::{Class, Ground, is_root, output_text};
use crate::common::{put, reference, root};

/// Reports another Landlock ABI to all that it starts.
fn simulator() -> PathBuf {
    root().join("checker/class/tests/attacks/landlock_abi.py")
}

/// A search path with everything but bubblewrap.
fn without_bubblewrap(folder: &Path) -> PathBuf {
    let tools = folder.join("tools");
    std::fs::create_dir(&tools).expect("a folder");
    for place in ["/usr/bin", "/bin", "/usr/sbin", "/sbin"] {
        for tool in std::fs::read_dir(place).expect("a folder").flatten() {
            if tool.file_name() != "bwrap" {
                let _ = symlink(tool.path(), tools.join(tool.file_name()));
            }
        }
    }
    tools
}

fn class_with(abi: &str, level: &'static str) -> (Class, std::process::Output) {
    let mut class = Class::new(Ground { level, root: is_root() });
    class.put_right("right");
    class.before = ["/usr/bin/python3".into(), simulator().into(), abi.into()].into();
    let tools = without_bubblewrap(class.folder());
    let mut command = class.command();
    let rust = crate::common::grader::toolchain().join("bin");
    command.env("PATH", std::env::join_paths([rust, tools]).expect("a search path"));
    let output = command.output().expect("it runs");
    (class, output)
}

#[test]
fn an_older_landlock_is_refused_with_the_kernel_that_has_the_one_needed() {
    for abi in ["0", "2", "5"] {
        let (class, output) = class_with(abi, "require");
        let said = output_text(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        let words = format!("this kernel has ABI {abi}, wanted is 6, which Linux 6.12 has");
        assert!(said.contains(&words) && said.contains("bubblewrap"), "{said}");
        assert!(!class.out().exists(), "there are results");
    }
}

#[test]
fn the_result_names_the_sandbox_and_the_abi() {
    let (class, output) = class_with("6", "require");
    assert!(output.status.success(), "{}", output_text(&output));
    let result = class.result("right");
    assert_eq!((&result["sandbox"], &result["landlock_abi"]), (&"Landlock".into(), &6.into()));
    class.assert_right("right");
}

/// The autograder of Gradescope in a tree like its own.
fn gradescope(abi: &str) -> (tempfile::TempDir, std::process::Output) {
    let here = tempfile::tempdir().expect("a folder");
    put(&here.path().join("submission"), "echo", "fn main() { println!(\"no server\") }");
    std::fs::create_dir_all(here.path().join("source")).expect("a folder");
    symlink(root(), here.path().join("source/workbook")).expect("a link");
    let tools = without_bubblewrap(here.path());
    // In place of cargo: the grader that was built for these tests.
    let cargo = tools.join("cargo");
    let _ = std::fs::remove_file(&cargo);
    let grader = env!("CARGO_BIN_EXE_class");
    std::fs::write(&cargo, format!("#!/bin/sh\nshift 2\nexec {grader} class \"$@\"\n"))
        .expect("a file");
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).expect("its own");
    let output = Command::new("/usr/bin/python3")
        .arg(simulator())
        .arg(abi)
        .arg(root().join("platforms/gradescope/run_autograder"))
        .env("AUTOGRADER", here.path())
        .env("PATH", &tools)
        .env("HOME", here.path())
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .expect("it runs");
    (here, output)
}

#[test]
fn gradescope_without_a_sandbox_gives_no_points_and_a_clear_word() {
    let (here, output) = gradescope("0");
    let said = output_text(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("no submission is run, since this machine has no sandbox"), "{said}");
    let results = std::fs::read(here.path().join("results/results.json")).expect("results");
    let results: serde_json::Value = serde_json::from_slice(&results).expect("JSON");
    assert!(results["score"].is_null() && results["tests"].is_null(), "{results:#}");
}

#[test]
fn a_submission_without_a_server_never_gets_the_points_of_one() {
    // Without walls, and in the same way as with them.
    let class = Class::new(Ground { level: "off", root: is_root() });
    class.put(
        "writes-verdicts",
        &crate::programs::attack_source(
            r#"for folder in std::fs::read_dir("/tmp").into_iter().flatten().flatten() {
                for inner in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                    let _ = std::fs::write(inner.path().join("verdicts.json"), "{}");
                }
            }
            std::process::exit(0);"#,
        ),
    );
    class.put("another", &reference("echo"));
    class.grade();
    assert_eq!(class.result("writes-verdicts")["points"], 0);
    class.assert_right("another");
}
