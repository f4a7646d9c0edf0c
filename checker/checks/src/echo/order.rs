//! Pipelined messages are answered one for one, in order, none lost.

use rand::RngExt;

use super::ECHOES;
use crate::{Check, MINIMUM, check};
use harness::client::{Client, ClientEvent, reply, reply_to};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::Cause;
use harness::failure::echo::EchoCause;
use harness::verdict::CheckResult;

pub(super) const CHECK: Check = Check {
    explained_by: &["echo::welcome", "echo::reply"],
    requires: ECHOES,
    minimum: MinimumEvidence { messages: 1_230, ..MINIMUM },
    ..check("echo::order", Echo, include_str!("order.md"), |ctx| Box::pin(order(ctx)))
};

pub(crate) async fn order(ctx: &mut TestContext) -> CheckResult {
    let mut client = ctx.join().await?;
    let count = ctx.rng.random_range(180..240);
    let mut texts = ctx.tokens(count);
    // Some are longer than others, so that replies from separate tasks would come out of order.
    for text in texts.iter_mut().step_by(7) {
        text.push_str(&".".repeat(ctx.rng.random_range(20..60)));
    }
    texts.iter().for_each(|text| client.send_text(text.as_str()));
    in_order(&mut client, &texts).await?;
    // All at once, and more than a queue of a usual length holds.
    let count = ctx.rng.random_range(1_050..1_200);
    let texts = ctx.tokens(count);
    client.send_texts(&texts);
    in_order(&mut client, &texts).await?;
    client.exchange(&ctx.token()).await
}

/// Checks that the replies to these texts come one for one and in order.
pub(super) async fn in_order(client: &mut Client, texts: &[String]) -> CheckResult {
    for (i, text) in texts.iter().enumerate() {
        let replied = client.expect(reply(text).numbered(i + 1, texts.len())).await;
        let Err(error) = replied else { continue };
        let explanation = match error.cause() {
            Some(Cause::WrongText { got, .. }) => explain_reply(client, texts, i, got).await,
            _ => None,
        };
        return Err(match explanation {
            Some(cause) => error.explain(|_| cause),
            None => error,
        });
    }
    Ok(())
}

/// Explains a text that came in place of the reply to message `i`: it may be the reply to another
/// message. All earlier replies came in order.
async fn explain_reply(
    client: &mut Client,
    texts: &[String],
    i: usize,
    got: &str,
) -> Option<EchoCause> {
    let other = texts.iter().position(|text| got == reply_to(text))?;
    Some(if other < i {
        EchoCause::SecondReply { number: other + 1, awaited: i + 1 }
    } else if comes_yet(client, &reply_to(&texts[i]), texts.len()).await {
        EchoCause::OutOfOrder { first: other + 1, later: i + 1 }
    } else {
        EchoCause::LostReply { lost: i + 1, answered: other + 1 }
    })
}

/// Returns true if this text is among the next messages, so that it was overtaken and not lost.
async fn comes_yet(client: &mut Client, text: &str, at_most: usize) -> bool {
    for _ in 0..at_most {
        match client.next_except_heartbeats("a late reply").await {
            Ok(received) if matches!(&received.event, ClientEvent::Text(got) if got == text) => {
                return true;
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}
