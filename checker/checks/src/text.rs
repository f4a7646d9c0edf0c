//! The Markdown file beside each check: its contract row, points, lesson, hints and explanation.

use crate::Check;

/// Why a check matters, with a right and a wrong conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Why it matters in practice, in a few sentences.
    pub why: String,
    /// The conversation with a server that passes.
    pub right: String,
    /// The conversation with a server that fails.
    pub wrong: String,
}

impl Check {
    /// The row of the contract, in one line.
    pub fn row(&self) -> &'static str {
        self.text.lines().nth(2).unwrap_or_default()
    }

    /// The points for passing, from 1 (a line of code) to 5 (a common mistake of professionals).
    pub fn points(&self) -> u32 {
        let points = self.text.lines().find_map(|line| line.strip_prefix("Points: "));
        points.and_then(|points| points.parse().ok()).unwrap_or_default()
    }

    /// The section of a lesson to read: page and anchor.
    pub fn lesson(&self) -> &'static str {
        let lesson = self.text.lines().find_map(|line| line.strip_prefix("Lesson: "));
        lesson.unwrap_or_default()
    }

    /// The hints, from a question to the shape of the code.
    pub fn hints(&self) -> Vec<String> {
        let mut hints: Vec<String> = Vec::new();
        for line in self.section("Hints").lines().filter(|line| !line.trim().is_empty()) {
            let item = line.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok());
            match (item, hints.last_mut()) {
                (Some((_, first)), _) => hints.push(first.to_string()),
                (None, Some(hint)) => {
                    hint.push(' ');
                    hint.push_str(line.trim());
                }
                (None, None) => {}
            }
        }
        hints
    }

    /// Why the check matters.
    pub fn explanation(&self) -> Explanation {
        let section = self.section("Why");
        let paragraph: Vec<&str> =
            section.lines().take_while(|line| !line.starts_with("```")).collect();
        let block = |language: &str| {
            let rest = section.split_once(&format!("```{language}\n")).map(|(_, rest)| rest);
            let block = rest.and_then(|rest| rest.split_once("```")).map(|(block, _)| block);
            block.unwrap_or_default().trim_end().to_string()
        };
        Explanation {
            why: paragraph.join(" ").trim().to_string(),
            right: block("right"),
            wrong: block("wrong"),
        }
    }

    fn section(&self, heading: &str) -> &'static str {
        let rest = self.text.split_once(&format!("\n## {heading}\n")).map(|(_, rest)| rest);
        rest.unwrap_or_default().split("\n## ").next().unwrap_or_default()
    }
}
