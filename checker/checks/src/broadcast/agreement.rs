//! All clients receive all messages in the same order, whichever clients sent them.

use rand::seq::SliceRandom;

use super::room::all_receive_each_once;
use super::{Check, MINIMUM, MinimumEvidence, SPREADS, check};
use harness::client::Client;
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::failure::room::RoomCause;
use harness::verdict::{CheckResult, Failure};

pub(super) const CHECK: Check = Check {
    explained_by: &[
        "broadcast::welcome",
        "broadcast::everyone",
        "broadcast::order",
        "broadcast::crowd",
    ],
    requires: SPREADS,
    minimum: MinimumEvidence { connections: 36, messages: 12_000, ..MINIMUM },
    ..check("broadcast::agreement", Broadcast, include_str!("agreement.md"), |ctx| {
        Box::pin(agreement(ctx))
    })
};

async fn agreement(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(4).await?;
    for _ in 0..12 {
        all_agree(ctx, &mut clients, 3).await?;
    }
    // The longer the way to the last client, the likelier it is that one message overtakes another.
    // So this server has had no messages, and no client has left it.
    ctx.restart_server().await?;
    let mut clients = ctx.join_many(32).await?;
    for _ in 0..2 {
        all_agree(ctx, &mut clients, 6).await?;
    }
    Ok(())
}

/// All clients send this many messages at once, and all receive them in the same order.
async fn all_agree(ctx: &mut TestContext, clients: &mut [Client], each: usize) -> CheckResult {
    let mut texts = ctx.tokens(each * clients.len());
    texts.shuffle(&mut ctx.rng);
    for (client, texts) in clients.iter_mut().zip(texts.chunks(each)) {
        texts.iter().for_each(|text| client.send_text(text.as_str()));
    }
    let received = all_receive_each_once(clients, &texts).await?;
    for (client, texts) in clients.iter().zip(&received).skip(1) {
        same_order((&clients[0], &received[0]), (client, texts))?;
    }
    Ok(())
}

fn same_order(one: (&Client, &Vec<String>), other: (&Client, &Vec<String>)) -> CheckResult {
    let Some(at) = one.1.iter().zip(other.1).position(|(a, b)| a != b) else { return Ok(()) };
    let received = [one, other].map(|(client, texts)| (client.number(), texts[at].clone()));
    let numbers = [one.0.number(), other.0.number()];
    let cause = RoomCause::Disagreement { place: at + 1, received };
    Err(Failure::caused(cause).about(numbers).into())
}
