//! The checks of `echo`.

mod abrupt;
mod binary;
pub(super) mod close;
pub(super) mod concurrent;
pub(super) mod handshake;
mod log;
pub(super) mod order;
pub(super) mod payloads;
mod ping;
mod reply;
pub(super) mod texts;
mod violations;
pub(super) mod welcome;

use crate::Check;
use harness::client::Client;
use harness::context::TestContext;
use harness::verdict::CheckResult;
use harness::wire::frame::Frame;

/// The checks, in the contract's order.
pub(super) const CHECKS: &[Check] = &[
    handshake::CHECK,
    welcome::CHECK,
    reply::CHECK,
    order::CHECK,
    payloads::CHECK,
    binary::CHECK,
    concurrent::CHECK,
    ping::CHECK,
    close::CHECK,
    abrupt::CHECK,
    violations::CHECK,
    log::CHECK,
];

const WELCOMED: &[&str] = &["echo::handshake", "echo::welcome"];
const ECHOES: &[&str] = &["echo::handshake", "echo::welcome", "echo::reply"];
/// Checks that fail if the server sends a message twice or never.
const TALKS: &[&str] = &["echo::welcome", "echo::reply", "echo::order"];
/// The same, and those that fail if the server delays messages or mixes them up.
const TOGETHER: &[&str] =
    &["echo::welcome", "echo::reply", "echo::order", "echo::concurrent", "echo::payloads"];

/// Joins with a client that sends more than the server can answer, and reads no reply.
async fn join_without_reading(ctx: &mut TestContext) -> CheckResult<Client> {
    let mut client = ctx.client().small_buffers().join().await?;
    client.connection.stop_reading();
    let text = ctx.token() + &"x".repeat(16 * 1024);
    client.send_all((0..64).map(|_| Frame::text(text.as_str())));
    Ok(client)
}
