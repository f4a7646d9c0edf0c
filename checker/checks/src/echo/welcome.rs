//! The first message on every connection, sent without being asked, is the text
//! `Welcome! Connection established.`

use crate::{Check, MINIMUM, check};
use harness::client::{
    Client, ClientEvent, PREFIX, RESPONSE_TIMEOUT, WELCOME, timeout_on_busy_host,
};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::Cause;
use harness::failure::echo::EchoCause;
use harness::verdict::{CheckResult, ResultExt};

pub(super) const CHECK: Check = Check {
    requires: &["echo::handshake"],
    minimum: MinimumEvidence { connections: 4, messages: 4, ..MINIMUM },
    gate: Some(|ctx| Box::pin(any_message(ctx))),
    ..check("echo::welcome", Echo, include_str!("welcome.md"), |ctx| Box::pin(welcome(ctx)))
};

/// Checks that a message comes first, whatever its text is, and that another client can follow.
async fn any_message(ctx: &mut TestContext) -> CheckResult {
    for _ in 0..2 {
        let client = ctx.join().await?;
        ctx.leave(client).await;
    }
    Ok(())
}

pub(crate) async fn welcome(ctx: &mut TestContext) -> CheckResult {
    for _ in 0..4 {
        let mut client = ctx.connect().await?;
        client.expect(harness::client::welcome()).await?;
        expect_no_second_message(ctx, &mut client).await?;
        // `echo::concurrent` judges clients that are connected at the same time.
        ctx.leave(client).await;
    }
    for _ in 0..4 {
        speak_first(ctx).await?;
    }
    Ok(())
}

/// Fails if the next message is unrelated to the client's.
async fn expect_no_second_message(ctx: &mut TestContext, client: &mut Client) -> CheckResult {
    let token = ctx.token();
    client.send_text(token.as_str());
    let reply = client.next_except_heartbeats("a reply");
    // `echo::reply` judges the reply.
    if let Some(Ok(received)) = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, reply).await
        && let ClientEvent::Text(text) = &received.event
        && !resembles(text, &token)
    {
        let cause = EchoCause::SecondWelcome { text: text.clone() };
        return Err(client.fails(cause, &received));
    }
    Ok(())
}

/// A client that sends a message as soon as it may gets the welcome first and the reply after it.
async fn speak_first(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.connect().await?;
    let token = ctx.token();
    client.send_text(token.as_str());
    let welcomed = client.expect(harness::client::welcome()).await;
    welcomed.explain(|cause| match cause {
        Cause::WrongText { got, .. } if resembles(&got, &token) => {
            EchoCause::ReplyBeforeWelcome { reply: got }.into()
        }
        other => other,
    })?;
    ctx.leave(client).await;
    Ok(())
}

/// Returns true if a reply, right or wrong, is related to this token.
pub(crate) fn resembles(text: &str, token: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let (text, token) = (letters(text), letters(token));
    text.contains(&token)
        || text.contains(&token.chars().rev().collect::<String>())
        || (text.starts_with(&letters(PREFIX)) && text != letters(WELCOME))
}
