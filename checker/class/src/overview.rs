//! Statistics over the results of a class.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Exercise, State, Status, Submission};
use crate::similarity::Alike;

/// The number of bars of the histogram.
const BARS: u32 = 10;

/// The outcome of a submission. Statistics of points are of [`Category::Graded`] only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Category {
    /// At least one server ran, and every check has a verdict.
    Graded,
    /// No exercise is more than its skeleton.
    NotStarted,
    /// No server ran, and at least one exercise does not compile.
    DoesNotCompile,
    /// A check has no verdict yet.
    NotJudged,
    Unreadable,
    Broken,
}

impl Category {
    pub(crate) const ALL: [Category; 6] = [
        Category::Graded,
        Category::NotStarted,
        Category::DoesNotCompile,
        Category::NotJudged,
        Category::Unreadable,
        Category::Broken,
    ];

    pub(crate) fn of(result: &Submission) -> Category {
        let any = |state| result.exercises.iter().any(|exercise| exercise.state == state);
        match result.status {
            Status::Unreadable => Category::Unreadable,
            Status::Broken => Category::Broken,
            Status::Graded if result.is_open() => Category::NotJudged,
            Status::Graded if any(State::Graded) => Category::Graded,
            Status::Graded if any(State::DoesNotCompile) => Category::DoesNotCompile,
            Status::Graded => Category::NotStarted,
        }
    }

    /// The name for tables and pages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Category::Graded => "graded",
            Category::NotStarted => "not started",
            Category::DoesNotCompile => "does not compile",
            Category::NotJudged => "not judged",
            Category::Unreadable => "unreadable",
            Category::Broken => "broken",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Overview {
    pub(crate) submissions: usize,
    /// The number of submissions in each category that has some.
    pub(crate) categories: BTreeMap<Category, usize>,
    /// The points of graded submissions; `None` if there are none.
    pub(crate) points: Option<Points>,
    pub(crate) max_points: u32,
    pub(crate) histogram: Vec<Bar>,
    pub(crate) exercises: Vec<ExerciseOverview>,
    /// The check that is the first to fail most often.
    pub(crate) stops_most: Option<Counted>,
    pub(crate) checks: Vec<Rate>,
    /// The roster compared with the hand-ins, if there is one.
    #[serde(default)]
    pub(crate) people: Option<People>,
    /// Submissions that have much in common: a hint.
    pub(crate) alike: Alike,
}

/// The roster against the hand-ins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct People {
    /// Names of people.
    pub(crate) without_hand_in: Vec<String>,
    /// Names of submissions.
    pub(crate) not_in_roster: Vec<String>,
}

/// A sample of points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Points {
    pub(crate) count: usize,
    /// Rounded to one decimal.
    pub(crate) mean: f64,
    pub(crate) median: f64,
    pub(crate) lowest: u32,
    pub(crate) highest: u32,
}

impl Points {
    fn of(points: impl Iterator<Item = u32>) -> Option<Points> {
        let mut points: Vec<u32> = points.collect();
        points.sort_unstable();
        let (lowest, highest) = (*points.first()?, *points.last()?);
        let sum: f64 = points.iter().map(|points| f64::from(*points)).sum();
        let middle = |index: usize| f64::from(points[index]);
        Some(Points {
            count: points.len(),
            mean: (sum / points.len() as f64 * 10.0).round() / 10.0,
            median: (middle(points.len() / 2) + middle((points.len() - 1) / 2)) / 2.0,
            lowest,
            highest,
        })
    }
}

/// The number of graded submissions with points from `from` to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bar {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) count: usize,
}

/// One exercise over all submissions that could be read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ExerciseOverview {
    pub(crate) name: String,
    pub(crate) max_points: u32,
    /// The points of the servers that ran.
    pub(crate) points: Option<Points>,
    pub(crate) not_started: usize,
    pub(crate) does_not_compile: usize,
    pub(crate) not_submitted: usize,
    pub(crate) not_judged: usize,
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
    /// Submissions with a server that ran, in which the check has a verdict, `blocked` included.
    pub(crate) judged: usize,
}

impl Overview {
    pub(crate) fn of(results: &[Submission], alike: Alike, people: Option<People>) -> Self {
        let mut categories: BTreeMap<Category, usize> = BTreeMap::new();
        for result in results {
            *categories.entry(Category::of(result)).or_default() += 1;
        }
        let graded = || results.iter().filter(|result| Category::of(result) == Category::Graded);
        let max_points = results.iter().map(|result| result.max_points).max().unwrap_or(0);
        let firsts = graded().filter_map(|result| {
            let mut checks = ran(result).flat_map(|exercise| &exercise.checks);
            checks.find(|check| check.outcome == "failed")
        });
        Overview {
            submissions: results.len(),
            points: Points::of(graded().map(Submission::final_points)),
            histogram: histogram(graded().map(Submission::final_points), max_points),
            max_points,
            exercises: exercises(results),
            stops_most: most(firsts.map(|check| check.id.clone())),
            checks: checks::all().iter().filter_map(|check| rate(check.id, results)).collect(),
            people,
            alike,
            categories,
        }
    }

    /// The categories that have submissions, as `52 graded, 3 not started`.
    pub(crate) fn categories(&self) -> String {
        let known = Category::ALL.into_iter();
        let counted = known.filter_map(|one| Some((one, *self.categories.get(&one)?)));
        let words = counted.map(|(category, count)| format!("{count} {}", category.name()));
        words.collect::<Vec<_>>().join(", ")
    }

    /// The points of graded submissions in one sentence.
    pub(crate) fn points(&self) -> String {
        match self.points {
            Some(points) => format!(
                "Of the {} graded: {:.1} of {} points on average, median {}, from {} to {}.",
                points.count,
                points.mean,
                self.max_points,
                points.median,
                points.lowest,
                points.highest
            ),
            None => "None was graded, so there are no points to average.".to_string(),
        }
    }
}

/// The exercises with a server that ran.
fn ran(result: &Submission) -> impl Iterator<Item = &Exercise> {
    result.exercises.iter().filter(|exercise| exercise.state == State::Graded)
}

/// Returns how many passed a check; `None` if it was not graded.
fn rate(id: &str, results: &[Submission]) -> Option<Rate> {
    results.iter().flat_map(Submission::checks).find(|check| check.id == id)?;
    let checks = results.iter().flat_map(ran).flat_map(|exercise| &exercise.checks);
    let judged: Vec<_> =
        checks.filter(|check| check.id == id && check.outcome != "unknown").collect();
    let passed = judged.iter().filter(|check| check.passed()).count();
    Some(Rate { id: id.to_string(), passed, judged: judged.len() })
}

fn exercises(results: &[Submission]) -> Vec<ExerciseOverview> {
    let names = harness::exercise::Exercise::ALL.into_iter().map(harness::exercise::Exercise::name);
    let overview = |name: &str| {
        let all = results.iter().flat_map(|result| &result.exercises);
        let all: Vec<&Exercise> = all.filter(|exercise| exercise.name == name).collect();
        // With `--exercise` the others are not graded.
        if all.is_empty() {
            return None;
        }
        let count = |state| all.iter().filter(|exercise| exercise.state == state).count();
        let ran = all.iter().filter(|exercise| exercise.state == State::Graded);
        Some(ExerciseOverview {
            name: name.to_string(),
            max_points: all.iter().map(|exercise| exercise.max_points()).max().unwrap_or(0),
            points: Points::of(ran.map(|exercise| exercise.points())),
            not_started: count(State::NotStarted),
            does_not_compile: count(State::DoesNotCompile),
            not_submitted: count(State::NotSubmitted),
            not_judged: count(State::NotJudged),
        })
    };
    names.filter_map(overview).collect()
}

/// Counts points in bars of equal width. Manual points may exceed the most points of the checks.
fn histogram(points: impl Iterator<Item = u32>, max_points: u32) -> Vec<Bar> {
    let points: Vec<u32> = points.collect();
    let most = points.iter().copied().max().unwrap_or(0).max(max_points);
    let width = (most + 1).div_ceil(BARS);
    let bars = (0..BARS).map(|bar| bar * width).take_while(|from| *from <= most);
    bars.map(|from| {
        let to = (from + width - 1).min(most);
        let count = points.iter().filter(|points| (from..=to).contains(points)).count();
        Bar { from, to, count }
    })
    .collect()
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

#[cfg(test)]
mod tests {
    use super::{Points, histogram};

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let points = Points::of([10, 1, 4, 3].into_iter()).expect("a sample");
        assert_eq!((points.median, points.mean), (3.5, 4.5));
        assert_eq!(Points::of(std::iter::empty()), None);
    }

    #[test]
    fn every_point_is_in_one_bar() {
        for max_points in [0, 1, 9, 10, 75] {
            let bars = histogram(0..=max_points, max_points);
            assert!(bars.len() <= 10, "{bars:?}");
            let sum: usize = bars.iter().map(|bar| bar.count).sum();
            assert_eq!(sum, max_points as usize + 1, "{bars:?}");
            assert_eq!(bars.last().map(|bar| bar.to), Some(max_points), "{bars:?}");
        }
    }
}
