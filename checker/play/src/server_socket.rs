//! The server's sockets, as the operating system knows them.

use std::net::SocketAddr;

/// Returns true if the server has closed its socket of the connection from `proxy`. Both addresses
/// must be of this machine.
///
/// A FIN waits behind the bytes that the client has not read. So a proxy that reads as slowly as
/// its client receives it late.
#[cfg(target_os = "linux")]
pub(crate) fn is_closed(server: SocketAddr, proxy: SocketAddr) -> bool {
    use procfs::net::{TcpState, tcp, tcp6};
    let (Ok(sockets), Ok(sockets6)) = (tcp(), tcp6()) else { return false };
    // Ports are compared and not addresses: a server on `::` has IPv4 addresses mapped to IPv6.
    !sockets.iter().chain(&sockets6).any(|socket| {
        socket.local_address.port() == server.port()
            && socket.remote_address.port() == proxy.port()
            && matches!(socket.state, TcpState::Established | TcpState::CloseWait)
    })
}

/// Returns false: the page shows the end once the client has read the server's last bytes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_closed(_server: SocketAddr, _proxy: SocketAddr) -> bool {
    false
}
