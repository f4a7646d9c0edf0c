//! What each check is worth, in whole points.

/// The points for passing this check, 1 to 5; 0 for what is no check.
pub fn of(id: &str) -> u32 {
    match id {
        "echo::handshake" | "echo::welcome" | "echo::binary" | "echo::ping" => 1,
        "echo::reply" | "echo::order" | "echo::payloads" | "echo::close" | "echo::abrupt" | "echo::log" => 2,
        "echo::concurrent" | "echo::violations" => 3,
        "heartbeat::echo" | "heartbeat::interval" | "heartbeat::alive" => 2,
        "heartbeat::pings" | "heartbeat::steady" | "heartbeat::busy" | "heartbeat::neighbours" => 3,
        "heartbeat::dead" | "heartbeat::relapse" | "heartbeat::chatter" => 4,
        "heartbeat::stalled" => 5,
        "broadcast::welcome" | "broadcast::latecomer" => 2,
        "broadcast::everyone" | "broadcast::order" | "broadcast::leaver" | "broadcast::heartbeat" => 3,
        "broadcast::agreement" | "broadcast::crowd" => 4,
        "broadcast::slow" => 5,
        "latency::push" => 2,
        _ => 0,
    }
}
