//! Whose is the socket that a ready line names? On Linux the system tells; elsewhere nobody asks.
//!
//! A leftover of another server, or a line that names somebody else's port, would be graded in place of the server.

use std::collections::BTreeSet;

/// Listening TCP sockets: their ports and inodes.
#[derive(Debug, Default)]
pub(super) struct Listening(BTreeSet<(u16, u64)>);

impl Listening {
    /// Those of now.
    pub(super) fn now() -> Self {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let texts = tables.iter().filter_map(|table| std::fs::read_to_string(table).ok());
        Listening(texts.flat_map(|text| text.lines().filter_map(listening).collect::<Vec<_>>()).collect())
    }

    fn on(&self, port: u16) -> BTreeSet<u64> {
        self.0.iter().filter(|(its, _)| *its == port).map(|(_, inode)| *inode).collect()
    }
}

/// Port and inode of a line of `/proc/net/tcp`, if it is of a listening socket.
fn listening(line: &str) -> Option<(u16, u64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
    let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    (*state == "0A").then(|| Some((port, inode.parse().ok()?)))?
}

/// Whether the port that a server says is its own was somebody else's before it was started.
///
/// Sockets that nobody can be seen to hold, as behind a container, are the server's if they are new.
pub(super) fn is_of_another(port: u16, before: &Listening) -> bool {
    let old = before.on(port);
    let now = Listening::now().on(port);
    // Two may listen on one port (`SO_REUSEPORT`), and then either may be talked to.
    !old.is_disjoint(&now)
}
