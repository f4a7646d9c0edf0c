//! Right servers in other languages pass what right servers in Rust pass.
//!
//! Where a language is missing its servers are left out, and the test says so; on a build machine (`CI` is set) it
//! fails.

use std::collections::BTreeMap;

use checker::foreign::{self, Language};
use checker::grade::{self, Outcome};
use checker::plan::Plan;
use checker::{checks, report};

const SEED: u64 = 1;

fn all_pass(language: Language) {
    let servers = match foreign::servers(language) {
        Ok(servers) => servers,
        Err(why) if std::env::var_os("CI").is_none() => {
            // Past the test harness, which keeps for itself what a passing test prints.
            let told = format!("\nSKIPPED: the right servers in {} are not graded: {why}\n", language.name());
            let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
            return;
        }
        Err(why) => panic!("{}: {why}", language.name()),
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for server in servers {
        let of_exercise = || checks::all().into_iter().filter(|check| check.exercise == server.exercise);
        let grade = || {
            let programs = BTreeMap::from([(server.exercise, Ok(server.program()))]);
            let plan = Plan { checks: of_exercise().collect(), programs, target: None, seed: SEED };
            runtime.block_on(grade::grade_all(plan))
        };
        let mut graded = grade();
        if graded.iter().any(|graded| matches!(graded.outcome, Outcome::Unknown(_))) {
            println!("{}: once more, since not all of it could be judged", server.name);
            graded = grade();
        }
        assert_eq!(graded.len(), of_exercise().count(), "{}", server.name);
        for graded in graded {
            match &graded.outcome {
                Outcome::Passed => {}
                Outcome::Failed(report) => panic!("{}: {}", server.name, report::human::failure(&graded, report)),
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
