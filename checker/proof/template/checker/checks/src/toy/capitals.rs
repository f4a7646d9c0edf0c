//! A text message is answered with the same text in capitals.

use crate::{Check, MINIMUM, check};
use harness::client::{Client, text};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Toy;
use harness::verdict::CheckResult;

pub(super) const CHECK: Check = Check {
    minimum: MinimumEvidence { messages: 3, ..MINIMUM },
    gate: Some(|ctx| Box::pin(first_message(ctx))),
    ..check("toy::capitals", Toy, include_str!("capitals.md"), |ctx| Box::pin(capitals(ctx)))
};

/// The gate. It fails on an untouched skeleton.
async fn first_message(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.connect().await?;
    exchange(ctx, &mut client).await
}

async fn capitals(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.connect().await?;
    for _ in 0..2 {
        exchange(ctx, &mut client).await?;
    }
    Ok(())
}

async fn exchange(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let sent = ctx.token();
    client.send_text(sent.as_str());
    client.expect(text(&sent.to_uppercase()).named("the capitals")).await.map(|_| ())
}
