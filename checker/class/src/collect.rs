//! Finds the students' sources in a submission, by shape, and takes nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use harness::exercise::Exercise;
use sha2::{Digest, Sha256};

use crate::entry::{Content, Entry, FILE_LIMIT, entries};

/// How much is taken of one submission, in bytes.
const SUBMISSION_LIMIT: usize = 4 << 20;
/// How many names of what was left out are told.
const TOLD: usize = 40;

/// The sources of one submission.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sources {
    /// By path below the workspace, as in `day1/echo/src/main.rs`.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What was not taken, and why.
    pub(crate) left_out: Vec<String>,
}

impl Sources {
    /// The exercises of which there is something.
    pub(crate) fn exercises(&self) -> BTreeSet<Exercise> {
        let folders = self.files.keys().filter_map(|path| path.split('/').nth(1));
        folders.filter_map(Exercise::named).collect()
    }

    /// What tells these sources from all others.
    pub(crate) fn content(&self) -> String {
        let mut hash = Sha256::new();
        for (path, bytes) in &self.files {
            hash.update(format!("{path}\0{}\0", bytes.len()));
            hash.update(bytes);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The sources of one exercise, one after the other.
    pub(crate) fn text_of(&self, exercise: Exercise) -> String {
        let folder = format!("day1/{exercise}/");
        let files = self.files.iter().filter(|(path, _)| path.starts_with(&folder));
        files
            .map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The sources in this folder or archive.
///
/// # Errors
/// Why there are none, in words.
pub(crate) fn collect(path: &Path) -> Result<Sources, String> {
    from_entries(entries(path)?)
}

fn from_entries(entries: Vec<Entry>) -> Result<Sources, String> {
    let places: Vec<Option<(String, String)>> =
        entries.iter().map(|entry| place(&entry.path)).collect();
    let root = places
        .iter()
        .flatten()
        .map(|(root, _)| root)
        .min_by_key(|root| (root.split('/').count(), *root));
    let root = root.cloned().ok_or("there is no day1/<exercise>/src/*.rs in it")?;
    let mut sources = Sources::default();
    let mut taken = 0;
    let mut others = Vec::new();
    for (entry, place) in entries.into_iter().zip(places) {
        let path = entry.path;
        let ours = place.filter(|(its, _)| *its == root).map(|(_, path)| path);
        match (entry.content, ours) {
            (_, None) if escapes(&path) => {
                others.push(format!("{path}: its path leads out of the submission"))
            }
            (Content::Link(to), _) => others.push(format!("{path}: a link, to {to}")),
            (Content::TooLarge(size), _) => {
                others.push(format!("{path}: {size} bytes, at most {FILE_LIMIT} are taken"));
            }
            (Content::File(bytes), Some(ours)) if taken + bytes.len() <= SUBMISSION_LIMIT => {
                taken += bytes.len();
                if sources.files.insert(ours, bytes).is_some() {
                    others.push(format!("{path}: twice in the archive, the last one counts"));
                }
            }
            (Content::File(_), Some(_)) => {
                others.push(format!("{path}: more than {SUBMISSION_LIMIT} bytes in all"));
            }
            (Content::File(_) | Content::Unread, _) => {
                others.push(format!("{path}: not of day1/*/src/**/*.rs"))
            }
        }
    }
    if sources.files.is_empty() {
        return Err(format!("nothing in it can be taken: {}", others.join("; ")));
    }
    let more = others.len().saturating_sub(TOLD);
    others.truncate(TOLD);
    if more > 0 {
        others.push(format!("and {more} more"));
    }
    sources.left_out = others;
    Ok(sources)
}

/// Where the workspace of this path begins, and the path from there, if it is one of a source file.
fn place(path: &str) -> Option<(String, String)> {
    if escapes(path) || !path.ends_with(".rs") {
        return None;
    }
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let at = parts.windows(4).position(|window| {
        window[0] == "day1" && Exercise::named(window[1]).is_some() && window[2] == "src"
    })?;
    let strange = |part: &&str| part.chars().any(|c| c.is_control() || c == ':' || c == '\\');
    let ours = &parts[at..];
    (!ours.iter().any(strange)).then(|| (parts[..at].join("/"), ours.join("/")))
}

/// Whether a path leads, or may lead on some system, out of the folder in which it is unpacked.
fn escapes(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':');
    path.starts_with('/')
        || path.starts_with('\\')
        || drive
        || path.split(['/', '\\']).any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Entry {
        Entry { path: path.to_string(), content: Content::File(b"fn main() {}".to_vec()) }
    }

    #[test]
    fn the_shape_is_found_a_level_deeper_and_in_part() {
        let sources = from_entries(vec![
            file("ada-main/day1/echo/src/main.rs"),
            file("ada-main/day1/echo/build.rs"),
        ]);
        let sources = sources.expect("there is a source");
        assert_eq!(sources.files.keys().collect::<Vec<_>>(), ["day1/echo/src/main.rs"]);
        assert_eq!(sources.left_out, ["ada-main/day1/echo/build.rs: not of day1/*/src/**/*.rs"]);
        assert_eq!(sources.exercises(), BTreeSet::from([Exercise::Echo]));
    }

    #[test]
    fn nothing_leads_out() {
        let paths = [
            "../day1/echo/src/a.rs",
            "/day1/echo/src/b.rs",
            "day1/echo/src/../../c.rs",
            "C:/day1/echo/src/d.rs",
        ];
        let mut all: Vec<Entry> = paths.into_iter().map(file).collect();
        let link = Content::Link("/etc/passwd".to_string());
        all.push(Entry { path: "day1/echo/src/passwd.rs".to_string(), content: link });
        all.push(file("day1/echo/src/main.rs"));
        let sources = from_entries(all).expect("one is left");
        assert_eq!(sources.files.len(), 1);
        assert_eq!(sources.left_out.len(), 5, "{:?}", sources.left_out);
    }

    #[test]
    fn without_the_shape_it_says_so() {
        let error = from_entries(vec![file("src/main.rs")]).expect_err("no day1");
        assert!(error.contains("no day1/"), "{error}");
    }
}
