//! What each check is worth.

/// The points for passing each check, from 1 (a line of code) to 5 (a thing that experienced people get wrong).
const TABLE: &[(&str, u32)] = &[
    ("echo::handshake", 1),
    ("echo::welcome", 1),
    ("echo::reply", 2),
    ("echo::order", 1),
    ("echo::payloads", 2),
    ("echo::binary", 1),
    ("echo::concurrent", 3),
    ("echo::ping", 1),
    ("echo::close", 2),
    ("echo::abrupt", 2),
    ("echo::violations", 2),
    ("echo::log", 1),
    ("heartbeat::echo", 2),
    ("heartbeat::pings", 3),
    ("heartbeat::steady", 2),
    ("heartbeat::interval", 1),
    ("heartbeat::busy", 3),
    ("heartbeat::alive", 2),
    ("heartbeat::dead", 4),
    ("heartbeat::relapse", 2),
    ("heartbeat::chatter", 2),
    ("heartbeat::neighbours", 2),
    ("heartbeat::stalled", 5),
    ("broadcast::welcome", 1),
    ("broadcast::everyone", 4),
    ("broadcast::order", 2),
    ("broadcast::agreement", 3),
    ("broadcast::latecomer", 2),
    ("broadcast::leaver", 2),
    ("broadcast::crowd", 4),
    ("broadcast::slow", 5),
    ("broadcast::heartbeat", 3),
    ("latency::push", 2),
];

/// The points for passing the check with this id; none for what is no check.
pub fn of(id: &str) -> u32 {
    TABLE.iter().find(|(name, _)| *name == id).map_or(0, |(_, points)| *points)
}
