//! Which programs were seen to be right when they were no longer young.
//!
//! A server that is right only in its first second is found by a check that waits for longer than that. Of the same
//! program this need not be seen twice: who grades again what has not changed, or changed in its comments only, or was
//! changed back, is spared the wait, and nothing else.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::{Digest, Sha1};

use crate::store;

const FILE: &str = "ages.json";

/// A program, and whether it has been waited for before.
#[derive(Debug, Clone)]
pub struct UptimeCache {
    digest: String,
    seen: bool,
}

impl UptimeCache {
    /// Of the program that is at this path now; `None` if it can't be read. It is known not by its time, which is new
    /// whenever cargo builds, but by its bytes, which are the same if nothing that is compiled has changed.
    pub fn of(path: &Path) -> Option<Self> {
        let mut hasher = Sha1::new();
        let mut file = File::open(path).ok()?;
        // Read whole, its memory would cost more than its digest.
        let mut part = vec![0; 64 << 10];
        loop {
            match file.read(&mut part).ok()? {
                0 => break,
                length => hasher.update(&part[..length]),
            }
        }
        let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(UptimeCache { seen: digests().contains(&digest), digest })
    }

    /// Whether this program has been seen to be right after its first second.
    pub fn seen(&self) -> bool {
        self.seen
    }

    /// Remembers that it has.
    ///
    /// # Errors
    /// When `target/checker/` can't be written.
    pub fn remember(&self) -> io::Result<()> {
        let mut digests = digests();
        digests.insert(self.digest.clone());
        store::write(FILE, &digests)
    }
}

fn digests() -> BTreeSet<String> {
    store::read(FILE)
}
