//! Clients that leave, politely or not, disturb no other client.

use futures_util::future::join_all;

use super::room::{Message, say, say_from_any};
use super::{Check, MINIMUM, MinimumEvidence, SPREADS, check};
use harness::client::{Client, RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::verdict::{CheckResult, FailureKind, ResultExt};
use harness::wire::frame::{Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: &["broadcast::welcome", "broadcast::everyone", "broadcast::latecomer"],
    requires: SPREADS,
    minimum: MinimumEvidence { connections: 8, messages: 40, ..MINIMUM },
    ..check("broadcast::leaver", Broadcast, include_str!("leaver.md"), |ctx| Box::pin(leaver(ctx)))
};

async fn leaver(ctx: &mut TestContext) -> CheckResult {
    // One after the other: the order in the server's list is fixed, and a failure repeatable.
    let mut clients = Vec::new();
    for _ in 0..7 {
        clients.push(ctx.join().await?);
    }
    for (manner, place, circumstance) in MANNERS {
        let leaving = clients.remove(place * (clients.len() - 1) / 2);
        leave(ctx, leaving, *manner, &mut clients).await?;
        others_go_on(ctx, &mut clients).await.context(*circumstance)?;
    }
    several_at_once(ctx, &mut clients).await.context("after three clients left at once")?;
    let mut clients = all_leave(ctx, clients).await?;
    say(&mut clients, 0, &ctx.token()).await.context("after all clients had left")?;
    reset_in_a_write(ctx, &mut clients).await
}

/// The manner in which a client leaves.
#[derive(Clone, Copy)]
enum Manner {
    CloseFrame,
    Reset,
    Fin,
    FinInAFrame,
    BadFrame,
}

/// The manners in which clients leave, and their places in the server's list: 0 is its front, 1 its
/// middle, 2 its back.
const MANNERS: &[(Manner, usize, &str)] = &[
    (Manner::CloseFrame, 0, "after a client sent a close frame"),
    (Manner::Reset, 2, "after a client reset its connection"),
    (Manner::Fin, 1, "after a client ended its connection without a close frame"),
    (Manner::FinInAFrame, 0, "after a client disappeared in the middle of a frame"),
    (Manner::BadFrame, 1, "after a client sent an illegal frame"),
];

async fn leave(
    ctx: &mut TestContext,
    mut leaving: Client,
    manner: Manner,
    others: &mut [Client],
) -> CheckResult {
    match manner {
        Manner::CloseFrame => {
            let last_words = ctx.token();
            // In one write with the close frame, so that both are there when the server reads.
            leaving.send_last(&last_words, 1_000);
            let message = Message::from(&leaving, &last_words);
            wait_for_end(&mut leaving).await;
            let reached = message.reaches(others).await;
            reached.context("when its sender sends a close frame right after it")?;
        }
        Manner::Reset => leaving.connection.reset().await,
        Manner::Fin => leaving.hang_up(),
        Manner::FinInAFrame => {
            let frame = Frame::new(OpCode::Data(Data::Text), "never finished").masked([1; 4]);
            leaving.send_bytes(frame.encode()[..9].to_vec());
            let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, leaving.wait_until_sent(0)).await;
            // Not a reset, which could discard the half before the server has read it.
            leaving.hang_up();
        }
        Manner::BadFrame => {
            // Some libraries accept an unmasked frame, which another check judges. All of them
            // reject a reserved opcode.
            leaving.send(Frame::new(OpCode::Data(Data::Reserved(7)), "no such thing"));
            wait_for_end(&mut leaving).await;
        }
    }
    Ok(())
}

/// Waits for the end of the connection, for a part of the usual timeout: another check judges it.
async fn wait_for_end(client: &mut Client) {
    let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.end()).await;
}

/// Messages reach all clients, and a client can join.
async fn others_go_on(ctx: &mut TestContext, clients: &mut Vec<Client>) -> CheckResult {
    for text in ctx.tokens(3) {
        say_from_any(ctx, clients, &text).await?;
    }
    clients.push(ctx.join().await?);
    Ok(())
}

/// Three clients leave at once, from the front, so that clients that stay take their places.
async fn several_at_once(ctx: &mut TestContext, clients: &mut Vec<Client>) -> CheckResult {
    let staying = clients.split_off(3);
    let leaving = std::mem::replace(clients, staying);
    // All send a close frame before any disconnect is awaited. After the disconnects, the server
    // has removed them.
    join_all(leaving.into_iter().map(|client| ctx.leave(client))).await;
    for text in ctx.tokens(2 * clients.len()) {
        say_from_any(ctx, clients, &text).await?;
    }
    Ok(())
}

/// All clients leave, and two others join.
async fn all_leave(ctx: &TestContext, clients: Vec<Client>) -> CheckResult<Vec<Client>> {
    for client in clients {
        ctx.leave(client).await;
    }
    ctx.join_many(2).await
}

/// A client reads nothing for a while, and resets its connection in the middle of a write to it.
async fn reset_in_a_write(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    let leaving = ctx.client().small_buffers().join().await?;
    leaving.connection.stop_reading();
    for token in ctx.tokens(24) {
        match say(clients, 0, &(token + &"x".repeat(40_000))).await {
            // Another check judges whether all others wait for it.
            Err(error) if error.is(FailureKind::Silence) => return Ok(()),
            said => said.context("while another client does not read")?,
        }
    }
    leaving.connection.reset().await;
    ctx.wait_for_disconnects(clients.len()).await;
    for text in ctx.tokens(3) {
        let said = say(clients, 0, &text).await;
        said.context("after a client that did not read reset its connection")?;
    }
    Ok(())
}
