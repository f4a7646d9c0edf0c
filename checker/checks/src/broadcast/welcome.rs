//! The welcome goes to the newcomer alone.

use futures_util::future::try_join_all;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use super::room::next_text_if_any;
use super::{Check, MINIMUM, MinimumEvidence, check};
use crate::echo::welcome::resembles;
use harness::client::{
    Client, RESPONSE_TIMEOUT, Received, WELCOME, any_text, request, timeout_on_busy_host, welcome,
};
use harness::context::TestContext;
use harness::exercise::Exercise::Broadcast;
use harness::failure::room::RoomCause;
use harness::verdict::CheckResult;

pub(super) const CHECK: Check = Check {
    minimum: MinimumEvidence { connections: 59, messages: 59, ..MINIMUM },
    gate: Some(|ctx| Box::pin(first_message(ctx))),
    ..check("broadcast::welcome", Broadcast, include_str!("welcome.md"), |ctx| {
        Box::pin(welcome_to_the_newcomer_alone(ctx))
    })
};

/// A first message comes, whatever it says.
async fn first_message(ctx: &mut TestContext) -> CheckResult {
    ctx.join().await.map(|_| ())
}

async fn welcome_to_the_newcomer_alone(ctx: &mut TestContext) -> CheckResult {
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut newcomer = ctx.connect().await?;
        newcomer.expect(welcome()).await?;
        clients.push(newcomer);
    }
    nothing_but_the_message(ctx, &mut clients).await?;
    for client in clients {
        ctx.leave(client).await;
    }
    let mut answered = true;
    for _ in 0..8 {
        welcome_first_in_a_busy_room(ctx, &mut answered).await?;
    }
    Ok(())
}

/// A message to the room is the first that these clients receive after their own welcome.
async fn nothing_but_the_message(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    let token = ctx.token();
    clients[0].send_text(token.as_str());
    let newest = clients.last().map(Client::number);
    for client in clients.iter_mut().rev() {
        let Some(received) = next_text_if_any(client).await else { continue };
        let text = received.text().unwrap_or_default();
        let number = client.number();
        let cause = if text.contains(WELCOME) {
            RoomCause::SecondWelcome { client: number, newest: newest == Some(number) }
        } else if !resembles(text, &token) {
            RoomCause::Unsent { client: number, text: text.to_string() }
        } else {
            continue;
        };
        return Err(client.fails(cause, &received).show_all_clients());
    }
    Ok(())
}

/// Newcomers receive the welcome first, even while another client sends messages. `answered` is
/// false once that client has received no reply: another check judges that.
async fn welcome_first_in_a_busy_room(ctx: &mut TestContext, answered: &mut bool) -> CheckResult {
    let mut talker = ctx.join().await?;
    let mut newcomers = try_join_all((0..6).map(|_| ctx.open())).await?;
    let texts = ctx.tokens(4 * newcomers.len());
    for (newcomer, texts) in newcomers.iter_mut().zip(texts.chunks(4)) {
        newcomer.send_bytes(request(&generate_key(), &[]).into_bytes());
        for text in texts {
            talker.send_text(text.as_str());
            // Spread out: all messages at once might be over before the newcomer's turn.
            *answered = *answered && is_answered(&mut talker).await;
        }
    }
    for mut newcomer in newcomers {
        newcomer.response().await?;
        let first = newcomer.expect(any_text("the welcome")).await?;
        sent_by_no_client(&newcomer, &first, &texts)?;
        ctx.leave(newcomer).await;
    }
    ctx.leave(talker).await;
    Ok(())
}

async fn is_answered(talker: &mut Client) -> bool {
    let reply = talker.expect(any_text("the reply"));
    matches!(timeout_on_busy_host(RESPONSE_TIMEOUT / 8, reply).await, Some(Ok(_)))
}

/// Fails if a newcomer's first message is the reply to one of these texts.
fn sent_by_no_client(newcomer: &Client, first: &Received, texts: &[String]) -> CheckResult {
    match first.text() {
        Some(text) if text != WELCOME && texts.iter().any(|sent| resembles(text, sent)) => {
            let cause = RoomCause::BeforeWelcome { text: text.to_string() };
            Err(newcomer.fails(cause, first))
        }
        _ => Ok(()),
    }
}
