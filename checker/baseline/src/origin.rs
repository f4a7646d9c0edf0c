//! Tells requests that are meant for this machine from those that a foreign page sends.
//!
//! Every page that a browser has open can send requests to a local port. `Origin` names the page.
//! A foreign name that is made to lead here (DNS rebinding) shows in `Host`.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

/// Returns whether a request with this `Host` is meant for this machine, and comes from a page of
/// the same host or from no page at all.
pub fn is_allowed(host: &str, origin: Option<&str>) -> bool {
    let name = host_name(host);
    let page = |origin: &str| origin.strip_prefix("http://").map(|host| host_name(host) == name);
    let is_address = address(name).is_some();
    (is_address || is_own_name(name)) && origin.is_none_or(|origin| page(origin) == Some(true))
}

/// Returns the host without its port.
pub fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Parses a host name that is an IP address. An address cannot be made to lead elsewhere.
pub fn address(name: &str) -> Option<IpAddr> {
    name.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Returns whether this is `localhost` or the machine's name, in full, without its domain, or as
/// multicast DNS has it.
pub fn is_own_name(name: &str) -> bool {
    let is = |own: &str| name.eq_ignore_ascii_case(own);
    if is("localhost") {
        return true;
    }
    let own = machine_name().unwrap_or_default();
    let first = own.split('.').next().unwrap_or_default();
    !first.is_empty() && (is(&own) || is(first) || is(&format!("{first}.local")))
}

/// Returns the address by which other machines reach this one, if it is in a network.
pub fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // Connecting a UDP socket sends nothing. It selects the interface on the way to this address,
    // which is reserved for documentation (RFC 5737).
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}

#[cfg(unix)]
fn machine_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

#[cfg(not(unix))]
fn machine_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}
