//! Many clients are served at once. A client that sends nothing, and a TCP connection that never
//! finishes the handshake, delay no other client.

use rand::RngExt;

use super::{ECHOES, TALKS, join_without_reading};
use crate::{Check, MINIMUM, check};
use harness::client::Client;
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::echo::{Disturbance, EchoCause};
use harness::verdict::{CheckResult, FailureKind, ResultExt};

pub(super) const CHECK: Check = Check {
    explained_by: TALKS,
    requires: ECHOES,
    minimum: MinimumEvidence { connections: 150, messages: 248, ..MINIMUM },
    ..check("echo::concurrent", Echo, include_str!("concurrent.md"), |ctx| {
        Box::pin(concurrent(ctx))
    })
};

pub(crate) async fn concurrent(ctx: &mut TestContext) -> CheckResult {
    let _silent = join_beside_unfinished_handshakes(ctx).await?;
    let count = ctx.rng.random_range(70..90);
    let mut clients = held_up(ctx.join_many(count).await, Disturbance::Silent, 1..20)?;
    for _ in 0..2 {
        let tokens = ctx.tokens(count);
        for (client, token) in clients.iter_mut().zip(&tokens) {
            client.send_text(token.as_str());
        }
        // The replies may come in any order. They are read from the last client to the first.
        for (client, token) in clients.iter_mut().zip(&tokens).rev() {
            held_up(client.expect_reply(token).await, Disturbance::Silent, 1..20)?;
        }
    }
    exchange_beside_unread_replies(ctx, &mut clients[count - 8..]).await
}

/// The number of unfinished requests in each round. In all they exceed the 64 places of a typical
/// pool for handshakes.
const HALF_REQUESTS: usize = 17;
const ROUNDS: usize = 4;

/// Clients can join while other connections send nothing, or stop in the middle of their request:
/// first beside one of each, then beside more. Returns all of them, so that they stay connected.
async fn join_beside_unfinished_handshakes(ctx: &TestContext) -> CheckResult<Vec<Client>> {
    let mut silent = Vec::new();
    for round in 0..=ROUNDS {
        silent.push(ctx.open().await?);
        for _ in 0..if round == 0 { 1 } else { HALF_REQUESTS } {
            let mut half_a_request = ctx.open().await?;
            half_a_request.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgr".to_vec());
            silent.push(half_a_request);
        }
        let joined = ctx.join().await;
        silent.push(if round == 0 {
            held_up(joined, Disturbance::Silent, 1..20)?
        } else {
            let unfinished = Disturbance::UnfinishedHandshakes(silent.len() - round);
            joined.explain(|noticed| EchoCause::disturbed(unfinished, noticed))?
        });
    }
    Ok(silent)
}

/// A client that sends and does not read its replies delays only itself.
async fn exchange_beside_unread_replies(
    ctx: &mut TestContext,
    others: &mut [Client],
) -> CheckResult {
    let not_reading = join_without_reading(ctx).await?;
    for _ in 0..4 {
        for other in others.iter_mut() {
            let exchanged = other.exchange(&ctx.token()).await;
            held_up(exchanged, Disturbance::NotReading, [not_reading.number()])?;
        }
    }
    Ok(())
}

/// Explains a missing event by other connections, and shows theirs as well.
fn held_up<T>(
    result: CheckResult<T>,
    by: Disturbance,
    others: impl IntoIterator<Item = usize>,
) -> CheckResult<T> {
    result.map_err(|error| {
        if !error.is(FailureKind::Silence) {
            return error;
        }
        let error = error.explain(|noticed| EchoCause::disturbed(by, noticed));
        error.map_failure(|failure| failure.clients.extend(others))
    })
}
