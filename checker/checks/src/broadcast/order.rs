//! One sender's messages arrive everywhere in the order sent.

use rand::RngExt;

use super::room::say_at_once;
use super::{Check, MINIMUM, MinimumEvidence, SPREADS, check};
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::verdict::CheckResult;

pub(super) const CHECK: Check = Check {
    explained_by: SPREADS,
    requires: SPREADS,
    minimum: MinimumEvidence { connections: 4, messages: 400, ..MINIMUM },
    ..check("broadcast::order", Broadcast, include_str!("order.md"), |ctx| Box::pin(order(ctx)))
};

/// The number of messages that are sent at once.
const AT_ONCE: usize = 12;

async fn order(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(4).await?;
    for _ in 0..12 {
        let speaker = ctx.rng.random_range(0..clients.len());
        say_at_once(&mut clients, speaker, &ctx.tokens(AT_ONCE)).await?;
    }
    Ok(())
}
