//! A text message `M` is answered to its sender with the text `Server received: M`. `M` is
//! unchanged, including white space at its ends.

use std::time::Instant;

use futures_util::future::join;

use super::{WELCOMED, texts};
use crate::{Check, MINIMUM, check};
use harness::client::{Client, PREFIX, WELCOME};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::echo::EchoCause;
use harness::verdict::{CheckResult, ResultExt};

pub(super) const CHECK: Check = Check {
    explained_by: &["echo::welcome"],
    requires: WELCOMED,
    needs_uptime: true,
    minimum: MinimumEvidence { connections: 15, messages: 55, ..MINIMUM },
    gate: Some(|ctx| Box::pin(simplest_message(ctx))),
    ..check("echo::reply", Echo, include_str!("reply.md"), |ctx| Box::pin(reply(ctx)))
};

async fn reply(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    client.exchange(&ctx.token()).await?;
    let answered = Instant::now();
    for text in variants(&ctx.token()) {
        client.exchange(&text).await?;
    }
    // Many connections, one after the other, to find a server that runs out of them.
    for _ in 0..12 {
        ctx.leave(client).await;
        client = ctx.join().await?;
        client.exchange(&ctx.token()).await?;
    }
    // The client keeps sending, because a server may disconnect a client that is idle.
    let when = ctx.wait_for_uptime_with(&mut client, answered).await?;
    exchange_with_old_and_new(ctx, client).await.context(when)
}

/// Returns messages that a server may change: with white space, in other cases, or words that some
/// servers take for a command.
fn variants(token: &str) -> Vec<String> {
    let mut variants = vec![
        format!("  {token}"),
        format!("{token} \t"),
        format!("\n{token}\r\n"),
        " ".to_string(),
        token.to_uppercase(),
        token.to_lowercase(),
        token.replace(' ', "  "),
        token.replace(' ', "\n"),
        format!("{PREFIX}{token}"),
        WELCOME.to_string(),
        format!("/{token}"),
        token.to_string(),
        token.to_string(),
    ];
    variants.extend(texts::COMMANDS.iter().map(ToString::to_string));
    variants
}

async fn exchange_with_old_and_new(ctx: &mut TestContext, mut old: Client) -> CheckResult {
    old.exchange(&ctx.token()).await?;
    ctx.leave(old).await;
    let token = ctx.token();
    ctx.join().await?.exchange(&token).await
}

/// The simplest message is answered with and without `CI`: one server has it in its environment,
/// and the other does not.
async fn simplest_message(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let (text, here, there) = (ctx.token(), ctx.in_ci(), !ctx.in_ci());
    let (error, is_set) = match join(client.exchange(&text), exchange_in(ctx, there, &text)).await {
        (Ok(()), Ok(())) => {
            // `echo::concurrent` judges clients that are connected at the same time.
            ctx.leave(client).await;
            return Ok(());
        }
        (Err(error), Err(_)) => return Err(error),
        (Err(error), Ok(())) => (error, here),
        (Ok(()), Err(error)) => (error, there),
    };
    // A second server in the first one's environment shows whether the environment is the cause.
    let is_right = exchange_in(ctx, here, &text).await.is_ok();
    if is_right != (is_set == there) {
        return Err(error);
    }
    Err(error.explain(|noticed| EchoCause::DependsOnCi { is_set, noticed: Box::new(noticed) }))
}

/// Exchanges a message with a new server, with or without `CI` in its environment.
async fn exchange_in(ctx: &TestContext, ci: bool, text: &str) -> CheckResult {
    let server = ctx.second_server_with_ci(ci).await?;
    let exchanged = async { server.join().await?.exchange(text).await };
    exchanged.await.map_err(|error| error.recorded_by(&server.recorder))
}
