//! The state of the room, and the channel that carries its changes to all pages.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use board_client::message::{Hello, Outcome, Verdict};
use harness::sync::lock;
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::save::EventFile;

/// The most students of a room.
const MOST_STUDENTS: usize = 1_000;
/// The changes by which a page may lag behind before it gets a snapshot instead.
const CHANGES: usize = 512;
/// The most first greens that are kept.
const GREENS: usize = 100;
/// The longest time for which a student may say that a check has had its outcome.
const LONGEST_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The reason why the room does not accept a message.
#[derive(Debug, Error)]
pub(crate) enum RoomError {
    /// The room is full.
    #[error("the room is full: it has {MOST_STUDENTS} students")]
    Full,
    /// The student's workbook has another edition of the contract.
    #[error("this board knows no check `{0}`; its workbook is another edition than the student's")]
    UnknownCheck(String),
    /// The number by which a student is known has a wrong form.
    #[error("a student's number has 32 hexadecimal digits")]
    Number,
}

/// Whether a student is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Presence {
    /// Connected.
    Here,
    /// Closed the connection with a close frame.
    Left,
    /// Lost without a close frame, or did not answer a ping.
    Vanished,
}

/// A student's place in the room, on one connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seat {
    student: usize,
    connection: u64,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    outcome: Outcome,
    since: Instant,
}

struct Student {
    name: String,
    /// The number of its latest connection. An earlier one may end later.
    connection: u64,
    presence: Presence,
    /// The time of the last change of `presence`.
    present_since: Instant,
    /// The verdicts, in the order of the contract.
    held: Vec<Option<Held>>,
    /// The checks that have passed at least once.
    was_green: Vec<bool>,
}

/// A check that passed for the first time.
struct Green {
    student: usize,
    check: usize,
    /// True if no student had passed it before.
    first_in_room: bool,
    at: Instant,
}

struct State {
    students: Vec<Student>,
    by_number: HashMap<String, usize>,
    greens: VecDeque<Green>,
    file: Option<EventFile>,
}

/// The room.
pub(crate) struct Room {
    checks: Vec<(&'static str, &'static str)>,
    state: Mutex<State>,
    changes: broadcast::Sender<Utf8Bytes>,
}

impl Room {
    /// Opens an empty room, whose events go to this file.
    pub(crate) fn new(file: Option<EventFile>) -> Self {
        let checks = checks::all().into_iter().map(|check| (check.id, check.exercise.name()));
        let state = State {
            students: Vec::new(),
            by_number: HashMap::new(),
            greens: VecDeque::new(),
            file,
        };
        Room {
            checks: checks.collect(),
            state: Mutex::new(state),
            changes: broadcast::Sender::new(CHANGES),
        }
    }

    /// Seats a student. One that comes back gets its former place, with the verdicts it sends.
    pub(crate) fn join(&self, hello: &Hello) -> Result<Seat, RoomError> {
        let is_hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hello.student.len() != 32 || !is_hexadecimal(&hello.student) {
            return Err(RoomError::Number);
        }
        let verdicts: Vec<(usize, &Verdict)> = hello
            .verdicts
            .iter()
            .map(|verdict| Ok((self.index(&verdict.check)?, verdict)))
            .collect::<Result<_, RoomError>>()?;
        let mut state = lock(&self.state);
        let number = match state.by_number.get(&hello.student) {
            Some(number) => *number,
            None if state.students.len() >= MOST_STUDENTS => return Err(RoomError::Full),
            None => {
                let number = state.students.len();
                state.by_number.insert(hello.student.clone(), number);
                state.students.push(Student::new(self.checks.len()));
                number
            }
        };
        let name = state.free_name(number, hello.name.as_str());
        let student = &mut state.students[number];
        student.name = name;
        student.connection += 1;
        student.change_presence(Presence::Here);
        for (check, verdict) in verdicts {
            let since = start_of(verdict);
            student.held[check] = Some(Held { outcome: verdict.outcome, since });
            student.was_green[check] |= verdict.outcome == Outcome::Passed;
        }
        let seat = Seat { student: number, connection: student.connection };
        state.save(number, "joined", None);
        self.publish(&state, number);
        Ok(seat)
    }

    /// Applies a verdict.
    pub(crate) fn apply(&self, seat: Seat, verdict: &Verdict) -> Result<(), RoomError> {
        let check = self.index(&verdict.check)?;
        let mut state = lock(&self.state);
        let is_first_in_room = !state.students.iter().any(|student| student.was_green[check]);
        let student = &mut state.students[seat.student];
        if student.connection != seat.connection {
            return Ok(());
        }
        student.held[check] = Some(Held { outcome: verdict.outcome, since: start_of(verdict) });
        let is_green = verdict.outcome == Outcome::Passed && !student.was_green[check];
        student.was_green[check] |= is_green;
        state.save(seat.student, self.checks[check].0, Some(verdict.outcome));
        self.publish(&state, seat.student);
        if is_green {
            let green = Green {
                student: seat.student,
                check,
                first_in_room: is_first_in_room,
                at: Instant::now(),
            };
            self.send(&self.green_to_json(&green, "green"));
            state.greens.push_back(green);
            if state.greens.len() > GREENS {
                state.greens.pop_front();
            }
        }
        Ok(())
    }

    /// Marks a student as gone, unless it has come back on another connection.
    pub(crate) fn leave(&self, seat: Seat, presence: Presence) {
        let mut state = lock(&self.state);
        let student = &mut state.students[seat.student];
        if student.connection != seat.connection {
            return;
        }
        student.change_presence(presence);
        let word = if presence == Presence::Left { "left" } else { "vanished" };
        state.save(seat.student, word, None);
        self.publish(&state, seat.student);
    }

    /// Returns a snapshot for a page, and the changes from then on.
    pub(crate) fn subscribe(
        &self,
        period: Duration,
    ) -> (broadcast::Receiver<Utf8Bytes>, Utf8Bytes) {
        // Both under one lock: no change is missed between the two, and none comes twice.
        let state = lock(&self.state);
        let changes = self.changes.subscribe();
        let numbers = 0..state.students.len();
        let checks =
            self.checks.iter().map(|(id, exercise)| json!({ "id": id, "exercise": exercise }));
        let snapshot = json!({
            "type": "snapshot",
            "beat_ms": period.as_millis() as u64,
            "checks": checks.collect::<Vec<_>>(),
            "students": numbers.map(|number| self.to_json(&state, number)).collect::<Vec<_>>(),
            "greens": state.greens.iter().map(|green| self.green_to_json(green, "green"))
                .collect::<Vec<_>>(),
        });
        (changes, snapshot.to_string().into())
    }

    fn index(&self, check: &str) -> Result<usize, RoomError> {
        let found = self.checks.iter().position(|(id, _)| *id == check);
        found.ok_or_else(|| RoomError::UnknownCheck(check.chars().take(60).collect()))
    }

    /// Sends a student's state to all pages. Called under the lock, so that changes keep their
    /// order.
    fn publish(&self, state: &State, number: usize) {
        self.send(&self.to_json(state, number));
    }

    fn send(&self, change: &Value) {
        // This never waits: a page that lags misses changes, and gets a snapshot. It fails only
        // without a page.
        let _ = self.changes.send(change.to_string().into());
    }

    /// Returns a student's state. Times are ages, since a page has another clock.
    fn to_json(&self, state: &State, number: usize) -> Value {
        let student = &state.students[number];
        let red = student.first_red().map(
            |(check, held)| json!({ "check": self.checks[check].0, "age_ms": age(held.since) }),
        );
        json!({
            "type": "student",
            "number": number + 1,
            "name": student.name,
            "presence": student.presence,
            "presence_age_ms": age(student.present_since),
            "outcomes": student.held.iter().map(letter).collect::<String>(),
            "red": red,
        })
    }

    fn green_to_json(&self, green: &Green, kind: &str) -> Value {
        json!({
            "type": kind,
            "number": green.student + 1,
            "check": self.checks[green.check].0,
            "first": green.first_in_room,
            "age_ms": age(green.at),
        })
    }
}

impl State {
    /// Returns the name, with a number behind it if another student has the same.
    fn free_name(&self, number: usize, name: &str) -> String {
        let is_taken = |name: &str| {
            let others = self.students.iter().enumerate().filter(|(other, _)| *other != number);
            others.into_iter().any(|(_, student)| student.name == name)
        };
        let mut candidates = (2..).map(|n| format!("{name} ({n})"));
        match is_taken(name) {
            true => candidates.find(|name| !is_taken(name)).expect("there is no end of numbers"),
            false => name.to_string(),
        }
    }

    fn save(&mut self, number: usize, event: &str, outcome: Option<Outcome>) {
        if let Some(file) = &mut self.file {
            file.append(&self.students[number].name, event, outcome);
        }
    }
}

impl Student {
    fn new(checks: usize) -> Self {
        Student {
            name: String::new(),
            connection: 0,
            presence: Presence::Here,
            present_since: Instant::now(),
            held: vec![None; checks],
            was_green: vec![false; checks],
        }
    }

    fn change_presence(&mut self, presence: Presence) {
        self.presence = presence;
        self.present_since = Instant::now();
    }

    /// Returns the first failed check in the order of the contract, which stops the student.
    fn first_red(&self) -> Option<(usize, Held)> {
        let held = self.held.iter().enumerate();
        held.filter_map(|(check, held)| Some((check, (*held)?)))
            .find(|(_, held)| held.outcome == Outcome::Failed)
    }
}

fn start_of(verdict: &Verdict) -> Instant {
    let age = Duration::from_millis(verdict.age_ms).min(LONGEST_AGE);
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}

fn age(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Returns one letter for an outcome: a snapshot of a full room has 36,000 of them.
fn letter(held: &Option<Held>) -> char {
    match held.map(|held| held.outcome) {
        None => '.',
        Some(Outcome::Passed) => 'p',
        Some(Outcome::Failed) => 'f',
        Some(Outcome::Blocked) => 'b',
        Some(Outcome::Unknown) => 'u',
        Some(Outcome::NotStarted) => 'n',
    }
}
