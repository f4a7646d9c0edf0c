//! A newcomer receives nothing that was sent before it became a client.

use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use super::room::{Message, say};
use super::{Check, MINIMUM, MinimumEvidence, SPREADS, check};
use harness::client::{Client, Received, WELCOME, any_text, reply_to, request};
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::failure::room::RoomCause;
use harness::verdict::{CheckError, CheckResult};

pub(super) const CHECK: Check = Check {
    explained_by: SPREADS,
    requires: SPREADS,
    minimum: MinimumEvidence { connections: 5, messages: 20, ..MINIMUM },
    ..check("broadcast::latecomer", Broadcast, include_str!("latecomer.md"), |ctx| {
        Box::pin(latecomer(ctx))
    })
};

async fn latecomer(ctx: &mut TestContext) -> CheckResult {
    let mut clients = ctx.join_many(2).await?;
    for _ in 0..3 {
        say_some(ctx, &mut clients).await?;
        let newcomer = ctx.join().await?;
        receives_only_new(ctx, &mut clients, newcomer, false).await?;
    }
    for half in [false, true] {
        let newcomer = join_with_late_handshake(ctx, &mut clients, half).await?;
        receives_only_new(ctx, &mut clients, newcomer, true).await?;
    }
    Ok(())
}

/// Sends a few messages, each after all clients have received the one before.
async fn say_some(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult<Vec<String>> {
    let texts = ctx.tokens(3);
    for text in &texts {
        say(clients, 0, text).await?;
    }
    Ok(texts)
}

/// Fails if the first message that the newcomer receives is not the one sent now. Then adds it to
/// the clients.
async fn receives_only_new(
    ctx: &mut TestContext,
    clients: &mut Vec<Client>,
    mut newcomer: Client,
    in_handshake: bool,
) -> CheckResult {
    let text = ctx.token();
    clients[1].send_text(text.as_str());
    let received = newcomer.expect(any_text("the first message after joining")).await?;
    let expected = reply_to(&text);
    if received.text() != Some(&expected) {
        return Err(from_the_past(&newcomer, &received, expected, in_handshake));
    }
    Message::from(&clients[1], &text).reaches(clients).await?;
    clients.push(newcomer);
    Ok(())
}

/// Opens a connection and finishes its handshake after other clients have sent messages. Before
/// them it sends nothing, or half of the upgrade request: it is no client yet.
async fn join_with_late_handshake(
    ctx: &mut TestContext,
    clients: &mut Vec<Client>,
    half: bool,
) -> CheckResult<Client> {
    let mut newcomer = ctx.open().await?;
    let mut request = request(&generate_key(), &[]).into_bytes();
    let rest = request.split_off(if half { request.len() / 2 } else { 0 });
    newcomer.send_bytes(request);
    // Connections are accepted in order, so the server has accepted the one before this.
    clients.push(ctx.join().await?);
    let before = say_some(ctx, clients).await?;
    newcomer.send_bytes(rest);
    newcomer.response().await?;
    // Another check judges the text of the welcome.
    let first = newcomer.expect(any_text("the welcome")).await?;
    if before.iter().any(|before| first.text() == Some(&reply_to(before))) {
        return Err(from_the_past(&newcomer, &first, WELCOME.to_string(), true));
    }
    Ok(newcomer)
}

fn from_the_past(
    newcomer: &Client,
    received: &Received,
    expected: String,
    in_handshake: bool,
) -> CheckError {
    let text = received.text().unwrap_or_default().to_string();
    let cause = RoomCause::FromThePast { in_handshake, expected, text };
    newcomer.fails(cause, received).show_all_clients()
}
