//! The student's session: saves, rounds and keys, one after the other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::board::Board;
use crate::files::{Saved, saves};
use crate::keys::{Key, Keyboard};
use crate::round::{Round, RoundEvent};
use crate::screen::{KEYS, KEYS_OF_TEXT, Screen};
use checker::grade::{Graded, Outcome, Report};
use checker::report::human::Layout;
use checker::report::{brief, human};
use checker::skeleton;
use checker::state;
use checks::{self, Check};
use harness::exercise::{Exercise, Target};

/// The text above the status.
#[derive(Clone, PartialEq, Eq)]
enum View {
    /// The first failure.
    First,
    /// All failures.
    All,
    /// A hint or a lesson.
    Text(String),
}

/// The state of a session.
pub(crate) struct Session {
    exercises: Vec<Exercise>,
    seed: u64,
    screen: Screen,
    view: View,
    verdicts: BTreeMap<&'static str, Graded>,
    round: Option<Round>,
    /// The exercises to grade as soon as the aborted round has ended.
    urgent: Vec<Exercise>,
    /// The other exercises of aborted rounds, to be graded after that.
    later: Vec<Exercise>,
    /// The save that started the round.
    saved: Option<Saved>,
    /// The exercise that was saved last.
    focus: Option<Exercise>,
    /// The number of completed rounds.
    rounds: u32,
    /// The progress or the result of the last round.
    remark: String,
    /// The start of the running build.
    building: Instant,
    /// The instructor's board, if the student shows it the verdicts.
    board: Option<Board>,
}

impl Session {
    /// Creates a session on these exercises.
    pub(crate) fn new(exercises: Vec<Exercise>, seed: u64, board: Option<Board>) -> Self {
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
            building: Instant::now(),
            board,
        }
    }

    /// Runs until `q` is pressed; `hint` returns the next hint for a check.
    pub(crate) async fn run(mut self, hint: fn(&Check, usize) -> String) -> std::io::Result<()> {
        let (_keyboard, mut keys) = Keyboard::open()?.unzip();
        self.screen = Screen::new(keys.is_some());
        let mut saved = saves(self.exercises.clone());
        self.begin(self.exercises.clone(), None);
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            self.draw();
            let builds = self.screen.interactive && self.builds();
            tokio::select! {
                _ = seconds.tick(), if builds => {}
                Some(save) = saved.recv() => self.save(save),
                Some(event) = next_event(&mut self.round) => self.apply(event),
                () = next_change(&mut self.board) => {}
                Some(key) = next_key(&mut keys) => match key {
                    Key::Quit => {
                        if let Some(board) = self.board.take() {
                            board.leave().await;
                        }
                        return Ok(());
                    }
                    Key::Resized => {}
                    Key::Again => self.begin(self.exercises.clone(), None),
                    Key::Lines(lines) => self.screen.scroll_lines(lines),
                    Key::Pages(pages) => self.screen.scroll_pages(pages),
                    Key::All if self.view == View::All => self.turn_to(View::First),
                    Key::All => self.turn_to(View::All),
                    Key::Back => self.turn_to(View::First),
                    Key::Hint => {
                        let width = self.screen.width();
                        let hint = self.first_open().map(|check| hint(check, width));
                        self.turn_to(View::Text(hint.unwrap_or_else(nothing_open)));
                    }
                    Key::Lesson => {
                        let lesson = self.first_open().map_or_else(nothing_open, lesson);
                        self.turn_to(View::Text(lesson));
                    }
                },
            }
        }
    }

    fn turn_to(&mut self, view: View) {
        self.view = view;
        self.screen.scroll_to_top();
    }

    fn builds(&self) -> bool {
        self.round.as_ref().is_some_and(|round| round.built.is_none())
    }

    fn save(&mut self, save: Saved) {
        self.turn_to(View::First);
        self.focus = save.exercises.first().copied();
        self.begin(save.exercises.clone(), Some(save));
    }

    /// Starts a round. A running round is aborted first.
    fn begin(&mut self, exercises: Vec<Exercise>, saved: Option<Saved>) {
        self.saved = saved;
        let Some(round) = &self.round else {
            self.building = Instant::now();
            self.remark = self.building(&exercises);
            self.round = Some(Round::start(exercises, self.seed));
            return;
        };
        round.abort();
        // The saved exercises come first, then those that the aborted rounds did not grade.
        self.later.extend(round.exercises.iter().chain(&self.urgent).copied());
        self.later.retain(|exercise| !exercises.contains(exercise));
        self.later.sort_unstable();
        self.later.dedup();
        self.urgent = exercises;
        self.remark = "saved again, building …".to_string();
    }

    /// Says what is built. The first build compiles the libraries as well.
    fn building(&self, exercises: &[Exercise]) -> String {
        if self.rounds > 0 || !self.verdicts.is_empty() {
            return "building …".to_string();
        }
        let names: Vec<&str> = exercises.iter().map(|exercise| exercise.name()).collect();
        format!(
            "building {} and its libraries (the first time this takes up to two minutes) …",
            names.join(", ")
        )
    }

    fn apply(&mut self, event: RoundEvent) {
        let stale = !self.urgent.is_empty();
        match event {
            RoundEvent::Built(_) | RoundEvent::Verdict(_) if stale => {}
            RoundEvent::Built(time) => {
                if let Some(round) = &mut self.round {
                    round.built = Some(time);
                    // These verdicts are on the old program.
                    self.verdicts
                        .retain(|_, verdict| !round.exercises.contains(&verdict.check.exercise));
                }
                self.remark = self.with_previous("grading …");
            }
            RoundEvent::Verdict(graded) => {
                if let Some(board) = &self.board {
                    board.report(&graded);
                }
                self.verdicts.insert(graded.check.id, *graded);
                let open =
                    self.all().into_iter().find(|check| !self.verdicts.contains_key(check.id));
                let waiting =
                    open.map(|check| format!(", waiting for {}", check.id)).unwrap_or_default();
                self.remark = self.with_previous(&format!(
                    "grading … {} of {}{waiting}",
                    self.verdicts.len(),
                    self.all().len()
                ));
            }
            RoundEvent::Complete(time) => self.complete(time),
            RoundEvent::Over(reason) => self.start_next(reason),
        }
    }

    /// Puts a text below the first line of the remark, if the remark has several lines.
    fn with_previous(&self, text: &str) -> String {
        match self.remark.split_once('\n') {
            Some((before, _)) => format!("{before}\n{text}"),
            None => text.to_string(),
        }
    }

    fn complete(&mut self, checked: Duration) {
        if !self.urgent.is_empty() {
            return self.start_next(None);
        }
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let built = self.round.as_ref().and_then(|round| round.built).unwrap_or_default();
        let parts = format!("build {}, checks {}", seconds(built), seconds(checked));
        self.rounds += 1;
        let round = format!("round {}", self.rounds);
        let result = match self.saved.take() {
            Some(saved) => {
                let noticed = saved.noticed.duration_since(saved.at).as_millis();
                let verdict = seconds(Instant::now().duration_since(saved.at));
                format!("{round}: {verdict} from save to verdict (seen {noticed} ms, {parts})")
            }
            None => format!("{round}: {parts}"),
        };
        self.remark = self.with_previous(&result);
        // An error only makes `list` and `hint` show older verdicts.
        let _ = state::remember(&self.graded());
        self.start_next(None);
    }

    /// Ends a round and starts the next one, if any exercises wait.
    fn start_next(&mut self, reason: Option<String>) {
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

    /// Returns the verdicts so far, in the contract's order.
    fn graded(&self) -> Vec<Graded> {
        self.all().iter().filter_map(|check| self.verdicts.get(check.id).cloned()).collect()
    }

    /// Returns the first failure of the exercise that was saved last, or else the first of all.
    fn failure<'a>(&self, graded: &'a [Graded]) -> Option<(&'a Graded, &'a Report)> {
        let here = graded.iter().position(|graded| Some(graded.check.exercise) == self.focus);
        let after = here.and_then(|here| brief::first_failure(&graded[here..]));
        let focused = after.filter(|(graded, _)| Some(graded.check.exercise) == self.focus);
        focused.or_else(|| brief::first_failure(graded))
    }

    /// Returns the first failed check, or else the first that did not pass.
    fn first_open(&self) -> Option<&'static Check> {
        let graded = self.graded();
        let failed = self.failure(&graded).map(|(graded, _)| graded.check.id);
        let open = graded
            .iter()
            .find(|graded| !matches!(graded.outcome, Outcome::Passed))
            .map(|graded| graded.check.id);
        failed.or(open).and_then(checks::find)
    }

    fn draw(&mut self) {
        // A log contains the start and the result of a round, but not each verdict.
        if let Some(round) = self.round.as_ref().filter(|_| !self.screen.interactive) {
            if round.built.is_none() {
                let board = self.board.as_ref().map(Board::status).unwrap_or_default();
                self.screen.show("", &format!("{}\n{board}", self.remark), KEYS);
            }
            return;
        }
        let graded = self.graded();
        let seconds = self.building.elapsed().as_secs();
        let elapsed = match self.builds() && self.screen.interactive && seconds > 0 {
            true => format!(" {seconds} s"),
            false => String::new(),
        };
        let board = self.board.as_ref().map(Board::status).unwrap_or_default();
        let status = format!("{}{}{elapsed}\n{board}", brief::bars(&graded), self.remark);
        let keys = if matches!(self.view, View::Text(_)) { KEYS_OF_TEXT } else { KEYS };
        let layout = Layout { width: self.screen.width(), ..Layout::default() };
        let mut body = self.body(&graded, layout);
        if self.view == View::First && !self.screen.fits(&body, &status, keys) {
            body = self.body(&graded, Layout { compact: true, ..layout });
        }
        self.screen.show(&body, &status, keys);
    }

    fn body(&self, graded: &[Graded], layout: Layout) -> String {
        let mut body = match &self.view {
            View::Text(text) => text.clone(),
            View::First => match self.failure(graded) {
                Some((failed, report)) => {
                    let edit =
                        format!("edit       {}\n", failed.check.exercise.source(Target::Day1));
                    human::failure_in(failed, report, layout) + &edit
                }
                None if graded.len() == self.all().len() && brief::unfinished(graded).is_none() => {
                    human::after_green(graded, "cargo checker watch")
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
                    Outcome::Failed(report) => {
                        Some(human::failure_in(graded, report, layout) + "\n")
                    }
                    _ => None,
                })
                .collect(),
        };
        if !body.is_empty() && !body.ends_with("\n\n") {
            body.push('\n');
        }
        body
    }
}

async fn next_event(round: &mut Option<Round>) -> Option<RoundEvent> {
    match round {
        Some(round) => round.events.recv().await,
        None => std::future::pending().await,
    }
}

/// Waits until the connection to the board changes.
async fn next_change(board: &mut Option<Board>) {
    match board {
        Some(board) => board.changed().await,
        None => std::future::pending().await,
    }
}

async fn next_key(keys: &mut Option<tokio::sync::mpsc::UnboundedReceiver<Key>>) -> Option<Key> {
    match keys {
        Some(keys) => keys.recv().await,
        None => std::future::pending().await,
    }
}

fn nothing_open() -> String {
    "Nothing is open here.\n".to_string()
}

/// Renders the section of the lesson about this check.
fn lesson(check: &Check) -> String {
    let place = check.lesson();
    format!("{place}\n\n{}", skeleton::reflow(&skeleton::section(place)))
}
