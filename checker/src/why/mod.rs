//! What each check is about: why it matters outside of a classroom, and a right and a wrong conversation.
//!
//! The texts are in a file for each exercise: a heading names the check, a paragraph says why, and two blocks, `right`
//! and `wrong`, show frames.

use harness::exercise::Exercise;

/// What there is to say about a check.
#[derive(Debug, PartialEq, Eq)]
pub struct Why {
    /// Why it matters in real life, in a few sentences.
    pub matters: String,
    /// How the conversation goes with a server that is right.
    pub right: String,
    /// How it goes with one that is not.
    pub wrong: String,
}

/// The explanation of the check with this id.
pub fn of(id: &str) -> Option<Why> {
    let sections = Exercise::ALL.into_iter().flat_map(|exercise| text(exercise).split("\n## "));
    let (_, body) = sections
        .filter_map(|section| section.split_once('\n'))
        .find(|(heading, _)| heading.trim() == id)?;
    let matters: Vec<&str> = body.lines().take_while(|line| !line.starts_with("```")).collect();
    let block = |language: &str| {
        let (_, rest) = body.split_once(&format!("```{language}\n"))?;
        rest.split_once("```").map(|(block, _)| block.trim_end().to_string())
    };
    Some(Why {
        matters: matters.join(" ").trim().to_string(),
        right: block("right")?,
        wrong: block("wrong")?,
    })
}

fn text(exercise: Exercise) -> &'static str {
    match exercise {
        Exercise::Echo => include_str!("echo.md"),
        Exercise::Heartbeat => include_str!("heartbeat.md"),
        Exercise::Broadcast => include_str!("broadcast.md"),
    }
}
