//! Where the exercises lie in a hand-in.

use harness::exercise::Exercise;

use super::archive::{Entry, Kind, NEVER};

/// The longest name of a file or folder that every common file system can hold, in bytes.
const NAME_LIMIT: usize = 255;

/// The places of sources in one hand-in.
#[derive(Default)]
pub(super) struct Layout {
    /// The only exercise that is graded.
    only: Option<Exercise>,
    /// The folder of the only `main.rs`, which is that exercise if no folder is named like one.
    lone: Option<String>,
}

impl Layout {
    pub(super) fn of(entries: &[Entry], only: Option<Exercise>) -> Layout {
        let mut layout = Layout { only, lone: None };
        let files = || entries.iter().filter(|entry| matches!(entry.kind, Kind::File));
        if only.is_some() && !files().any(|entry| place(&entry.path).is_some()) {
            let mains: Vec<String> = files()
                .filter_map(|entry| parts(&entry.path))
                .filter(|parts| parts.last() == Some(&"main.rs"))
                .map(|parts| parts[..parts.len() - 1].join("/"))
                .collect();
            layout.lone = <[String; 1]>::try_from(mains).ok().map(|[folder]| folder);
        }
        layout
    }

    /// Splits the path of a source file into the folder that holds its exercise, and its path in a
    /// workspace.
    pub(super) fn place(&self, path: &str) -> Option<(String, String)> {
        if let (Some(only), Some(folder)) = (self.only, &self.lone) {
            let path = parts(path)?.join("/");
            let ours = match folder.as_str() {
                "" => &path,
                folder => path.strip_prefix(folder)?.strip_prefix('/')?,
            };
            return Some((folder.clone(), format!("day1/{only}/src/{ours}")));
        }
        let (root, exercise, place) = place(path)?;
        self.only.is_none_or(|only| only == exercise).then_some((root, place))
    }

    /// The reason why a file is not taken.
    pub(super) fn reason(&self, path: &str) -> &'static str {
        match place(path) {
            Some(_) => "of an exercise that is not graded",
            None => "not of day1/*/src/**/*.rs",
        }
    }
}

/// The parts of the path of a source file; `None` for one that is never taken.
fn parts(path: &str) -> Option<Vec<&str>> {
    if escapes(path) || !path.ends_with(".rs") {
        return None;
    }
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let is_bad = |part: &&str| NEVER.contains(part) || part.len() > NAME_LIMIT || strange(part);
    (!parts.iter().any(is_bad)).then_some(parts)
}

fn strange(part: &str) -> bool {
    part.chars().any(|c| c.is_control() || c == ':' || c == '\\')
}

/// Finds the exercise in a path: the folder that holds it is `day1`, or any other but `solutions`.
fn place(path: &str) -> Option<(String, Exercise, String)> {
    let parts = parts(path)?;
    let at = parts
        .windows(3)
        .position(|window| Exercise::named(window[0]).is_some() && window[1] == "src")?;
    let (root, ours) = parts.split_at(at);
    if root.last() == Some(&"solutions") {
        return None;
    }
    Some((root.join("/"), Exercise::named(ours[0])?, format!("day1/{}", ours.join("/"))))
}

/// Returns whether a path may lead out of the folder in which it is unpacked, on any system.
pub(super) fn escapes(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    path.starts_with('/')
        || path.starts_with('\\')
        || drive
        || path.split(['/', '\\']).any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_main_is_the_exercise_that_is_asked_for() {
        let file = |path: &str| Entry { path: path.to_string(), kind: Kind::File };
        let entries = [file("mine/main.rs"), file("mine/room.rs"), file("notes.rs")];
        let layout = Layout::of(&entries, Some(Exercise::Echo));
        let place = |path: &str| layout.place(path).map(|(_, place)| place);
        assert_eq!(place("mine/main.rs").as_deref(), Some("day1/echo/src/main.rs"));
        assert_eq!(place("mine/room.rs").as_deref(), Some("day1/echo/src/room.rs"));
        assert_eq!(place("notes.rs"), None);
        let two = [file("main.rs"), file("old/main.rs")];
        assert_eq!(Layout::of(&two, Some(Exercise::Echo)).place("main.rs"), None);
        assert_eq!(Layout::of(&entries, None).place("mine/main.rs"), None);
    }
}
