//! The exercises: their names, crates and lessons, in the order of the day.

use std::fmt;

/// One exercise of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exercise {
    /// A server that welcomes and echoes.
    Echo,
    /// The same with heartbeats.
    Heartbeat,
    /// The same with the reply sent to everyone.
    Broadcast,
}

/// Whose servers are graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// The student's, in `day1/`.
    #[default]
    Day1,
    /// The reference, in `solutions/`.
    Solutions,
}

impl Exercise {
    /// All of them, in the order of the day.
    pub const ALL: [Exercise; 3] = [Exercise::Echo, Exercise::Heartbeat, Exercise::Broadcast];

    /// The exercise's name, which is also its folder's and its package's.
    pub fn name(self) -> &'static str {
        match self {
            Exercise::Echo => "echo",
            Exercise::Heartbeat => "heartbeat",
            Exercise::Broadcast => "broadcast",
        }
    }

    /// The exercise of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exercise| exercise.name() == name)
    }

    /// The page of the lessons that leads to it.
    pub fn lesson(self) -> &'static str {
        match self {
            Exercise::Echo => "lessons/03-echo.md",
            Exercise::Heartbeat => "lessons/04-heartbeats.md",
            Exercise::Broadcast => "lessons/05-broadcast.md",
        }
    }

    /// The cargo package that holds the target's server.
    pub fn package(self, target: Target) -> &'static str {
        match (target, self) {
            (Target::Day1, _) => self.name(),
            (Target::Solutions, Exercise::Echo) => "solution-echo",
            (Target::Solutions, Exercise::Heartbeat) => "solution-heartbeat",
            (Target::Solutions, Exercise::Broadcast) => "solution-broadcast",
        }
    }

    /// The file to edit, from the workspace's root.
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
    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "day1" => Some(Target::Day1),
            "solutions" => Some(Target::Solutions),
            _ => None,
        }
    }
}
