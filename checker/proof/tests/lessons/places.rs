//! The lessons' code compiles where it belongs: each block below its TODO in the skeleton, each
//! diff applied to its file.

use std::fs;
use std::process::Command;

use checker::skeleton;
use harness::exercise::Exercise;

use crate::common::workbook::Workbook;
use crate::markdown::{Block, blocks, lessons, read};

/// `skeleton` with `code` directly below the comment of a TODO, in place of the `todo!` statement
/// there, if there is one.
fn insert(skeleton: &str, todo: &str, code: &[&str]) -> Option<String> {
    let mut lines: Vec<_> = skeleton.lines().collect();
    let comment = lines.iter().position(|line| line.trim().starts_with(&format!("// {todo}: ")))?;
    let length = lines[comment..].iter().take_while(|line| line.trim().starts_with("//")).count();
    let place = comment + length;
    let replaced = usize::from(lines.get(place).is_some_and(|line| line.contains("todo!(")));
    let mut inserted = code.to_vec();
    // The compiler doesn't look for moves and borrows in unreachable code, so an earlier `todo!` of
    // the same function moves behind the block.
    let function = lines[..place].iter().rposition(|line| *line == "}").unwrap_or_default();
    let earlier = (function..place).find(|&line| lines[line].trim().starts_with("todo!("));
    inserted.extend(earlier.map(|line| lines[line]));
    lines.splice(place..place + replaced, inserted);
    if let Some(line) = earlier {
        lines.remove(line);
    }
    Some(lines.join("\n") + "\n")
}

/// The file that a block makes, if it belongs somewhere.
fn variant(block: &Block) -> Option<String> {
    let place = format!("{}:{}", block.page.name, block.line);
    if let Some(mark) = block.mark("place") {
        let (exercise, todo) = mark.split_once(' ').unwrap_or((mark, ""));
        let exercise = Exercise::ALL.into_iter().find(|other| other.name() == exercise);
        let skeleton = skeleton::of(exercise.unwrap_or_else(|| panic!("{place}: {mark}")));
        let file = insert(skeleton, todo, &block.lines);
        return Some(file.unwrap_or_else(|| panic!("{place}: there is no {todo}")));
    }
    let path = block.mark("diff")?;
    let diff = block.lines.join("\n") + "\n";
    let patch = diffy::Patch::from_str(&diff).unwrap_or_else(|error| panic!("{place}: {error}"));
    let file = diffy::apply(&read(path), &patch);
    Some(file.unwrap_or_else(|error| panic!("{place}: {error}")))
}

/// Each variant is a module of one library. That needs no linking, and reuses the dependencies as
/// they are built for the servers, which `cargo check` would not.
#[test]
fn code_compiles_where_it_belongs() {
    let workbook = Workbook::copy();
    let package = workbook.root().join("day1/places");
    fs::create_dir_all(package.join("src")).expect("a folder");
    let manifest = read("day1/broadcast/Cargo.toml").replace("\"broadcast\"", "\"places\"");
    fs::write(package.join("Cargo.toml"), manifest).expect("it is written");
    let mut modules = String::new();
    let mut count = 0;
    for page in &lessons() {
        for block in blocks(page) {
            let Some(file) = variant(&block) else { continue };
            let stem = page.name.trim_start_matches("lessons/").trim_end_matches(".md");
            let name = format!("lesson_{}_line_{}", stem.replace('-', "_"), block.line);
            fs::write(package.join(format!("src/{name}.rs")), file).expect("it is written");
            modules.push_str(&format!("mod {name};\n"));
            count += 1;
        }
    }
    assert!(count >= 10, "{count} blocks only");
    fs::write(package.join("src/lib.rs"), modules).expect("it is written");
    let output = Command::new(harness::server::build::cargo())
        .args(["build", "--quiet", "--offline", "--package", "places"])
        .current_dir(workbook.root())
        .envs(workbook.environment())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_block_is_inserted_below_its_todo() {
    let skeleton = "\
fn serve() {
    // TODO 1: Connect.
    // See a page.
    let ws = todo!(\"TODO 1\");
    // TODO 2: Send.
}

fn session() {
    todo!(\"TODO 3\");
    // TODO 4: Read.
    Ok(())
}
";
    let placed = |todo| insert(skeleton, todo, &["code"]);
    let first = skeleton.replace("    let ws = todo!(\"TODO 1\");\n", "code\n");
    assert_eq!(placed("TODO 1"), Some(first));
    let second = skeleton.replace("Send.\n", "Send.\ncode\n");
    assert_eq!(placed("TODO 2"), Some(second));
    let todo = "    todo!(\"TODO 3\");\n";
    let fourth = skeleton.replace(todo, "").replace("Read.\n", &format!("Read.\ncode\n{todo}"));
    assert_eq!(placed("TODO 4"), Some(fourth));
    assert_eq!(placed("TODO 5"), None);
}
