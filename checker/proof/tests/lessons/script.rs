//! `solutions/README.md` has the steps of the playground's script.

use std::fmt::Write;

use serde_json::Value;

use crate::markdown::{read, root};

const PAGE: &str = "solutions/README.md";
const SCRIPT: &str = "checker/play/src/page/script.json";
const HEAD: &str = "| minute | click | say, or ask |\n| --- | --- | --- |\n";

/// With `SCRIPT_UPDATE` set, writes the table into the page.
#[test]
fn the_hour_has_the_steps_of_the_script() {
    let script: Value = serde_json::from_str(&read(SCRIPT)).expect("JSON");
    let mut table = HEAD.to_string();
    for step in script.as_array().expect("steps") {
        let text = |name: &str| step[name].as_str().unwrap_or_else(|| panic!("{name} of {step}"));
        let _ = writeln!(table, "| {} | {} | {} |", step["minute"], text("click"), text("say"));
    }
    let page = read(PAGE);
    let (before, rest) = page.split_once(HEAD).expect("the page has the table");
    let end = rest.find("\n\n").expect("the table ends");
    let wanted = format!("{before}{table}{}", &rest[end + 1..]);
    if std::env::var_os("SCRIPT_UPDATE").is_some() {
        std::fs::write(root().join(PAGE), &wanted).expect("it is written");
    }
    let page = read(PAGE);
    assert!(page == wanted, "{PAGE} differs from {SCRIPT}; SCRIPT_UPDATE=1 writes the table");
}
