//! How clients leave.

use futures_util::future::join_all;
use rand::RngExt;

use super::talk::all_hear;
use harness::client::{Client, RESPONSE_TIMEOUT, timeout_on_busy_host};
use harness::context::TestContext;
use harness::verdict::{CheckError, CheckResult, FailureKind};
use harness::wire::frame::{Data, Frame, OpCode};

pub(super) async fn leaver(ctx: &mut TestContext) -> CheckResult {
    // Clients join one after the other. The order in the server's list is then fixed, and a failure
    // is always reported alike.
    let mut clients = Vec::new();
    for _ in 0..7 {
        clients.push(ctx.join().await?);
    }
    for (round, manner) in
        [Manner::Politely, Manner::Reset, Manner::Silently, Manner::InMidFrame, Manner::ThrownOut]
            .into_iter()
            .enumerate()
    {
        // From the front, the back and the middle, so that every kind of place in a list is tried.
        let place = [0, clients.len() - 1, clients.len() / 2, 0, 1][round];
        let mut gone = clients.remove(place);
        let last_words = ctx.token();
        if let Manner::Politely = manner {
            // In one write with the close frame, so that both are there when the server reads.
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
    // Several at a time, from the front, so that clients that stay take their places.
    let staying = clients.split_off(3);
    // All send a close frame before any disconnect is awaited. After the disconnects, the server
    // has removed them.
    join_all(std::mem::replace(&mut clients, staying).into_iter().map(|gone| ctx.leave(gone)))
        .await;
    for text in ctx.tokens(2 * clients.len()) {
        let speaker = ctx.rng.random_range(0..clients.len());
        clients[speaker].send_text(text.as_str());
        all_hear(&mut clients, &text)
            .await
            .map_err(|error| error.context("after three clients left at once, "))?;
    }
    // A room that all clients have left still works.
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

/// A client that has not read for a while, and disconnects while the server is in the middle of a
/// write to it.
async fn behind(ctx: &mut TestContext, clients: &mut [Client]) -> CheckResult {
    let deaf = ctx.join_narrow().await?;
    deaf.connection.stop_reading();
    for token in ctx.tokens(24) {
        let text = token + &"x".repeat(40_000);
        clients[0].send_text(text.as_str());
        match all_hear(clients, &text).await {
            // Another check judges whether all others wait for it.
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
            // Another check judges that answer.
            let _ = timeout_on_busy_host(RESPONSE_TIMEOUT / 4, client.end()).await;
        }
        Manner::Reset => client.connection.reset().await,
        Manner::Silently => client.hang_up(),
        Manner::InMidFrame => {
            let whole =
                Frame::new(OpCode::Data(Data::Text), "never finished").masked([1; 4]).encode();
            client.send_bytes(whole[..9].to_vec());
            let _ = timeout_on_busy_host(RESPONSE_TIMEOUT, client.wait_until_sent(0)).await;
            // Not a reset, which could discard the half before the server has read it.
            client.hang_up();
        }
        Manner::ThrownOut => {
            // Some libraries accept an unmasked frame, which another check judges. This frame is an
            // error for all of them.
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
