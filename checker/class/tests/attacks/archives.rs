//! Archives that attack the grader while it unpacks them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::common::grader::{Class, Ground, is_root, output_text};
use crate::common::reference;

const MIB: usize = 1 << 20;
const MAIN: &str = "day1/echo/src/main.rs";

fn zip(path: &Path, files: &[(String, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(File::create(path).expect("a file"));
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in files {
        archive.start_file(name.as_str(), options).expect("a name");
        archive.write_all(bytes).expect("written");
    }
    archive.finish().expect("written");
}

/// Writes a zip in which all entries share the data of the first: 1 MiB of zeros each.
fn write_overlapping_zip(path: &Path, count: u16) {
    let zeros = vec![0; MIB];
    let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    deflated.write_all(&zeros).expect("memory");
    let data = deflated.finish().expect("memory");
    let mut crc = flate2::Crc::new();
    crc.update(&zeros);
    let length = |bytes: usize| u32::try_from(bytes).expect("small");
    // Version, flags, method (8: deflate), time, date, checksum, sizes.
    let common = |out: &mut Vec<u8>| {
        for field in [20_u16, 0, 8, 0, 0x21] {
            out.extend(field.to_le_bytes());
        }
        for field in [crc.sum(), length(data.len()), length(MIB)] {
            out.extend(field.to_le_bytes());
        }
    };
    let mut out = b"PK\x03\x04".to_vec();
    common(&mut out);
    out.extend([1_u16, 0].map(u16::to_le_bytes).concat());
    out.push(b'a');
    out.extend(&data);
    let directory = out.len();
    for number in 0..count {
        let name = format!("day1/echo/src/a{number}.rs");
        out.extend(b"PK\x01\x02\x14\x00");
        common(&mut out);
        out.extend(u16::try_from(name.len()).expect("short").to_le_bytes());
        // Extra, comment, disk, attributes, and the place of the one local header.
        out.extend([0; 16]);
        out.extend(name.as_bytes());
    }
    let size = out.len() - directory;
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].map(u16::to_le_bytes).concat());
    out.extend([length(size), length(directory)].map(u32::to_le_bytes).concat());
    out.extend([0; 2]);
    std::fs::write(path, out).expect("a file");
}

fn tar_gz(path: &Path, write: impl FnOnce(&mut tar::Builder<flate2::write::GzEncoder<File>>)) {
    let file = File::create(path).expect("a file");
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
    write(&mut archive);
    archive.into_inner().expect("written").finish().expect("written");
}

fn header(kind: tar::EntryType, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size as u64);
    header.set_mode(0o644);
    header
}

fn append(archive: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) {
    let mut header = header(tar::EntryType::Regular, bytes.len());
    archive.append_data(&mut header, name, bytes).expect("written");
}

/// Returns the memory without a file of a grader and its descendants, in bytes. Compilers and
/// servers are programs of another name, with limits of their own.
fn grader_memory(first: u32) -> u64 {
    let mut children: BTreeMap<u32, Vec<(u32, u64)>> = BTreeMap::new();
    for process in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(id) = process.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let status = std::fs::read_to_string(process.path().join("status")).unwrap_or_default();
        let text = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()
        };
        let field = |name: &str| text(name)?.parse::<u64>().ok();
        let kib = match text("Name:") {
            Some("class") => field("RssAnon:").unwrap_or(0) + field("RssShmem:").unwrap_or(0),
            _ => 0,
        };
        let parent = field("PPid:").and_then(|parent| parent.try_into().ok()).unwrap_or(0);
        children.entry(parent).or_default().push((id, kib * 1024));
    }
    let own =
        children.values().flatten().find(|(id, _)| *id == first).map_or(0, |(_, bytes)| *bytes);
    let (mut sum, mut next) = (own, vec![first]);
    while let Some(id) = next.pop() {
        for (child, bytes) in children.get(&id).into_iter().flatten() {
            sum += bytes;
            next.push(*child);
        }
    }
    sum
}

/// A gzip member of these bytes. Members that follow each other are one stream.
fn member(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).expect("memory");
    gzip.finish().expect("memory")
}

/// The header of an entry, as bytes.
fn head(kind: tar::EntryType, name: &str, size: usize) -> Vec<u8> {
    let mut header = header(kind, size);
    header.set_path(name).expect("a short name");
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A zip of one entry, many times under other names.
fn write_repeated_zip(path: &Path, count: usize) {
    let first = path.with_extension("first");
    zip(&first, &[("a".to_string(), vec![0; MIB])]);
    let mut source = zip::ZipArchive::new(File::open(&first).expect("a file")).expect("a zip");
    let mut archive = zip::ZipWriter::new(File::create(path).expect("a file"));
    for number in 0..count {
        let entry = source.by_index_raw(0).expect("an entry");
        let name = format!("day1/echo/src/a{number}.rs");
        archive.raw_copy_file_rename(entry, name.as_str()).expect("written");
    }
    archive.finish().expect("written");
    std::fs::remove_file(first).expect("its own");
}

fn bombs(folder: &Path) {
    write_overlapping_zip(&folder.join("overlapping.zip"), 3_000);
    write_repeated_zip(&folder.join("plain.zip"), 6_200);
    let source = [head(tar::EntryType::Regular, MAIN, 0), vec![0; 1024]].concat();
    let name = [
        member(&head(tar::EntryType::GNULongName, "././@LongLink", 60 * MIB)),
        member(&[b'a'; MIB]).repeat(60),
        member(&source),
    ];
    std::fs::write(folder.join("long-name.tar.gz"), name.concat()).expect("a file");
    let large = [
        member(&head(tar::EntryType::Regular, MAIN, 2000 * MIB)),
        member(&vec![0; MIB]).repeat(2000),
    ];
    std::fs::write(folder.join("large.tar.gz"), large.concat()).expect("a file");
    let many = member(&head(tar::EntryType::Regular, "day1/echo/src/a.rs", 0)).repeat(30_000);
    std::fs::write(folder.join("many.tar.gz"), many).expect("a file");
    std::fs::write(folder.join("torn.zip"), b"PK\x03\x04 and no more").expect("a file");
    std::fs::write(folder.join("torn.tar.gz"), [0x1f, 0x8b, 8, 0]).expect("a file");
}

#[test]
fn every_bomb_at_once_takes_less_than_300_mib_and_no_neighbour_notices() {
    let class = Class::new(Ground { level: "bubblewrap", root: is_root() });
    bombs(&class.submissions());
    // The comparison runs over the tokens of a program.
    let nested = format!("fn main() {{ {}{} }}", "(".repeat(60_000), ")".repeat(60_000));
    class.put("nested", &nested);
    class.put_right("zz-the-next");
    let mut command = class.command();
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().expect("it runs");
    let (id, over, most) = (child.id(), AtomicBool::new(false), AtomicU64::new(0));
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(grader_memory(id), Ordering::Relaxed);
            }
        });
        let output = child.wait_with_output().expect("it ends");
        over.store(true, Ordering::Relaxed);
        output
    });
    let most = most.load(Ordering::Relaxed) >> 20;
    eprintln!("{most} MiB\n{}", output_text(&output));
    assert!(most < 300, "{most} MiB");
    for name in ["overlapping", "plain", "long-name", "large", "many", "torn", "torn-2", "nested"] {
        let result = class.result(name);
        assert_eq!(result["points"], 0, "{name}: {}", result["reason"]);
    }
    let length = std::fs::metadata(class.out().join("results.json")).expect("a file").len();
    assert!(length < 4 * MIB as u64, "results.json has {length} bytes");
    class.assert_right("zz-the-next");
}

#[test]
fn names_cost_no_neighbour_its_result_and_print_nothing_raw() {
    let mut class = Class::new(Ground { level: "bubblewrap", root: is_root() });
    let folder = class.submissions();
    let main = (MAIN.to_string(), reference("echo").into_bytes());
    let nasty = "x\u{1b}[2J\n::add-mask::y\u{202e}.rs";
    let strange = |name: &str| (format!("day1/echo/src/{name}"), b"fn f() {}".to_vec());
    // The names of the files of a class.
    class.put("run.json", "fn main() {}");
    class.put("results.json", "fn main() { }");
    class.put("index.html", "fn main() {  }");
    // Two archives and a folder of one name.
    zip(&folder.join("twice.zip"), &[main.clone(), strange("a.rs")]);
    tar_gz(&folder.join("twice.tar.gz"), |archive| append(archive, MAIN, b"fn main() {   }"));
    class.put("twice", "fn main() {    }");
    // A file and a folder of one name, and a name that no file system holds.
    let parts =
        [main.clone(), strange("main.rs/a.rs"), strange(&format!("{}.rs", "a".repeat(300)))];
    zip(&folder.join("parts.zip"), &parts);
    zip(&folder.join("nasty.zip"), &[main, strange(nasty), (nasty.to_string(), vec![])]);
    zip(&folder.join("only-nasty.zip"), &[strange(nasty), (nasty.to_string(), vec![])]);
    class.put(&nasty.replace('/', "_"), "fn main() {      }");
    class.args = ["github-annotations", "github-summary", "gradescope", "junit"]
        .iter()
        .flat_map(|format| ["--format".into(), format.into()])
        .collect();
    let output = class.grade();
    assert!(output.status.code().is_some_and(|code| code == 0), "{}", output_text(&output));
    for name in ["run.json", "results.json", "index.html", "twice", "twice-2", "twice-3"] {
        assert_eq!(class.result(name)["status"], "graded", "{name}");
    }
    for name in ["parts", "nasty"] {
        class.assert_right(name);
        assert_eq!(class.result(name)["left_out"].as_array().map(Vec::len), Some(2), "{name}");
    }
    let mut texts = vec![("the terminal".to_string(), output_text(&output))];
    for entry in std::fs::read_dir(class.out().join("submissions")).expect("results").flatten() {
        for file in std::fs::read_dir(entry.path()).expect("a folder").flatten() {
            let text = std::fs::read_to_string(file.path()).expect("text");
            texts.push((file.path().display().to_string(), text));
        }
    }
    for (place, text) in texts {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{place}: {text}");
        let is_command = |line: &str| line.trim_start().starts_with("::add-mask");
        assert!(!text.lines().any(is_command), "{place}: {text}");
    }
}
