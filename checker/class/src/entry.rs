//! What a submission is made of, whether it lies in a folder or in an archive: a stream of entries.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest source file that is taken, in bytes.
pub(crate) const FILE_LIMIT: u64 = 1 << 20;
/// How much an archive may hold unpacked, in bytes; what follows is not read.
const ARCHIVE_LIMIT: u64 = 256 << 20;
/// How many entries of a submission are looked at.
pub(crate) const ENTRIES: usize = 20_000;
/// Folders in which nobody's own sources lie.
const NEVER: [&str; 4] = ["target", ".git", "node_modules", "__MACOSX"];

/// One thing in a submission.
pub(crate) struct Entry {
    /// Its path as the submission has it, with `/` between the parts.
    pub(crate) path: String,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// A file that may be wanted, whole.
    File(Vec<u8>),
    /// A file that is not wanted, whatever is in it.
    Unread,
    /// A file of more than [`FILE_LIMIT`] bytes.
    TooLarge(u64),
    /// A link, to what it says.
    Link(String),
}

/// Everything in a folder, a `.zip` or a `.tar.gz`.
///
/// # Errors
/// What keeps it from being read, in words.
pub(crate) fn entries(path: &Path) -> Result<Vec<Entry>, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let mut entries = Vec::new();
    let read = if path.is_dir() {
        folder(path, "", &mut entries)
    } else if name.ends_with(".zip") {
        zip(path, &mut entries)
    } else if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
        tar(path, &mut entries)
    } else {
        return Err("it is neither a folder nor a .zip or .tar.gz".to_string());
    };
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    if entries.len() >= ENTRIES {
        return Err(format!("it has more than {ENTRIES} entries"));
    }
    Ok(entries)
}

/// Whether the students' sources are worth reading here: only what ends in `.rs` below a `src`.
fn wanted(path: &str) -> bool {
    path.ends_with(".rs")
        && path.contains("src/")
        && !path.split('/').any(|part| NEVER.contains(&part))
}

fn take(path: String, size: u64, from: impl Read) -> io::Result<Entry> {
    if !wanted(&path) {
        return Ok(Entry { path, content: Content::Unread });
    }
    // What an archive says about sizes is its author's word only.
    let mut bytes = Vec::new();
    from.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
    let read = bytes.len() as u64;
    let content =
        if read > FILE_LIMIT { Content::TooLarge(size.max(read)) } else { Content::File(bytes) };
    Ok(Entry { path, content })
}

fn folder(folder: &Path, prefix: &str, entries: &mut Vec<Entry>) -> io::Result<()> {
    let mut children: Vec<_> = std::fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    children.sort_by_key(std::fs::DirEntry::file_name);
    for child in children {
        if entries.len() >= ENTRIES {
            break;
        }
        let name = child.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let kind = child.file_type()?;
        if kind.is_symlink() {
            let to = std::fs::read_link(child.path())?.to_string_lossy().into_owned();
            entries.push(Entry { path, content: Content::Link(to) });
        } else if kind.is_dir() {
            if !NEVER.contains(&name.as_str()) {
                self::folder(&child.path(), &path, entries)?;
            }
        } else if kind.is_file() {
            let size = child.metadata()?.len();
            entries.push(match wanted(&path) {
                true => take(path, size, File::open(child.path())?)?,
                false => Entry { path, content: Content::Unread },
            });
        } else {
            // A pipe or a device: opening it may wait for ever.
            entries.push(Entry { path, content: Content::Unread });
        }
    }
    Ok(())
}

fn zip(path: &Path, entries: &mut Vec<Entry>) -> io::Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(path)?).map_err(io::Error::other)?;
    for index in 0..archive.len().min(ENTRIES) {
        let file = archive.by_index(index).map_err(io::Error::other)?;
        let name = file.name().map_err(io::Error::other)?.replace('\\', "/");
        if file.is_dir() {
            continue;
        }
        if file.is_symlink() {
            let mut to = String::new();
            file.take(4096).read_to_string(&mut to)?;
            entries.push(Entry { path: name, content: Content::Link(to) });
            continue;
        }
        let size = file.size();
        entries.push(take(name, size, file)?);
    }
    Ok(())
}

fn tar(path: &Path, entries: &mut Vec<Entry>) -> io::Result<()> {
    let unpacked = flate2::read::MultiGzDecoder::new(File::open(path)?).take(ARCHIVE_LIMIT);
    let mut archive = tar::Archive::new(unpacked);
    for file in archive.entries()? {
        if entries.len() >= ENTRIES {
            break;
        }
        let file = file?;
        let name = String::from_utf8_lossy(&file.path_bytes()).into_owned();
        let kind = file.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            let to = file
                .link_name_bytes()
                .map(|to| String::from_utf8_lossy(&to).into_owned())
                .unwrap_or_default();
            entries.push(Entry { path: name, content: Content::Link(to) });
        } else if kind.is_file() {
            let size = file.size();
            entries.push(take(name, size, file)?);
        }
    }
    Ok(())
}
