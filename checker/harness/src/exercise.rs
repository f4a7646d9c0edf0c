//! The exercises: their names, crates and lessons, in the order of the day.

use std::fmt;

/// One exercise of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exercise {
    /// A server that sends a welcome and echoes messages.
    Echo,
    /// The echo server with heartbeats.
    Heartbeat,
    /// The heartbeat server, with each reply sent to all clients.
    Broadcast,
}

/// The servers to be graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// The student's, in `day1/`.
    #[default]
    Day1,
    /// The reference, in `solutions/`.
    Solutions,
}

impl Exercise {
    /// All exercises, in the order of the day.
    pub const ALL: [Exercise; 3] = [Exercise::Echo, Exercise::Heartbeat, Exercise::Broadcast];

    /// Returns the name of the exercise, its folder and its package.
    pub fn name(self) -> &'static str {
        match self {
            Exercise::Echo => "echo",
            Exercise::Heartbeat => "heartbeat",
            Exercise::Broadcast => "broadcast",
        }
    }

    /// Finds the exercise with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exercise| exercise.name() == name)
    }

    /// Returns the path of its lesson.
    pub fn lesson(self) -> &'static str {
        match self {
            Exercise::Echo => "lessons/03-echo.md",
            Exercise::Heartbeat => "lessons/04-heartbeats.md",
            Exercise::Broadcast => "lessons/05-broadcast.md",
        }
    }

    /// Returns the cargo package of the target's server.
    pub fn package(self, target: Target) -> &'static str {
        match (target, self) {
            (Target::Day1, _) => self.name(),
            (Target::Solutions, Exercise::Echo) => "solution-echo",
            (Target::Solutions, Exercise::Heartbeat) => "solution-heartbeat",
            (Target::Solutions, Exercise::Broadcast) => "solution-broadcast",
        }
    }

    /// Returns the source file, relative to the workspace's root.
    pub fn source(self, target: Target) -> String {
        let folder = match target {
            Target::Day1 => "day1",
            Target::Solutions => "solutions",
        };
        format!("{folder}/{}/src/main.rs", self.name())
    }
}

impl fmt::Display for Exercise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Target {
    /// Finds the target with this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "day1" => Some(Target::Day1),
            "solutions" => Some(Target::Solutions),
            _ => None,
        }
    }
}
