//! A folder, a `.zip`, a `.tar` or a `.tar.gz` as a stream of entries.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::sources::FILE_LIMIT;

/// The largest archive that is opened, in bytes: `zip` keeps the whole directory of one in memory.
const ARCHIVE_LIMIT: u64 = 256 << 20;
/// How much of a `.tar.gz` is unpacked, in bytes. The rest is not read.
const STREAM_LIMIT: u64 = 256 << 20;
/// The largest archive that is read inside of another, in bytes.
const INNER_LIMIT: usize = 32 << 20;
/// How many entries a submission may have.
const ENTRIES: usize = 20_000;
/// How many folders deep an entry may lie.
const DEPTH: usize = 32;
/// The longest path that is kept, in bytes.
const PATH_LIMIT: usize = 1024;
/// Folders that hold no sources of a student.
pub(super) const NEVER: [&str; 4] = ["target", ".git", "node_modules", "__MACOSX"];
/// The endings of archives that are read, and of some that are not.
pub(crate) const READ: [&str; 4] = [".zip", ".tar.gz", ".tgz", ".tar"];
const NOT_READ: [&str; 5] = [".7z", ".rar", ".tar.xz", ".tar.bz2", ".gz"];

#[derive(Debug, Error)]
pub(crate) enum ArchiveError {
    #[error("it is neither a folder nor a .zip, .tar or .tar.gz")]
    UnknownKind,
    #[error("a {0} archive is not read; hand in a .zip or .tar.gz")]
    NotRead(&'static str),
    #[error("it holds several archives: {}; hand in one", .0.join(" and "))]
    SeveralArchives(Vec<String>),
    #[error("{0} in it has more than {INNER_LIMIT} bytes")]
    InnerTooLarge(String),
    #[error("it has {0} bytes; an archive may have at most {ARCHIVE_LIMIT}")]
    TooLarge(u64),
    #[error("it has more than {ENTRIES} entries")]
    TooMany,
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("it cannot be read: {0}")]
    Zip(#[from] zip::result::ZipError),
}

/// One entry: its path with `/` between the parts, and what it is.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    File,
    Link(String),
    /// A pipe, a device, or a path too long to keep.
    Other(&'static str),
}

/// Receives each entry with its index and its content. The content of anything but a file is empty.
type Visitor<'a> = dyn FnMut(usize, Entry, &mut dyn Read) -> io::Result<()> + 'a;

/// Passes every entry to `visit`, in the same order each time. Folders are no entries.
pub(super) fn visit(path: &Path, visit: &mut Visitor<'_>) -> Result<(), ArchiveError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut count = 0;
    let mut counted = |entry: Entry, content: &mut dyn Read| {
        if count == ENTRIES {
            return Err(ArchiveError::TooMany);
        }
        count += 1;
        Ok(visit(count - 1, shorten_path(entry), content)?)
    };
    if path.is_dir() {
        return visit_folder(path, "", 0, &mut counted);
    }
    let size = path.metadata()?.len();
    if size > ARCHIVE_LIMIT {
        return Err(ArchiveError::TooLarge(size));
    }
    match ending(&name, &READ) {
        Some(".zip") => visit_zip(path, &mut counted),
        Some(".tar") => visit_tar(File::open(path)?, &mut counted),
        Some(_) => visit_tar(flate2::read::MultiGzDecoder::new(File::open(path)?), &mut counted),
        None => match ending(&name, &NOT_READ) {
            Some(ending) => Err(ArchiveError::NotRead(ending)),
            None => Err(ArchiveError::UnknownKind),
        },
    }
}

fn ending(name: &str, endings: &[&'static str]) -> Option<&'static str> {
    endings.iter().copied().find(|ending| name.ends_with(ending))
}

/// Returns the ending of an archive that can be read, as the last part of this path.
fn archive_ending(path: &str) -> Option<&'static str> {
    let is_ours = !path.split('/').any(|part| NEVER.contains(&part));
    ending(&path.to_lowercase(), &READ).filter(|_| is_ours)
}

/// Copies the only archive inside of a submission into this folder and returns its path; `None` if
/// there is none. Platforms put a student's archive into a folder or an archive of their own.
pub(super) fn inner(outer: &Path, folder: &Path) -> Result<Option<PathBuf>, ArchiveError> {
    let mut found: Vec<(usize, String)> = Vec::new();
    visit(outer, &mut |index, entry, _| {
        if matches!(entry.kind, Kind::File) && archive_ending(&entry.path).is_some() {
            found.push((index, entry.path));
        }
        Ok(())
    })?;
    let (wanted, name) = match found.len() {
        0 => return Ok(None),
        1 => found.swap_remove(0),
        _ => {
            let names = found.into_iter().map(|(_, name)| name).take(4).collect();
            return Err(ArchiveError::SeveralArchives(names));
        }
    };
    let copy = folder.join(format!("inner{}", archive_ending(&name).unwrap_or_default()));
    let mut bytes = Vec::new();
    visit(outer, &mut |index, _, content| {
        if index == wanted {
            content.take(INNER_LIMIT as u64 + 1).read_to_end(&mut bytes)?;
        }
        Ok(())
    })?;
    if bytes.len() > INNER_LIMIT {
        return Err(ArchiveError::InnerTooLarge(name));
    }
    std::fs::write(&copy, bytes)?;
    Ok(Some(copy))
}

fn shorten_path(entry: Entry) -> Entry {
    if entry.path.len() <= PATH_LIMIT {
        return entry;
    }
    let end = (0..=64).rev().find(|end| entry.path.is_char_boundary(*end)).unwrap_or(0);
    Entry { path: format!("{}…", &entry.path[..end]), kind: Kind::Other("its path is too long") }
}

type Counted<'a> = dyn FnMut(Entry, &mut dyn Read) -> Result<(), ArchiveError> + 'a;

fn visit_folder(
    folder: &Path,
    prefix: &str,
    depth: usize,
    visit: &mut Counted<'_>,
) -> Result<(), ArchiveError> {
    let mut children: Vec<_> =
        std::fs::read_dir(folder)?.take(ENTRIES + 1).collect::<io::Result<_>>()?;
    children.sort_by_key(std::fs::DirEntry::file_name);
    for child in children {
        let name = child.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = child.file_type()?;
        if kind.is_dir() {
            if !NEVER.contains(&name.as_str()) && depth < DEPTH {
                visit_folder(&child.path(), &path, depth + 1, visit)?;
            }
        } else if kind.is_symlink() {
            let to = std::fs::read_link(child.path())?.to_string_lossy().into_owned();
            visit(Entry { path, kind: Kind::Link(to) }, &mut io::empty())?;
        } else if kind.is_file() {
            // Opened only when it is read: most files of a checkout are not.
            let mut content = Lazy { path: child.path(), file: None };
            visit(Entry { path, kind: Kind::File }, &mut content)?;
        } else {
            // Opening a pipe or a device may block for ever.
            visit(Entry { path, kind: Kind::Other("no regular file") }, &mut io::empty())?;
        }
    }
    Ok(())
}

struct Lazy {
    path: PathBuf,
    file: Option<File>,
}

impl Read for Lazy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path)?,
        };
        self.file.insert(file).read(buffer)
    }
}

fn visit_zip(path: &Path, visit: &mut Counted<'_>) -> Result<(), ArchiveError> {
    let mut archive = zip::ZipArchive::new(BufReader::new(File::open(path)?))?;
    if archive.len() > ENTRIES {
        return Err(ArchiveError::TooMany);
    }
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index)?;
        let path = file.name()?.replace('\\', "/");
        let (is_dir, is_link) = (file.is_dir(), file.is_symlink());
        drop(file);
        let limit = if archive_ending(&path).is_some() { INNER_LIMIT } else { FILE_LIMIT };
        let mut content = LazyEntry { archive: &mut archive, index, limit, bytes: None };
        if is_link {
            let mut to = Vec::new();
            (&mut content).take(PATH_LIMIT as u64).read_to_end(&mut to)?;
            let to = String::from_utf8_lossy(&to).into_owned();
            visit(Entry { path, kind: Kind::Link(to) }, &mut io::empty())?;
        } else if !is_dir {
            visit(Entry { path, kind: Kind::File }, &mut content)?;
        }
    }
    Ok(())
}

/// The content of an entry of a zip, unpacked when it is read: a decompressor for each of thousands
/// takes seconds.
struct LazyEntry<'a> {
    archive: &'a mut zip::ZipArchive<BufReader<File>>,
    index: usize,
    /// At most this many bytes are unpacked, and one more.
    limit: usize,
    bytes: Option<io::Cursor<Vec<u8>>>,
}

impl Read for LazyEntry<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = match self.bytes.take() {
            Some(bytes) => bytes,
            None => {
                let mut bytes = Vec::new();
                let file = self.archive.by_index(self.index).map_err(io::Error::other)?;
                file.take(self.limit as u64 + 1).read_to_end(&mut bytes)?;
                io::Cursor::new(bytes)
            }
        };
        self.bytes.insert(bytes).read(buffer)
    }
}

fn visit_tar(unpacked: impl Read, visit: &mut Counted<'_>) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(unpacked.take(STREAM_LIMIT));
    for file in archive.entries()? {
        let mut file = file?;
        let path = String::from_utf8_lossy(&file.path_bytes()).into_owned();
        let kind = file.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            let to = file.link_name_bytes().unwrap_or_default();
            let to = String::from_utf8_lossy(&to).into_owned();
            visit(Entry { path, kind: Kind::Link(to) }, &mut io::empty())?;
        } else if kind.is_file() {
            visit(Entry { path, kind: Kind::File }, &mut file)?;
        }
    }
    Ok(())
}
