//! Programs that have much in common are named, and the rest is left alone.
#![cfg(unix)]

mod common;

use std::path::Path;

use common::{classroom, put, reference, root};
use serde_json::Value;

/// The text with whole words replaced, as an editor renames.
fn rename(text: &str, names: &[(&str, &str)]) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let length = rest[start..].find(|c| !is_word(c)).unwrap_or(rest.len() - start);
        let (before, word) = (&rest[..start], &rest[start..start + length]);
        out += before;
        out += names.iter().find(|(old, _)| *old == word).map_or(word, |(_, new)| new);
        rest = &rest[start + length..];
    }
    out + rest
}

/// The percentage and the page of this pair, if it is listed.
fn pair(overview: &Value, exercise: &str, names: [&str; 2]) -> Option<(u64, String)> {
    let pairs = overview["alike"]["pairs"].as_array().expect("pairs");
    let pair = pairs.iter().find(|pair| {
        pair["exercise"] == exercise && pair["submissions"] == serde_json::json!(names)
    })?;
    Some((pair["percent"].as_u64()?, pair["page"].as_str()?.to_string()))
}

fn overview(out: &Path) -> Value {
    let text = std::fs::read(out.join("results.json")).expect("results");
    serde_json::from_slice::<Value>(&text).expect("JSON")["overview"].take()
}

#[test]
fn a_renamed_copy_is_named_and_a_skeleton_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let (class, out) = (folder.path().join("class"), folder.path().join("out"));
    let skeleton = std::fs::read_to_string(root().join("checker/skeletons/broadcast.rs"));
    let skeleton = skeleton.expect("the skeleton");
    let fast = std::fs::read_to_string(root().join("solutions/fast/src/main.rs"));
    let source = reference("broadcast");
    // A call that does not exist keeps them from being graded for long.
    let broken = |text: &str| format!("{text}\nfn broken() {{ does_not_exist() }}\n");
    let names = [("addr", "address"), ("local", "own"), ("inbox", "mailbox"), ("reply", "answer")];
    let copy = rename(&source, &names);
    assert_ne!(copy, source);
    assert!(copy.contains("{own}") && copy.contains("{address:?}"), "{copy}");
    put(&class.join("student-01"), "broadcast", &broken(&source));
    put(&class.join("student-02"), "broadcast", &broken(&format!("// All mine.\n{copy}")));
    put(&class.join("student-03"), "broadcast", &broken(&skeleton));
    put(&class.join("student-04"), "broadcast", &format!("{}\n", broken(&skeleton)));
    put(&class.join("student-05"), "broadcast", &broken(&fast.expect("the tuned server")));
    let grade = |more: &[&str]| {
        let mut command = classroom();
        command.args(["class", "--seed", "7", "--each"]).arg(&class).args(more);
        assert!(command.arg("--out").arg(&out).output().expect("it runs").status.success());
    };
    grade(&[]);
    let overview = overview(&out);
    let pairs = overview["alike"]["pairs"].as_array().expect("pairs");
    let (percent, page) =
        pair(&overview, "broadcast", ["student-01", "student-02"]).expect("the copy");
    assert_eq!(percent, 100);
    assert_eq!(pairs.len(), 1, "{pairs:#?}");
    let page = std::fs::read_to_string(out.join(page)).expect("a page");
    for words in ["100 % of broadcast in common", "no verdict", "student-02", "{own}", "<mark>"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Lines of the skeleton are shown and not marked.
    let line = "//! Exercise 3, finished";
    assert!(page.contains(line) && !page.contains(&format!("<mark>{line}")), "{page}");

    // Half of the copy is written anew, and graded into the same table.
    let half = copy.find("async fn serve").expect("a function");
    let own = "fn mine(numbers: &[u32]) -> u32 { numbers.iter().map(|n| n * n).sum() }\n".repeat(9);
    put(&class.join("student-02"), "broadcast", &broken(&format!("{}{own}", &copy[..half])));
    grade(&["--resume"]);
    assert_eq!(pair(&self::overview(&out), "broadcast", ["student-01", "student-02"]), None);
}
