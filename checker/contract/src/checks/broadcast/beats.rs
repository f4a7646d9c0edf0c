//! Heartbeats in company.

use futures_util::future::try_join;

use super::talk::all_hear;
use crate::arena::Arena;
use crate::checks::heartbeat;
use crate::client::Client;
use crate::verdict::{Checked, Kind, Trouble};

pub(super) async fn beats(arena: &mut Arena) -> Checked {
    let leaver = arena.join().await?;
    let mut witness = arena.join().await?;
    let (mut quiet, mut silent) = try_join(arena.join(), arena.join_mute()).await?;
    // Messages go to the dead client as to all others, and are no sign of life.
    let hello = arena.token();
    witness.exchange(&hello).await?;
    let unanswered = heartbeat::drops::asked(&mut silent).await?;
    heartbeat::drops::dropped_on_time(arena, &mut witness, &mut silent, unanswered).await?;
    quiet.expect_reply(&hello).await?;
    // No more than the drop does its leaving stop anybody's heart.
    arena.leave(leaver).await;
    while quiet.pings.len() < 7 {
        quiet.ping().await.map_err(|trouble| missing(&quiet, trouble))?;
    }
    // One a beat and no more, however many others there are.
    if let (Some(first), Some(last)) = (quiet.pings.first(), quiet.pings.last()) {
        heartbeat::beats::on_the_average(arena, &quiet, *last - *first, quiet.pings.len() - 1)?;
    }
    let bye = arena.token();
    quiet.send_text(bye.as_str());
    all_hear(&mut [witness, quiet], &bye).await
}

/// Here no other check looks at whether pings go on.
fn missing(client: &Client, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Failed(failure) if failure.kind == Kind::Silence => {
            Trouble::from(*failure).amid("once a client was dropped and another had left, ").in_company()
        }
        other => heartbeat::drops::dropped_alive(client, other),
    }
}
