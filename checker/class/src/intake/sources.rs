//! The students' sources in a submission, found by shape. Nothing else is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use checker::skeleton;
use harness::exercise::{Exercise, Target};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::archive::{self, ArchiveError, Entry, Kind, NEVER};
use super::layout::{Layout, escapes};
use super::manifests::{self, Dependencies};

/// The largest source file that is taken, in bytes.
pub(super) const FILE_LIMIT: usize = 1 << 20;
/// How much is taken of one submission, in bytes.
const SUBMISSION_LIMIT: usize = 4 << 20;
/// More folders with a `day1` than these are not compared.
const MOST_ROOTS: usize = 4;
/// How many archives may lie inside of each other, the outermost not counted.
const NESTED: usize = 2;
/// How many entries that were left out are listed.
const LISTED: usize = 40;

#[derive(Debug, Error)]
pub(crate) enum SourcesError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("there is no day1/<exercise>/src/*.rs and no <exercise>/src/*.rs in it")]
    NoShape,
    #[error("there is no day1/{0}/src/*.rs, no {0}/src/*.rs and no lone main.rs in it")]
    NoExercise(Exercise),
    #[error("it has several folders with exercises: {}; hand in one", .0.join(" and "))]
    SeveralRoots(Vec<String>),
    #[error("nothing in it can be taken: {0}")]
    NothingTaken(String),
}

/// The sources of one submission without their text.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sources {
    /// Paths below the workspace, as `day1/echo/src/main.rs`.
    pub(crate) paths: BTreeSet<String>,
    /// The entries that were not read, with reasons.
    pub(crate) left_out: Vec<String>,
    /// The dependencies of the exercises' manifests, by the name of the exercise.
    #[serde(default)]
    pub(crate) manifests: BTreeMap<String, Dependencies>,
    /// A hash of paths, texts and dependencies.
    pub(crate) content: String,
}

impl Sources {
    /// The exercises that have at least one file.
    pub(crate) fn exercises(&self) -> BTreeSet<Exercise> {
        let folders = self.paths.iter().filter_map(|path| path.split('/').nth(1));
        folders.filter_map(Exercise::named).collect()
    }
}

/// Texts by path below the workspace.
pub(super) type Texts = BTreeMap<String, Vec<u8>>;

/// Reads the sources of a submission, or of the only archive in it, which is copied into `folder`.
pub(super) fn collect(
    path: &Path,
    folder: &Path,
    only: Option<Exercise>,
) -> Result<(Sources, Texts), SourcesError> {
    let mut collected = collect_from(path, only);
    let mut outer = path.to_path_buf();
    for _ in 0..NESTED {
        if !matches!(collected, Err(SourcesError::NoShape | SourcesError::NoExercise(_))) {
            break;
        }
        let Some(inner) = archive::inner(&outer, folder)? else { break };
        collected = collect_from(&inner, only);
        outer = inner;
    }
    collected
}

/// Reads the sources: once through the names, once through the contents of those that are taken.
fn collect_from(path: &Path, only: Option<Exercise>) -> Result<(Sources, Texts), SourcesError> {
    let mut entries = Vec::new();
    archive::visit(path, &mut |_, entry, _| {
        entries.push(entry);
        Ok(())
    })?;
    let layout = Layout::of(&entries, only);
    let roots = roots(&entries, &layout);
    let (root, skipped) = match (&roots[..], only) {
        ([], None) => return Err(SourcesError::NoShape),
        ([], Some(only)) => return Err(SourcesError::NoExercise(only)),
        ([root], _) => (root, Vec::new()),
        _ => pick_root(path, &entries, &layout, &roots)?,
    };
    let Contents { texts, mut left_out, manifests } = read(path, &entries, &layout, root)?;
    left_out.splice(0..0, skipped);
    let more = left_out.len().saturating_sub(LISTED);
    left_out.truncate(LISTED);
    if more > 0 {
        left_out.push(format!("and {more} more"));
    }
    if texts.is_empty() {
        return Err(SourcesError::NothingTaken(left_out.join("; ")));
    }
    let (paths, content) = (texts.keys().cloned().collect(), hash(&texts, &manifests));
    let sources = Sources { paths, left_out, manifests, content };
    Ok((sources, texts))
}

/// The folders of the submission that hold exercises, the shallowest first. If one is a `day1`, the
/// others are not the student's.
fn roots(entries: &[Entry], layout: &Layout) -> Vec<String> {
    let roots: BTreeSet<String> =
        entries.iter().filter_map(|entry| Some(layout.place(&entry.path)?.0)).collect();
    let mut roots: Vec<String> = roots.into_iter().collect();
    let is_day1 = |root: &String| root.rsplit('/').next() == Some("day1");
    if roots.iter().any(is_day1) {
        roots.retain(is_day1);
    }
    roots.sort_by_key(|root| root.split('/').count());
    roots
}

/// Picks the only root that is no untouched skeleton, with a remark on each of the others. Fails if
/// several were worked on.
fn pick_root<'a>(
    path: &Path,
    entries: &[Entry],
    layout: &Layout,
    roots: &'a [String],
) -> Result<(&'a String, Vec<String>), SourcesError> {
    let name = |root: &String| match root.as_str() {
        "" => "the outermost".to_string(),
        root => root.to_string(),
    };
    let several = |roots: &[&String]| {
        SourcesError::SeveralRoots(roots.iter().map(|root| name(root)).collect())
    };
    if roots.len() > MOST_ROOTS {
        return Err(several(&roots[..MOST_ROOTS].iter().collect::<Vec<_>>()));
    }
    let mut touched = Vec::new();
    for root in roots {
        if !is_skeleton(&read(path, entries, layout, root)?.texts) {
            touched.push(root);
        }
    }
    let root = match touched[..] {
        [] => &roots[0],
        [root] => root,
        _ => return Err(several(&touched)),
    };
    let others = roots.iter().filter(|other| *other != root);
    let remark =
        |other| format!("{}: the untouched skeleton; graded is {}", name(other), name(root));
    Ok((root, others.map(remark).collect()))
}

/// Returns whether these are the files that a student begins with.
fn is_skeleton(texts: &Texts) -> bool {
    texts.iter().all(|(path, bytes)| {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
        Exercise::ALL.into_iter().any(|exercise| {
            *path == exercise.source(Target::Day1) && text == skeleton::of(exercise)
        })
    })
}

/// The files that are read below a root.
struct Contents {
    texts: Texts,
    left_out: Vec<String>,
    manifests: BTreeMap<String, Dependencies>,
}

/// Reads the sources and the manifests below this root.
fn read(
    path: &Path,
    entries: &[Entry],
    layout: &Layout,
    root: &str,
) -> Result<Contents, SourcesError> {
    let (chosen, mut left_out) = choose(entries, layout, root);
    let mut texts = Texts::new();
    let mut manifests = BTreeMap::new();
    let mut taken = 0;
    archive::visit(path, &mut |index, entry, content| {
        let manifest = manifests::place(&entry.path).filter(|(its, _)| its == root);
        if let (Some((_, exercise)), Kind::File) = (manifest, &entry.kind) {
            let mut text = String::new();
            let read = content.take(manifests::LIMIT as u64).read_to_string(&mut text);
            match read.map(|_| manifests::dependencies(&text)) {
                Ok(Ok(dependencies)) => {
                    manifests.insert(exercise.name().to_string(), dependencies);
                }
                _ => left_out.push(format!("{}: no manifest that cargo reads", entry.path)),
            }
            return Ok(());
        }
        let Some(place) = chosen.get(&index) else { return Ok(()) };
        if taken == SUBMISSION_LIMIT {
            left_out.push(format!("{}: more than {SUBMISSION_LIMIT} bytes in all", entry.path));
            return Ok(());
        }
        // The size that an archive names need not be true, so bytes are counted.
        let room = FILE_LIMIT.min(SUBMISSION_LIMIT - taken);
        let mut bytes = Vec::new();
        content.take(room as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() <= room {
            taken += bytes.len();
            texts.insert(place.clone(), bytes);
        } else if room == FILE_LIMIT {
            left_out.push(format!("{}: more than {FILE_LIMIT} bytes", entry.path));
        } else {
            left_out.push(format!("{}: more than {SUBMISSION_LIMIT} bytes in all", entry.path));
        }
        Ok(())
    })?;
    Ok(Contents { texts, left_out, manifests })
}

fn hash(texts: &Texts, manifests: &BTreeMap<String, Dependencies>) -> String {
    let mut hash = Sha256::new();
    for (path, bytes) in texts {
        hash.update(format!("{path}\0{}\0", bytes.len()));
        hash.update(bytes);
    }
    hash.update(format!("{manifests:?}"));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Indices of entries, with the path below the workspace that each is put at.
type Chosen = BTreeMap<usize, String>;

fn choose(entries: &[Entry], layout: &Layout, root: &str) -> (Chosen, Vec<String>) {
    let places = entries.iter().map(|entry| layout.place(&entry.path));
    let mut left_out = Vec::new();
    let mut by_path: BTreeMap<String, usize> = BTreeMap::new();
    for (index, (entry, place)) in entries.iter().zip(places).enumerate() {
        let path = &entry.path;
        let place = place.filter(|(its, _)| *its == root).map(|(_, place)| place);
        match (&entry.kind, place) {
            (_, None) if is_ignored(path) => {}
            (Kind::File, None) if manifests::place(path).is_some_and(|(its, _)| its == root) => {}
            (_, None) if escapes(path) => {
                left_out.push(format!("{path}: its path leads out of the submission"));
            }
            (Kind::Link(to), _) => left_out.push(format!("{path}: a link, to {to}")),
            (Kind::Other(why), _) => left_out.push(format!("{path}: {why}")),
            (Kind::File, None) => {
                left_out.push(format!("{path}: {}", layout.reason(path)));
            }
            (Kind::File, Some(place)) => {
                if by_path.insert(place, index).is_some() {
                    left_out.push(format!("{path}: twice in the archive, the last one counts"));
                }
            }
        }
    }
    // No file system has a file and a folder of one name.
    let files: BTreeSet<String> = by_path.keys().cloned().collect();
    by_path.retain(|place, index| {
        let above = place.match_indices('/').map(|(end, _)| &place[..end]);
        let file = above.into_iter().find(|folder| files.contains(*folder));
        if let Some(file) = file {
            left_out.push(format!("{}: {file} is a file", entries[*index].path));
        }
        file.is_none()
    });
    (by_path.into_iter().map(|(place, index)| (index, place)).collect(), left_out)
}

/// Returns whether every system or tool leaves such entries behind, so that none needs a remark.
fn is_ignored(path: &str) -> bool {
    path.split('/').any(|part| NEVER.contains(&part) || [".DS_Store", "Thumbs.db"].contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Entry {
        Entry { path: path.to_string(), kind: Kind::File }
    }

    fn chosen(entries: &[Entry]) -> (Vec<String>, Vec<String>) {
        let (chosen, left_out) =
            choose(entries, &Layout::default(), &roots(entries, &Layout::default())[0]);
        (chosen.into_values().collect(), left_out)
    }

    #[test]
    fn the_shape_is_found_a_level_deeper() {
        let entries = [file("ada-main/day1/echo/src/main.rs"), file("ada-main/day1/echo/build.rs")];
        let (chosen, left_out) = chosen(&entries);
        assert_eq!(chosen, ["day1/echo/src/main.rs"]);
        assert_eq!(left_out, ["ada-main/day1/echo/build.rs: not of day1/*/src/**/*.rs"]);
    }

    #[test]
    fn no_path_leads_out() {
        let link = Kind::Link("/etc/passwd".to_string());
        let entries = [
            file("../day1/echo/src/a.rs"),
            file("/day1/echo/src/b.rs"),
            file("day1/echo/src/../../c.rs"),
            file("C:/day1/echo/src/d.rs"),
            Entry { path: "day1/echo/src/passwd.rs".to_string(), kind: link },
            file("day1/echo/src/main.rs"),
        ];
        let (chosen, left_out) = chosen(&entries);
        assert_eq!((chosen.len(), left_out.len()), (1, 5), "{left_out:?}");
    }

    #[test]
    fn a_file_and_a_folder_of_one_name_leave_the_file() {
        let entries = [
            file("day1/echo/src/main.rs/a.rs"),
            file("day1/echo/src/main.rs"),
            file(&format!("day1/echo/src/{}.rs", "a".repeat(300))),
        ];
        let (chosen, left_out) = chosen(&entries);
        assert_eq!(chosen, ["day1/echo/src/main.rs"]);
        assert_eq!(left_out.len(), 2, "{left_out:?}");
    }

    #[test]
    fn an_untouched_copy_stands_back_and_two_finished_ones_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |root: &str, text: &str| {
            let file = folder.path().join(root).join("day1/echo/src/main.rs");
            std::fs::create_dir_all(file.parent().expect("it has one")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        };
        put("backup", &skeleton::of(Exercise::Echo).replace('\n', "\r\n"));
        put("project", "fn main() {}");
        let (sources, texts) = collect_from(folder.path(), None).expect("one is finished");
        assert_eq!(texts["day1/echo/src/main.rs"], b"fn main() {}");
        let remark = "backup/day1: the untouched skeleton; graded is project/day1";
        assert_eq!(sources.left_out[0], remark);
        put("second", "fn main() { }");
        let refused = collect_from(folder.path(), None)
            .map(|_| ())
            .expect_err("two are finished")
            .to_string();
        assert!(refused.contains("project/day1 and second/day1"), "{refused}");
    }

    #[test]
    fn a_submission_without_the_shape_is_refused() {
        assert!(roots(&[file("src/main.rs")], &Layout::default()).is_empty());
    }
}
