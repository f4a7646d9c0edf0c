//! The checks of the exercises: one folder an exercise, one function a row of the contract, in the contract's order.

pub mod broadcast;
pub mod echo;
pub mod heartbeat;
pub mod latency;
pub mod text;

use std::future::Future;
use std::pin::Pin;

use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise;
use harness::verdict::CheckResult;

/// What a check does, as a function of its arena.
pub type Run =
    for<'a> fn(&'a mut TestContext) -> Pin<Box<dyn Future<Output = CheckResult> + Send + 'a>>;

/// One row of the contract, and how it is judged.
#[derive(Debug)]
pub struct Check {
    /// Its public name.
    pub id: &'static str,
    /// The exercise whose server it talks to.
    pub exercise: Exercise,
    /// Checks without which this one makes no sense: if what everything stands on fails there, this one is
    /// blocked.
    pub requires: &'static [&'static str],
    /// Checks whose failure, of whatever kind, explains a failure of this one.
    pub explained_by: &'static [&'static str],
    /// Checks whose failure explains that there was nothing to see for this one.
    pub inconclusive_after: &'static [&'static str],
    /// Whether the server under test is to send heartbeats at the pace of the check.
    pub uses_heartbeats: bool,
    /// Whether it keeps the processors busy; such checks wait for each other.
    pub heavy: bool,
    /// Whether it compares times; such a check begins when the light ones are over.
    pub timed: bool,
    /// Whether it waits until the server is no longer young; who grades again is spared that for the same program.
    pub needs_uptime: bool,
    /// The least it must have seen to pass.
    pub minimum: MinimumEvidence,
    /// The first thing to think of when it fails.
    pub hint: &'static str,
    /// Where the lessons speak of it.
    pub lesson: &'static str,
    /// The Markdown file beside the check: its row, points, hints and explanation.
    pub text: &'static str,
    /// What all checks that require this one stand on. If it fails, they are blocked; once it has
    /// passed, they may begin.
    pub gate: Option<Run>,
    /// The rest of the check.
    pub details: Run,
}

impl Check {
    /// Whether it neither waits, for heartbeats or until the server is of age, nor keeps the processors busy; only so many
    /// of these run at a time.
    pub fn is_light(&self) -> bool {
        !self.uses_heartbeats && !self.heavy && !self.needs_uptime
    }
}

/// The checks of each exercise, in the contract's order. No constant: whoever names that compiles all they refer to.
pub static ROWS: [&[Check]; 3] = [echo::CHECKS, heartbeat::CHECKS, broadcast::CHECKS];

/// What most checks have in common.
pub const fn check(
    id: &'static str,
    exercise: Exercise,
    text: &'static str,
    details: Run,
) -> Check {
    Check {
        id,
        exercise,
        requires: &[],
        explained_by: &[],
        inconclusive_after: &[],
        uses_heartbeats: false,
        heavy: false,
        timed: false,
        needs_uptime: false,
        minimum: MINIMUM,
        hint: "",
        lesson: "",
        text,
        gate: None,
        details,
    }
}

/// A check that asks for no more than this has seen a connection.
pub const MINIMUM: MinimumEvidence =
    MinimumEvidence { connections: 1, messages: 0, pings: 0, pongs: 0, closes: 0, ends: 0 };

/// Every check, in the contract's order.
pub fn all() -> Vec<&'static Check> {
    ROWS.into_iter().chain([latency::CHECKS]).flatten().collect()
}

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().into_iter().find(|check| check.id == id)
}
