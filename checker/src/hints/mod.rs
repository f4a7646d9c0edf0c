//! The ladders of hints: for each check, what to think of next, from a question to the shape of the code.
//!
//! The texts are in a file for each exercise: a heading names the check, each item of the list below it is a rung.

use harness::exercise::Exercise;

/// The ladder of the check with this id, from its first rung; empty for what is no check.
pub fn ladder(id: &str) -> Vec<String> {
    let mut rungs: Vec<String> = Vec::new();
    for section in Exercise::ALL.into_iter().flat_map(|exercise| text(exercise).split("\n## ")) {
        let Some((heading, body)) = section.split_once('\n') else { continue };
        if heading.trim() != id {
            continue;
        }
        for line in body.lines().filter(|line| !line.trim().is_empty()) {
            let item = line.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok());
            match (item, rungs.last_mut()) {
                (Some((_, first)), _) => rungs.push(first.to_string()),
                (None, Some(rung)) => {
                    rung.push(' ');
                    rung.push_str(line.trim());
                }
                (None, None) => {}
            }
        }
    }
    rungs
}

fn text(exercise: Exercise) -> &'static str {
    match exercise {
        Exercise::Echo => include_str!("echo.md"),
        Exercise::Heartbeat => include_str!("heartbeat.md"),
        Exercise::Broadcast => include_str!("broadcast.md"),
    }
}
