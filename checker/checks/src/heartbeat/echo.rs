//! The core of `echo` still holds: handshake, welcome, reply, order, concurrent, close.

use std::time::Instant;

use crate::{Check, MINIMUM, check, echo};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Heartbeat;
use harness::verdict::{CheckError, CheckResult, FailureKind, ResultExt};

pub(super) const CHECK: Check = Check {
    needs_uptime: true,
    minimum: MinimumEvidence { connections: 25, messages: 200, closes: 5, ends: 5, ..MINIMUM },
    gate: Some(|ctx| Box::pin(one_reply(ctx))),
    ..check("heartbeat::echo", Heartbeat, include_str!("echo.md"), |ctx| Box::pin(still_echo(ctx)))
};

/// The gate: handshake, any welcome, and one reply.
async fn one_reply(ctx: &mut TestContext) -> CheckResult {
    let began = Instant::now();
    let judged = match echo::handshake::plainly(ctx).await {
        Ok(()) => exchange(ctx).await,
        error => error,
    };
    excuse_busy_host(ctx, began, judged)
}

async fn exchange(ctx: &mut TestContext) -> CheckResult {
    ctx.join().await?.exchange(&ctx.token()).await
}

async fn still_echo(ctx: &mut TestContext) -> CheckResult {
    let began = Instant::now();
    let judged = echo_rows(ctx, began).await;
    excuse_busy_host(ctx, began, judged)
}

async fn echo_rows(ctx: &mut TestContext, answered: Instant) -> CheckResult {
    echo::welcome::welcome(ctx).await?;
    let mut client = ctx.join().await?;
    // The check of the echo itself needs more than one simple message.
    for text in [format!(" {} ", ctx.token()), String::new(), ctx.token()] {
        client.exchange(&text).await?;
    }
    echo::handshake::in_all_ways(ctx).await?;
    echo::order::order(ctx).await?;
    echo::concurrent::concurrent(ctx).await?;
    let when = ctx.wait_for_uptime(answered).await;
    client.exchange(&ctx.token()).await.context(when)?;
    echo::close::close_after(ctx, 8).await
}

/// A server may send a ping that is not due for a minute, and drop a client because a busy machine
/// delays the answer.
fn excuse_busy_host(ctx: &TestContext, began: Instant, judged: CheckResult) -> CheckResult {
    match judged {
        Err(error) if error.is(FailureKind::EndedEarly) => {
            Err(ctx.too_busy(began, &error).map_or(error, CheckError::HostBusy))
        }
        other => other,
    }
}
