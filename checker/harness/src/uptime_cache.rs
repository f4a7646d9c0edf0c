//! Caches which programs have passed a check after the minimum uptime.
//!
//! Some faults show only after the first second, so checks wait for that long. The same program is
//! waited for once. A program that is unchanged, changed in its comments only, or changed back, is
//! graded again without the wait.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::{Digest, Sha1};

use crate::store;

const FILE: &str = "ages.json";

/// The cache entry of a program.
#[derive(Debug, Clone)]
pub struct UptimeCache {
    digest: String,
    seen: bool,
}

impl UptimeCache {
    /// Looks up the program at this path; `None` if it can't be read. The key is a digest of its
    /// bytes: cargo renews the modification time at each build, but equal code gives equal bytes.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let mut hasher = Sha1::new();
        let mut file = File::open(path).ok()?;
        // In parts: memory for the whole program would cost more time than its digest.
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

    /// Returns whether this program has passed after the minimum uptime.
    pub fn seen(&self) -> bool {
        self.seen
    }

    /// Stores that this program has passed.
    pub(crate) fn remember(&self) -> io::Result<()> {
        let mut digests = digests();
        digests.insert(self.digest.clone());
        store::write(FILE, &digests)
    }
}

fn digests() -> BTreeSet<String> {
    store::read(FILE)
}
