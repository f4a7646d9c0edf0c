//! Who leaves, and how.

use futures_util::future::join_all;
use rand::RngExt;

use super::talk::all_hear;
use harness::client::{Client, RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, FailureKind};
use harness::wire::frame::{Data, Frame, OpCode};

pub(super) async fn leaver(ctx: &mut TestContext) -> CheckResult {
    // One after the other: who comes after a leaver in the server's list is not chance, and a failure is told alike.
    let mut clients = Vec::new();
    for _ in 0..7 {
        clients.push(ctx.join().await?);
    }
    for (round, manner) in
        [Manner::Politely, Manner::Reset, Manner::Silently, Manner::InMidFrame, Manner::ThrownOut]
            .into_iter()
            .enumerate()
    {
        // From the front, the back and the middle, so that no place in a list is special.
        let place = [0, clients.len() - 1, clients.len() / 2, 0, 1][round];
        let mut gone = clients.remove(place);
        let last_words = ctx.token();
        if let Manner::Politely = manner {
            // Together with the close frame, so that both are there when the server reads.
            gone.send_last(&last_words, 1_000);
        }
        leave(gone, manner).await?;
        if let Manner::Politely = manner {
            let heard = all_hear(&mut clients, &last_words).await;
            heard.map_err(|error| {
                error.context("the last words of a client before its close frame: ")
            })?;
        }
        for text in ctx.tokens(3) {
            let speaker = ctx.rng.random_range(0..clients.len());
            clients[speaker].send_text(text.as_str());
            all_hear(&mut clients, &text).await.map_err(|error| after(error, manner))?;
        }
        clients.push(ctx.join().await.map_err(|error| after(error, manner))?);
    }
    // More than one at a time, from the front, so that whoever is put in their places is one that stays.
    let staying = clients.split_off(3);
    // All say goodbye before any of them is waited for; once they are let go, the server has done with them.
    join_all(std::mem::replace(&mut clients, staying).into_iter().map(|gone| ctx.leave(gone)))
        .await;
    for text in ctx.tokens(2 * clients.len()) {
        let speaker = ctx.rng.random_range(0..clients.len());
        clients[speaker].send_text(text.as_str());
        all_hear(&mut clients, &text)
            .await
            .map_err(|error| error.context("after three clients left at once, "))?;
    }
    // A room that all have left is a room.
    for client in clients {
        ctx.leave(client).await;
    }
    let mut clients = ctx.join_many(2).await?;
    let token = ctx.token();
    clients[0].send_text(token.as_str());
    all_hear(&mut clients, &token)
        .await
        .map_err(|error| error.context("after all clients had left, "))?;
    behind(ctx, &mut clients).await
}

/// One that has not read for a while, and is gone while the server is in the middle of a write to it.
async fn behind(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    let deaf = ctx.join_narrow().await?;
    deaf.connection.stop_reading();
    for token in ctx.tokens(24) {
        let text = token + &"x".repeat(40_000);
        clients[0].send_text(text.as_str());
        match all_hear(clients, &text).await {
            // Whether all others wait for it is another check's business.
            Err(error) if error.is(FailureKind::Silence) => return Ok(()),
            heard => {
                heard.map_err(|error| error.context("beside a client that does not read, "))?
            }
        }
    }
    deaf.connection.reset().await;
    ctx.wait_for_disconnects(clients.len()).await;
    for text in ctx.tokens(3) {
        clients[0].send_text(text.as_str());
        let heard = all_hear(clients, &text).await;
        heard.map_err(|error| {
            error.context("after a client that did not read reset its connection, ")
        })?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Manner {
    Politely,
    Reset,
    Silently,
    InMidFrame,
    ThrownOut,
}

async fn leave(mut client: Client, manner: Manner) -> CheckResult {
    match manner {
        Manner::Politely => {
            // Whether that is answered well is another check's business.
            let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.end()).await;
        }
        Manner::Reset => client.connection.reset().await,
        Manner::Silently => client.hang_up(),
        Manner::InMidFrame => {
            let whole =
                Frame::new(OpCode::Data(Data::Text), "never finished").masked([1; 4]).encode();
            client.send_bytes(whole[..9].to_vec());
            let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, client.wait_until_sent(0)).await;
            // Not a reset, which could take the half back before the server has read it.
            client.hang_up();
        }
        Manner::ThrownOut => {
            // Some libraries let an unmasked frame pass, which is another check's business; with this they are all done.
            client.send(Frame::new(OpCode::Data(Data::Reserved(7)), "no such thing"));
            let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.end()).await;
        }
    }
    Ok(())
}

fn after(error: CheckError, manner: Manner) -> CheckError {
    let how = match manner {
        Manner::Politely => "said goodbye",
        Manner::Reset => "reset its connection",
        Manner::Silently => "ended its connection without a close frame",
        Manner::InMidFrame => "vanished in the middle of a frame",
        Manner::ThrownOut => "broke the rules",
    };
    error.context(&format!("after a client {how}, "))
}
