//! What stands in the museum: the tables, and the sentence on each label.

mod broadcast;
mod broadcast_hearts;
mod broadcast_load;
mod echo;
mod echo_connections;
mod echo_log;
mod echo_messages;
mod heartbeat;
mod heartbeat_drops;
mod right;

use serde_json::{Value, json};

use crate::base::Twist;
pub(crate) use right::{RIGHT, Works};

/// The three exercises of the day.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exercise {
    Echo,
    Heartbeat,
    Broadcast,
}

impl Exercise {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Heartbeat => "heartbeat",
            Self::Broadcast => "broadcast",
        }
    }
}

/// One faulty server.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) exercise: Exercise,
    /// What a teacher would say about it.
    pub(crate) sentence: &'static str,
    /// The contract rows it violates, the one it is named for first.
    pub(crate) violates: &'static [&'static str],
    pub(crate) twists: &'static [Twist],
}

const fn fault(
    exercise: Exercise,
    name: &'static str,
    twists: &'static [Twist],
    violates: &'static [&'static str],
    sentence: &'static str,
) -> Fault {
    Fault { name, exercise, sentence, violates, twists }
}

/// Every faulty server.
pub(crate) fn faults() -> impl Iterator<Item = &'static Fault> {
    let echo = [echo::FAULTS, echo_messages::FAULTS, echo_connections::FAULTS, echo_log::FAULTS];
    let heartbeat = [heartbeat::FAULTS, heartbeat_drops::FAULTS];
    let broadcast = [broadcast::FAULTS, broadcast_load::FAULTS, broadcast_hearts::FAULTS];
    echo.into_iter().chain(heartbeat).chain(broadcast).flatten()
}

/// The catalogue, as JSON.
pub(crate) fn catalogue() -> Value {
    let faults: Vec<_> = faults()
        .map(|fault| {
            json!({
                "name": fault.name,
                "exercise": fault.exercise.name(),
                "sentence": fault.sentence,
                "violates": fault.violates,
            })
        })
        .collect();
    let right: Vec<_> = RIGHT
        .iter()
        .map(|right| json!({ "name": right.name, "exercise": right.exercise.name(), "sentence": right.sentence }))
        .collect();
    let process: Vec<_> = crate::process::PIECES
        .iter()
        .map(|(name, sentence)| json!({ "name": name, "sentence": sentence }))
        .collect();
    json!({ "faults": faults, "right": right, "process": process })
}
