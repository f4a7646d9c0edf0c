//! The checks: one folder for each exercise, one function for each row of the contract, in the
//! contract's order.

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

/// A function of a check.
pub type Run =
    for<'a> fn(&'a mut TestContext) -> Pin<Box<dyn Future<Output = CheckResult> + Send + 'a>>;

/// One row of the contract, and its check.
#[derive(Debug)]
pub struct Check {
    /// The public name.
    pub id: &'static str,
    /// The exercise that provides the server.
    pub exercise: Exercise,
    /// Prerequisites: if the gate of one of them fails, this check is blocked.
    pub requires: &'static [&'static str],
    /// If one of these fails, it explains a failure of this check.
    pub explained_by: &'static [&'static str],
    /// If one of these fails, it explains why this check saw nothing.
    pub inconclusive_after: &'static [&'static str],
    /// True if the server must send heartbeats at the interval of the check.
    pub uses_heartbeats: bool,
    /// True if the check keeps the processors busy. Such checks run one at a time.
    pub heavy: bool,
    /// True if the check compares times. It starts after the light checks.
    pub timed: bool,
    /// True if the check waits for the server's minimum uptime. That wait is skipped if the same
    /// program has passed before.
    pub needs_uptime: bool,
    /// The least evidence to pass.
    pub minimum: MinimumEvidence,
    /// The Markdown file beside the check: its row, points, lesson, hints and explanation.
    pub text: &'static str,
    /// The part that all checks which require this one depend on. If it fails, they are blocked;
    /// once it has passed, they may start.
    pub gate: Option<Run>,
    /// The rest of the check.
    pub details: Run,
}

impl Check {
    /// Returns true if the check waits for neither heartbeats nor uptime, and does not keep the
    /// processors busy. The number of concurrent light checks is limited.
    pub fn is_light(&self) -> bool {
        !self.uses_heartbeats && !self.heavy && !self.needs_uptime
    }
}

/// The checks of each exercise, in the contract's order. A `static`, because each crate that names
/// a `const` compiles everything that it refers to.
pub static ROWS: [&[Check]; 3] = [echo::CHECKS, heartbeat::CHECKS, broadcast::CHECKS];

/// Creates a check with default values.
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
        text,
        gate: None,
        details,
    }
}

/// The minimum evidence of a check with no other: one connection.
pub const MINIMUM: MinimumEvidence =
    MinimumEvidence { connections: 1, messages: 0, pings: 0, pongs: 0, closes: 0, ends: 0 };

/// Returns every check, in the contract's order.
pub fn all() -> Vec<&'static Check> {
    ROWS.into_iter().chain([latency::CHECKS]).flatten().collect()
}

/// Finds the check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().into_iter().find(|check| check.id == id)
}
