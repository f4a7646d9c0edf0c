//! Every format, validated by the rules of others.

mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::classroom;
use serde_json::{Value, json};

/// Where pytest's source package has the schema that Jenkins' JUnit plugin published.
const XSD: &str = "testing/example_scripts/junit-10.xsd";
const PYTEST: &str = "pytest==8.4.2";

/// A grading with everything in it that a format may stumble over.
fn grading() -> (Value, Value) {
    let outcomes = ["passed", "failed", "blocked", "unknown"];
    let mut counts = [0; 4];
    let nasty = "\"<&]]>\" \u{1b}[31m\u{0}\u{fffe} | % : , \r\n🦀";
    let mut exercises: Vec<Value> = Vec::new();
    for name in ["echo", "heartbeat", "broadcast"] {
        let checks =
            checks::all().into_iter().filter(|check| check.exercise.name() == name).enumerate();
        let checks: Vec<Value> = checks
            .map(|(n, check)| {
                counts[n % 4] += 1;
                let failed = n % 4 == 1;
                json!({
                    "id": check.id, "outcome": outcomes[n % 4], "millis": 12 * n,
                    "summary": if n % 4 == 0 { "" } else { nasty },
                    "expected": failed.then_some(nasty), "got": failed.then_some("=1+1"),
                    "transcript": [], "hint": failed.then_some("read"), "lesson": check.lesson(),
                })
            })
            .collect();
        exercises.push(json!({ "name": name, "checks": checks }));
    }
    let [passed, failed, blocked, unknown] = counts;
    let totals =
        json!({ "passed": passed, "failed": failed, "blocked": blocked, "unknown": unknown });
    (json!({ "seed": 7, "exercises": exercises, "totals": totals }), totals)
}

fn convert(format: &str, grading: &Value) -> String {
    let mut command = classroom();
    command.args(["convert", "--format", format]).stdin(Stdio::piped()).stdout(Stdio::piped());
    for (name, value) in [
        ("CLASSROOM", "c"),
        ("ASSIGNMENT", "a"),
        ("SUBMISSION_TAG", "submit/1"),
        ("COMMIT_URL", "https://example.org/c"),
        ("RELEASE_URL", "https://example.org/r"),
    ] {
        command.env(name, value);
    }
    let mut child = command.spawn().expect("it runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(grading.to_string().as_bytes())
        .expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{format}");
    String::from_utf8(output.stdout).expect("text")
}

/// Python with the validators, and the XSD, or why there is none.
fn validators(folder: &Path) -> Result<(PathBuf, PathBuf), String> {
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("{command:?}: {error}")),
    };
    let venv = folder.join("formats-venv");
    let python = venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python3" });
    let xsd = folder.join("formats-pytest").join(XSD);
    if !xsd.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let requirements = common::root().join("checker/class/tests/formats/requirements.txt");
        run(Command::new(&python).args(["-m", "pip", "install", "-q", "-r"]).arg(requirements))?;
        let sources = folder.join("formats-sources");
        let pip =
            ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", PYTEST, "-d"];
        run(Command::new(&python).args(pip).arg(&sources))?;
        let source =
            std::fs::read_dir(&sources).map_err(|error| error.to_string())?.flatten().next();
        let source = source.ok_or("pip downloaded nothing")?.path();
        let unpacked = folder.join("formats-pytest");
        std::fs::create_dir_all(&unpacked).map_err(|error| error.to_string())?;
        run(Command::new("tar")
            .args(["xzf"])
            .arg(source)
            .args(["--strip-components", "1", "-C"])
            .arg(&unpacked))?;
    }
    Ok((python, xsd))
}

#[test]
fn each_format_is_valid_by_the_rules_of_others() {
    let target =
        Path::new(env!("CARGO_BIN_EXE_class")).ancestors().nth(2).expect("it lies in target/debug");
    let (python, xsd) = match validators(target) {
        Ok(found) => found,
        Err(why) => {
            common::skip(&format!("the formats are not validated: {why}"));
            return;
        }
    };
    let made = tempfile::tempdir().expect("a folder");
    let (grading, totals) = grading();
    std::fs::write(made.path().join("expected.json"), totals.to_string()).expect("a file");
    let mut gradable = grading.clone();
    gradable["totals"]["unknown"] = 0.into();
    for (format, file) in
        [("classroom50", "classroom50.json"), ("junit", "junit.xml"), ("exercism", "exercism.json")]
    {
        std::fs::write(made.path().join(file), convert(format, &grading)).expect("a file");
    }
    // Gradescope gets a score only if everything could be judged.
    let scored = convert("gradescope", &gradable);
    std::fs::write(made.path().join("gradescope.json"), scored).expect("a file");
    for grading in [&grading, &gradable] {
        std::fs::write(made.path().join("prairielearn.json"), convert("prairielearn", grading))
            .expect("a file");
        let mut command = Command::new(&python);
        let rules = common::root().join("checker/class/tests/formats");
        let output =
            command.arg(rules.join("validate.py")).arg(made.path()).arg(&rules).arg(&xsd).output();
        let output = output.expect("python runs");
        let (said, words) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.contains("valid"), "{said}{words}");
    }
}

#[test]
fn gradescope_gets_no_score_for_what_could_not_be_judged() {
    let (grading, _) = grading();
    let results: Value = serde_json::from_str(&convert("gradescope", &grading)).expect("JSON");
    assert!(results["score"].is_null() && results["tests"].is_null(), "{results:#}");
}

#[test]
fn annotations_stay_on_their_line_and_tables_in_their_cells() {
    let (grading, totals) = grading();
    let annotations = convert("github-annotations", &grading);
    let failed =
        usize::try_from(totals["failed"].as_u64().expect("a number")).expect("a small one");
    assert_eq!(annotations.lines().count(), failed);
    assert!(
        annotations.lines().all(|line| line.starts_with("::error file=day1/")),
        "{annotations}"
    );
    let summary = convert("github-summary", &grading);
    let rows = summary.lines().filter(|line| line.starts_with("| `"));
    assert_eq!(rows.count(), checks::all().len(), "{summary}");
    assert!(!summary.contains("<&"), "{summary}");
}

#[test]
fn no_cell_of_the_table_is_a_formula() {
    let (mut grading, _) = grading();
    grading["exercises"][0]["checks"][1]["summary"] = "=1+1".into();
    let table = convert("csv", &grading);
    assert!(table.contains(",'=1+1"), "{table}");
}
