//! The servers of the museum: a table for each kind of fault, and one of right servers.

mod broadcast;
mod broadcast_hearts;
mod broadcast_load;
mod common;
mod echo;
mod echo_connections;
mod echo_log;
mod echo_messages;
mod frames;
mod heartbeat;
mod heartbeat_drops;
mod right;

use serde_json::{Value, json};

use crate::base::{Exercise, Mutation};
pub(crate) use common::{READY_LATE, STATUS_200};
pub(crate) use right::{Design, RIGHT};

/// A server with one fault.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) exercise: Exercise,
    /// A teacher's explanation of the fault.
    pub(crate) sentence: &'static str,
    /// The checks that it violates. The first must catch it.
    pub(crate) violates: &'static [&'static str],
    pub(crate) mutation: &'static dyn Mutation,
}

const fn fault(
    exercise: Exercise,
    name: &'static str,
    violates: &'static [&'static str],
    sentence: &'static str,
    mutation: &'static dyn Mutation,
) -> Fault {
    Fault { name, exercise, sentence, violates, mutation }
}

/// Returns all faults.
pub(crate) fn faults() -> impl Iterator<Item = &'static Fault> {
    let echo = [echo::FAULTS, echo_messages::FAULTS, echo_connections::FAULTS, echo_log::FAULTS];
    let heartbeat = [heartbeat::FAULTS, heartbeat_drops::FAULTS];
    let broadcast = [broadcast::FAULTS, broadcast_load::FAULTS, broadcast_hearts::FAULTS];
    echo.into_iter().chain(heartbeat).chain(broadcast).flatten()
}

/// Returns the catalogue as JSON.
pub(crate) fn list() -> Value {
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
        .map(|right| {
            json!({
                "name": right.name,
                "exercise": right.exercise.name(),
                "sentence": right.sentence,
            })
        })
        .collect();
    let process: Vec<_> = crate::process::PROCESSES
        .iter()
        .map(|(name, sentence)| json!({ "name": name, "sentence": sentence }))
        .collect();
    json!({ "faults": faults, "right": right, "process": process })
}
