//! Finds listening sockets and free ports.
//!
//! A ready line may name the port of another process, which would then be graded in place of the
//! server. Linux lists the listening sockets; other systems are not asked.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{TcpSocket, TcpStream};

use super::OWN_PORTS;

/// A snapshot of the listening TCP sockets: their ports and inodes.
#[derive(Debug, Default)]
pub(super) struct Listening(BTreeSet<(u16, u64)>);

impl Listening {
    /// Takes a snapshot. It is empty on other systems than Linux.
    pub(super) fn now() -> Self {
        #[cfg(target_os = "linux")]
        return Listening(diag::listening().unwrap_or_else(|_| table::listening()));
        #[cfg(not(target_os = "linux"))]
        Listening::default()
    }

    /// Returns the inodes of the sockets on this port.
    pub(super) fn on(&self, port: u16) -> BTreeSet<u64> {
        self.0.iter().filter(|(its, _)| *its == port).map(|(_, inode)| *inode).collect()
    }
}

/// Returns true if a socket that listens on this port was already in the snapshot.
///
/// The owner of a socket may be invisible, as with a container, so a new socket counts as the
/// server's.
pub(super) fn was_open_before(port: u16, before: &Listening) -> bool {
    let old = before.on(port);
    let now = Listening::now().on(port);
    // With `SO_REUSEPORT` two processes may listen on one port, and either may accept a client.
    !old.is_disjoint(&now)
}

/// Finds a free port in [`OWN_PORTS`].
pub(super) fn free_port() -> Option<u16> {
    // A random start, since other checkers on this machine search the same range.
    let first = rand::random_range(OWN_PORTS);
    (first..OWN_PORTS.end).chain(OWN_PORTS.start..first).find(|port| is_free(*port))
}

/// Returns true if a server can listen on this port of the loopback address. The probe does not set
/// `SO_REUSEADDR`, since a server may not set it. A port with connections in TIME_WAIT is not free.
pub(super) fn is_free(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpSocket::new_v4().is_ok_and(|socket| socket.bind(address).is_ok())
}

/// Returns the first of these ports of the loopback address that accepts a connection; `None` if
/// none does within a second. A server may print its ready line a moment before it listens.
pub(super) async fn first_to_accept(ports: [u16; 2]) -> Option<u16> {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let since = Instant::now();
    while since.elapsed() < TIMEOUT {
        for port in ports {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                return Some(port);
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

/// Lists the listening sockets through netlink (`man 7 sock_diag`), as `ss -ltn` does. The kernel
/// visits only these, which takes microseconds. The table of all connections takes milliseconds.
#[cfg(target_os = "linux")]
mod diag {
    use std::collections::BTreeSet;
    use std::io;
    use std::os::fd::{AsRawFd, RawFd};

    use nix::sys::socket::{
        AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
    };

    /// `struct nlmsghdr`: length, type, flags, sequence number, port.
    const HEADER: usize = 16;
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    /// `NLM_F_REQUEST | NLM_F_DUMP`
    const DUMP: u16 = 0x301;
    const DONE: u16 = 3;
    /// The size of `struct inet_diag_req_v2`. Its last 48 bytes select a socket; zeros select all.
    const REQUEST: usize = 56;
    const IPPROTO_TCP: u8 = 6;
    /// A bit mask of TCP states: `TCP_LISTEN` is 10.
    const LISTENING: u32 = 1 << 10;
    /// The offsets of the port, in big-endian, and of the inode in a message with `struct
    /// inet_diag_msg`.
    const PORT: usize = HEADER + 4;
    const INODE: usize = HEADER + 68;

    pub(super) fn listening() -> io::Result<BTreeSet<(u16, u64)>> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkSockDiag,
        )?;
        let mut found = BTreeSet::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            send(socket.as_raw_fd(), &request(family as u8), MsgFlags::empty())?;
            while read_messages(socket.as_raw_fd(), &mut found)? {}
        }
        Ok(found)
    }

    fn request(family: u8) -> Vec<u8> {
        let length = u32::try_from(HEADER + REQUEST).unwrap_or_default();
        let mut request = Vec::with_capacity(HEADER + REQUEST);
        request.extend(length.to_ne_bytes());
        request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        request.extend(DUMP.to_ne_bytes());
        request.extend([0; 8]);
        request.extend([family, IPPROTO_TCP, 0, 0]);
        request.extend(LISTENING.to_ne_bytes());
        request.resize(HEADER + REQUEST, 0);
        request
    }

    /// Reads one datagram of messages. Returns true if more follow.
    fn read_messages(socket: RawFd, found: &mut BTreeSet<(u16, u64)>) -> io::Result<bool> {
        let mut buffer = [0; 32 * 1024];
        let length = recv(socket, &mut buffer, MsgFlags::empty())?;
        let mut rest = &buffer[..length];
        while let Some((message, after)) = split_first(rest) {
            match u16::from_ne_bytes([message[4], message[5]]) {
                SOCK_DIAG_BY_FAMILY if message.len() >= INODE + 4 => {
                    let port = u16::from_be_bytes([message[PORT], message[PORT + 1]]);
                    let inode = message[INODE..INODE + 4]
                        .try_into()
                        .map(u32::from_ne_bytes)
                        .unwrap_or_default();
                    found.insert((port, inode.into()));
                }
                DONE => return Ok(false),
                other => {
                    return Err(io::Error::other(format!(
                        "sock_diag sent a message of type {other}"
                    )));
                }
            }
            rest = after;
        }
        Ok(length > 0)
    }

    /// Splits off the first message. The next one starts at a multiple of four.
    fn split_first(messages: &[u8]) -> Option<(&[u8], &[u8])> {
        let length: usize =
            u32::from_ne_bytes(messages.get(..4)?.try_into().ok()?).try_into().ok()?;
        let message = messages.get(..length).filter(|message| message.len() >= HEADER)?;
        Some((message, messages.get(length.next_multiple_of(4)..).unwrap_or_default()))
    }
}

/// Reads the table of all connections: some sandboxes forbid netlink.
#[cfg(target_os = "linux")]
mod table {
    use std::collections::BTreeSet;

    pub(super) fn listening() -> BTreeSet<(u16, u64)> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let texts = tables.iter().filter_map(|table| std::fs::read_to_string(table).ok());
        texts.flat_map(|text| text.lines().filter_map(parse_line).collect::<Vec<_>>()).collect()
    }

    /// Parses the port and the inode of a line, if its socket listens.
    fn parse_line(line: &str) -> Option<(u16, u64)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
        let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
        (*state == "0A").then(|| Some((port, inode.parse().ok()?)))?
    }
}
