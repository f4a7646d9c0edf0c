//! The right servers in other clothes.

use std::io;

use super::Exercise;
use crate::base::Twist;
use crate::config::Config;

/// What a piece runs on.
pub(crate) enum Works {
    /// The base server with these twists.
    Base(&'static [Twist]),
    /// A server of its own.
    Own(fn(Config) -> io::Result<()>),
}

/// One right server.
pub(crate) struct Right {
    pub(crate) name: &'static str,
    pub(crate) exercise: Exercise,
    pub(crate) sentence: &'static str,
    pub(crate) works: Works,
}

const fn right(
    exercise: Exercise,
    name: &'static str,
    works: Works,
    sentence: &'static str,
) -> Right {
    Right {
        name,
        exercise,
        sentence,
        works,
    }
}

use Exercise::{Broadcast, Echo, Heartbeat};

pub(crate) const RIGHT: &[Right] = &[
    right(
        Echo,
        "raw-echo",
        Works::Base(&[]),
        "Raw frames by hand, a reader and a writer task for each client.",
    ),
    right(
        Heartbeat,
        "raw-heartbeat",
        Works::Base(&[]),
        "Raw frames by hand, one timer for each connection.",
    ),
    right(
        Broadcast,
        "raw-broadcast",
        Works::Base(&[]),
        "Raw frames by hand, one list of clients under a lock.",
    ),
];
