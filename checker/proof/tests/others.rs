//! Right servers in other languages pass.
//!
//! Without a language's tools its servers are skipped. On a build machine, where `CI` is set, the
//! test fails.

mod common;

use std::sync::{Mutex, PoisonError};

use checker::foreign::{self, Foreign, Language};
use checker::grade::{self, Outcome};
use checker::plan::Plan;
use checker::report;
use common::judged;
use harness::exercise::Exercise;
use harness::server::Program;
use harness::verdict::FailureKind;

const SEED: u64 = 1;

/// Returns the right servers in this language, or `None` if its tools are missing.
fn servers(language: Language) -> Vec<Foreign> {
    // Two tests must not install the same packages at the same time.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    match foreign::servers(language) {
        Ok(servers) => servers,
        Err(why) => {
            common::skip(&format!(
                "the right servers in {} are not graded: {why}",
                language.name()
            ));
            Vec::new()
        }
    }
}

fn all_pass(language: Language) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for server in servers(language) {
        let plan = || Plan::of(server.exercise, server.program(), SEED);
        let graded = runtime.block_on(judged(async || grade::grade_all(plan()).await));
        assert_eq!(graded.len(), plan().checks.len(), "{}", server.name);
        for graded in graded {
            match &graded.outcome {
                Outcome::Passed => {}
                Outcome::Failed(report) => {
                    panic!("{}: {}", server.name, report::human::failure(&graded, report))
                }
                other => panic!("{}: {} is {other:?}", server.name, graded.check.id),
            }
        }
    }
}

#[test]
fn servers_on_node_pass() {
    all_pass(Language::Node);
}

#[test]
fn servers_in_python_pass() {
    all_pass(Language::Python);
}

/// A server that leaks memory fails in spite of its garbage collector.
#[test]
fn a_server_on_node_that_keeps_all_for_a_slow_client_is_caught() {
    let Some(right) =
        servers(Language::Node).into_iter().find(|server| server.exercise == Exercise::Broadcast)
    else {
        return;
    };
    let source = std::path::PathBuf::from(&right.argv[1]);
    let text = std::fs::read_to_string(&source).expect("it can be read");
    let bounded = "const MOST_BUFFERED = 8 * 1024 * 1024;";
    assert!(text.contains(bounded), "{}: no line {bounded:?}", source.display());
    // The copy stands beside the right server, where its packages are found.
    let greedy = source.with_file_name("greedy.mjs");
    std::fs::write(&greedy, text.replace(bounded, "const MOST_BUFFERED = Infinity;"))
        .expect("it can be written");
    let argv =
        vec![right.argv[0].clone(), greedy.to_string_lossy().into_owned(), "broadcast".to_string()];
    let program = Program::new(argv, harness::server::build::workspace());
    let plan = Plan::of(Exercise::Broadcast, program, SEED);
    let graded =
        tokio::runtime::Runtime::new().expect("a runtime").block_on(grade::grade_all(plan));
    let slow = graded
        .iter()
        .find(|graded| graded.check.id == "broadcast::slow")
        .expect("it is among them");
    let Outcome::Failed(report) = &slow.outcome else { panic!("{:?}", slow.outcome) };
    assert_eq!(report.failure.kind, FailureKind::Memory, "{:?}", report.failure);
}
