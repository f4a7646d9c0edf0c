//! Every wrong server fails, and every right server passes.

mod common;

use std::collections::BTreeSet;

use checker::grade::Outcome;
use checker::{museum, report};
use common::judged;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// The number of faulty servers that are graded at a time.
const JOBS: usize = 6;
/// A fixed seed makes a failure repeatable. `cargo checker soak` tries other seeds.
const SEED: u64 = 1;

/// Each fault is caught by the check that it names, and fails no check that it does not violate.
/// Each check catches some faults.
#[test]
fn every_fault_is_caught() {
    let runtime = Runtime::new().expect("a runtime");
    let matrix = runtime.block_on(async {
        let (program, catalogue) = museum::open().await.expect("the museum opens");
        let (done, _rows) = mpsc::unbounded_channel();
        museum::matrix(program, catalogue.faults, JOBS, SEED, done).await
    });
    let complaints = matrix.complaints(true);
    // Printed first, since build machines often keep only the beginning of a long output.
    println!("{}\n{}", complaints.join("\n"), report::matrix::matrix(&matrix, true));
    assert_eq!(complaints, Vec::<String>::new());
}

/// The catalogue has unique names, sentences and known checks.
#[test]
fn the_catalogue_is_in_order() {
    let runtime = Runtime::new().expect("a runtime");
    let (_, catalogue) = runtime.block_on(museum::open()).expect("the museum opens");
    let names: BTreeSet<&str> = catalogue.faults.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(names.len(), catalogue.faults.len(), "two faults have the same name");
    assert!(names.len() >= 80, "the museum has shrunk to {} faults", names.len());
    for check in checks::all() {
        let named = catalogue
            .faults
            .iter()
            .filter(|fault| fault.violates.first().is_some_and(|id| id == check.id));
        assert!(named.count() >= 2, "fewer than two faults name {}", check.id);
    }
    for fault in &catalogue.faults {
        assert!(fault.sentence.ends_with('.'), "{} has no sentence", fault.name);
    }
}

/// Right servers pass in every design.
#[test]
fn right_servers_pass_in_any_design() {
    let runtime = Runtime::new().expect("a runtime");
    let failures: Vec<String> = runtime.block_on(async {
        let (program, catalogue) = museum::open().await.expect("the museum opens");
        let mut failures = Vec::new();
        for right in &catalogue.right {
            let grade = async || {
                let graded =
                    museum::grade_server(&program, "--right", &right.name, &right.exercise, SEED)
                        .await;
                graded.expect("its exercise exists")
            };
            let graded = judged(grade).await;
            println!("{:<28} {} checks", right.name, graded.len());
            failures.extend(graded.iter().filter_map(|graded| match &graded.outcome {
                Outcome::Passed => None,
                Outcome::Failed(report) => Some(report::human::failure(graded, report)),
                other => Some(format!("{}: {} is {other:?}", right.name, graded.check.id)),
            }));
        }
        assert!(catalogue.right.len() >= 10, "only {} right servers", catalogue.right.len());
        failures
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// The explanations of failures have no cycle, in which two failures could hide each other.
#[test]
fn no_failure_explains_itself() {
    for check in checks::all() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = check.explained_by.to_vec();
        while let Some(id) = open.pop() {
            assert_ne!(id, check.id, "{id} is explained by itself in the end");
            if seen.insert(id) {
                open.extend(
                    checks::find(id).unwrap_or_else(|| panic!("no check {id}")).explained_by,
                );
            }
        }
    }
}
