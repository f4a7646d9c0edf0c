//! Tells requests that are meant for this machine from those that a foreign page sends.
//!
//! Every page that a browser has open can send requests to a local port. `Origin` names the page.
//! A foreign name that is made to lead here (DNS rebinding) shows in `Host`.

use std::net::IpAddr;

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

#[cfg(unix)]
fn machine_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

#[cfg(not(unix))]
fn machine_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}
