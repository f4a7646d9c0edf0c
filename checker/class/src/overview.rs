//! Sums and counts over the results of a class.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Status, Submission};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Overview {
    pub(crate) submissions: usize,
    pub(crate) graded: usize,
    pub(crate) unreadable: usize,
    pub(crate) broken: usize,
    /// The average points of graded submissions, rounded down.
    pub(crate) average: u32,
    pub(crate) max_points: u32,
    /// The check that is the first to fail most often.
    pub(crate) stops_most: Option<Counted>,
    pub(crate) checks: Vec<Rate>,
    /// Submissions by their tokens. A group of two or more is a hint.
    pub(crate) alike: Vec<SimilarGroup>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) name: String,
    pub(crate) count: usize,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rate {
    pub(crate) id: String,
    pub(crate) passed: usize,
    /// Submissions in which it has a verdict, `blocked` included.
    pub(crate) judged: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SimilarGroup {
    pub(crate) exercise: String,
    /// The same for the same tokens.
    pub(crate) shape: String,
    pub(crate) submissions: Vec<String>,
}

impl Overview {
    pub(crate) fn of(results: &[Submission], alike: Vec<SimilarGroup>) -> Self {
        let with = |status| results.iter().filter(|result| result.status == status).count();
        let graded = results.iter().filter(|result| result.status == Status::Graded);
        let sum: u64 = graded.map(|result| u64::from(result.points)).sum();
        let average = sum / u64::try_from(with(Status::Graded).max(1)).unwrap_or(1);
        let firsts = results
            .iter()
            .filter_map(|result| result.checks().find(|check| check.outcome == "failed"));
        let rate = |check: &&'static checks::Check| {
            let all =
                results.iter().flat_map(Submission::checks).filter(|graded| graded.id == check.id);
            let judged: Vec<_> = all.filter(|graded| graded.outcome != "unknown").collect();
            let passed = judged.iter().filter(|graded| graded.passed()).count();
            Rate { id: check.id.to_string(), passed, judged: judged.len() }
        };
        Overview {
            submissions: results.len(),
            graded: with(Status::Graded),
            unreadable: with(Status::Unreadable),
            broken: with(Status::Broken),
            average: u32::try_from(average).unwrap_or(u32::MAX),
            max_points: results.iter().map(|result| result.max_points).max().unwrap_or(0),
            stops_most: most(firsts.map(|check| check.id.clone())),
            checks: checks::all().iter().map(rate).collect(),
            alike,
        }
    }
}

/// Returns the most frequent name, the first in the alphabet among equals.
fn most(all: impl Iterator<Item = String>) -> Option<Counted> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in all {
        *counts.entry(name).or_default() += 1;
    }
    let counted = counts.into_iter().map(|(name, count)| Counted { name, count });
    counted.reduce(|best, next| if next.count > best.count { next } else { best })
}
