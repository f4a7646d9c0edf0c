//! The student's session: saves, rounds and keys, one after the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::files::{Saved, saves};
use crate::keys::{Key, Keyboard};
use crate::round::{News, Round};
use crate::screen::Screen;
use checker::grade::{Graded, Outcome, Report};
use checker::report::{brief, human};
use checker::skeleton;
use checker::state;
use checks::{self, Check};
use harness::exercise::{Exercise, Target};

/// What stands above the status.
#[derive(Clone, PartialEq, Eq)]
enum View {
    /// The first failure.
    First,
    /// All failures.
    All,
    /// A text: a hint, or a lesson.
    Text(String),
}

/// Watches these exercises until it is told to quit.
pub(crate) struct Session {
    exercises: Vec<Exercise>,
    seed: u64,
    screen: Screen,
    view: View,
    verdicts: BTreeMap<&'static str, Graded>,
    round: Option<Round>,
    /// What is to be graded as soon as the round, which was given up, has ended.
    urgent: Vec<Exercise>,
    /// What else that round did not come to.
    later: Vec<Exercise>,
    /// The save that the round is for; none if it was not a save that began it.
    saved: Option<Saved>,
    /// The exercise that was saved last: where the student works.
    focus: Option<Exercise>,
    /// How many rounds came to their end.
    rounds: u32,
    /// How the last round went, or why it did not.
    remark: String,
}

impl Session {
    /// A session on these exercises.
    pub(crate) fn new(exercises: Vec<Exercise>, seed: u64) -> Self {
        Session {
            exercises,
            seed,
            screen: Screen::new(false),
            view: View::First,
            verdicts: BTreeMap::new(),
            round: None,
            urgent: Vec::new(),
            later: Vec::new(),
            focus: None,
            saved: None,
            rounds: 0,
            remark: String::new(),
        }
    }

    /// Runs until `q`; `hint` gives the next hint for a check.
    ///
    /// # Errors
    /// When the terminal can't be used.
    pub(crate) async fn run(mut self, hint: fn(&Check) -> String) -> std::io::Result<()> {
        let (_keyboard, mut keys) = Keyboard::open()?.unzip();
        self.screen = Screen::new(keys.is_some());
        let mut saved = saves(self.exercises.clone());
        self.begin(self.exercises.clone(), None);
        loop {
            self.draw();
            tokio::select! {
                Some(save) = saved.recv() => self.save(save),
                Some(news) = next(&mut self.round) => self.hear(news),
                Some(key) = pressed(&mut keys) => match key {
                    Key::Quit => return Ok(()),
                    Key::Resized => {}
                    Key::Again => self.begin(self.exercises.clone(), None),
                    Key::All if self.view == View::All => self.view = View::First,
                    Key::All => self.view = View::All,
                    Key::Hint => self.view = View::Text(self.first().map_or_else(nothing_open, hint)),
                    Key::Lesson => self.view = View::Text(self.first().map_or_else(nothing_open, lesson)),
                },
            }
        }
    }

    fn save(&mut self, save: Saved) {
        self.view = View::First;
        self.focus = save.exercises.first().copied();
        self.begin(save.exercises.clone(), Some(save));
    }

    /// Begins a round, or lets it wait for the end of the one that is under way, which is given up.
    fn begin(&mut self, exercises: Vec<Exercise>, saved: Option<Saved>) {
        self.saved = saved;
        let Some(round) = &self.round else {
            self.remark = "building …".to_string();
            self.round = Some(Round::start(exercises, self.seed));
            return;
        };
        round.give_up();
        // What was saved comes first, and the rest has not been forgotten.
        self.later.extend(round.exercises.iter().chain(&self.urgent).copied());
        self.later.retain(|exercise| !exercises.contains(exercise));
        self.later.sort_unstable();
        self.later.dedup();
        self.urgent = exercises;
        self.remark = "saved again, building …".to_string();
    }

    fn hear(&mut self, news: News) {
        let stale = !self.urgent.is_empty();
        match news {
            News::Built(_) | News::Verdict(_) if stale => {}
            News::Built(time) => {
                if let Some(round) = &mut self.round {
                    round.built = Some(time);
                    // What was said of the old program is no longer true.
                    self.verdicts
                        .retain(|_, verdict| !round.exercises.contains(&verdict.check.exercise));
                }
                self.remark = self.doing("grading …");
            }
            News::Verdict(graded) => {
                self.verdicts.insert(graded.check.id, *graded);
                self.remark = self.doing(&format!(
                    "grading … {} of {}",
                    self.verdicts.len(),
                    self.all().len()
                ));
            }
            News::Complete(time) => self.complete(time),
            News::Over(reason) => self.over(reason),
        }
    }

    /// What goes on, below the time of the save before if this is not for a save.
    fn doing(&self, text: &str) -> String {
        match self.remark.split_once('\n') {
            Some((before, _)) => format!("{before}\n{text}"),
            None => text.to_string(),
        }
    }

    fn complete(&mut self, checked: Duration) {
        if !self.urgent.is_empty() {
            return self.over(None);
        }
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let built = self.round.as_ref().and_then(|round| round.built).unwrap_or_default();
        let parts = format!("build {}, checks {}", seconds(built), seconds(checked));
        self.rounds += 1;
        let round = format!("round {}", self.rounds);
        let told = match self.saved.take() {
            Some(saved) => {
                let noticed = saved.noticed.duration_since(saved.at).as_millis();
                let verdict = seconds(Instant::now().duration_since(saved.at));
                format!("{round}: {verdict} from save to verdict (seen {noticed} ms, {parts})")
            }
            None => format!("{round}: {parts}"),
        };
        self.remark = match self.remark.split_once('\n') {
            Some((before, _)) => format!("{before}\n{told}"),
            None => told,
        };
        // What can't be remembered is merely not listed.
        let _ = state::remember(&self.graded());
        self.over(None);
    }

    fn over(&mut self, reason: Option<String>) {
        self.round = None;
        if let Some(reason) = reason {
            self.remark = format!("not graded: {reason}");
        }
        let urgent = std::mem::take(&mut self.urgent);
        if !urgent.is_empty() {
            let saved = self.saved.take();
            self.begin(urgent, saved);
        } else if !self.later.is_empty() {
            let remark = std::mem::take(&mut self.remark);
            let later = std::mem::take(&mut self.later);
            self.begin(later, None);
            self.remark = format!("{remark}\nand now the rest, building …");
        }
    }

    fn all(&self) -> Vec<&'static Check> {
        checks::all().into_iter().filter(|check| self.exercises.contains(&check.exercise)).collect()
    }

    /// The verdicts so far, in the contract's order.
    fn graded(&self) -> Vec<Graded> {
        self.all().iter().filter_map(|check| self.verdicts.get(check.id).cloned()).collect()
    }

    /// The first failure of the exercise that was saved last, or the first of the day.
    fn failure<'a>(&self, graded: &'a [Graded]) -> Option<(&'a Graded, &'a Report)> {
        let here = graded.iter().position(|graded| Some(graded.check.exercise) == self.focus);
        let after = here.and_then(|here| brief::first_failure(&graded[here..]));
        let focused = after.filter(|(graded, _)| Some(graded.check.exercise) == self.focus);
        focused.or_else(|| brief::first_failure(graded))
    }

    /// What the student works on.
    fn first(&self) -> Option<&'static Check> {
        let graded = self.graded();
        let failed = self.failure(&graded).map(|(graded, _)| graded.check.id);
        let open = graded
            .iter()
            .find(|graded| !matches!(graded.outcome, Outcome::Passed))
            .map(|graded| graded.check.id);
        failed.or(open).and_then(checks::find)
    }

    fn draw(&mut self) {
        // A log says that a round begins and what it has come to, and not each verdict on the way.
        if let Some(round) = self.round.as_ref().filter(|_| !self.screen.interactive) {
            if round.built.is_none() {
                self.screen.show("", &format!("{}\n", self.remark), false);
            }
            return;
        }
        let graded = self.graded();
        let mut body = match &self.view {
            View::Text(text) => text.clone(),
            View::First => match self.failure(&graded) {
                Some((failed, report)) => {
                    let edit =
                        format!("edit       {}\n", failed.check.exercise.source(Target::Day1));
                    // A mistake is known by all of its verdicts, so not before they are there.
                    let over = graded.len() == self.all().len();
                    let familiar = over.then(|| brief::looks_like(&graded, failed.check.exercise));
                    human::failure(failed, report) + &familiar.unwrap_or_default() + &edit
                }
                None if graded.len() == self.all().len()
                    && brief::unfinished(&graded).is_none() =>
                {
                    done(self.exercises.last().copied())
                }
                None => {
                    let unknown = graded
                        .iter()
                        .filter(|graded| matches!(graded.outcome, Outcome::Inconclusive(_)));
                    unknown.map(|graded| human::line(graded) + "\n").collect()
                }
            },
            View::All => graded
                .iter()
                .filter_map(|graded| match &graded.outcome {
                    Outcome::Failed(report) => Some(human::failure(graded, report) + "\n"),
                    _ => None,
                })
                .collect(),
        };
        if !body.is_empty() && !body.ends_with("\n\n") {
            body.push('\n');
        }
        let status = format!("{}{}\n", brief::bars(&graded), self.remark);
        self.screen.show(&body, &status, self.view == View::All);
    }
}

async fn next(round: &mut Option<Round>) -> Option<News> {
    match round {
        Some(round) => round.news.recv().await,
        None => std::future::pending().await,
    }
}

async fn pressed(keys: &mut Option<tokio::sync::mpsc::UnboundedReceiver<Key>>) -> Option<Key> {
    match keys {
        Some(keys) => keys.recv().await,
        None => std::future::pending().await,
    }
}

fn nothing_open() -> String {
    "Nothing is open here.\n".to_string()
}

/// What comes after this exercise.
fn done(exercise: Option<Exercise>) -> String {
    let next = Exercise::ALL.into_iter().find(|next| Some(*next) > exercise);
    let next = next.map_or_else(
        || "That was the last exercise: read lessons/06-summary.md.".to_string(),
        |next| format!("Next: read {}, then cargo checker watch {next}", next.lesson()),
    );
    format!("Everything that is asked here was seen on the wire.\n{next}\n")
}

/// The part of the lesson that speaks of the check.
fn lesson(check: &Check) -> String {
    let place = skeleton::lesson(check.id).unwrap_or_else(|| check.lesson.to_string());
    format!("{place}\n\n{}", skeleton::section(&place))
}
