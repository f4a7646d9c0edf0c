//! Heartbeats in company.

use std::time::Instant;

use futures_util::future::try_join;

use super::talk::all_hear;
use crate::arena::Arena;
use crate::checks::heartbeat;
use crate::client::{Client, Mouth, reply_to};
use crate::verdict::{Checked, Kind, Trouble};
use crate::wire::frame::{Data, Frame, OpCode};

pub(super) async fn beats(arena: &mut Arena) -> Checked {
    let leaver = arena.join().await?;
    let mut witness = arena.join().await?;
    let (mut quiet, mut silent) = try_join(arena.join(), arena.join_mute()).await?;
    let hello = arena.token();
    witness.exchange(&hello).await?;
    quiet.expect_reply(&hello).await?;
    let unanswered = heartbeat::drops::asked(&mut silent).await?;
    // Messages go to the dead client as to all others, and are no sign of life; nor do they change anybody's beat.
    let mouth = witness.mouth();
    tokio::select! {
        judged = amid_talk(arena, leaver, &mut witness, &mut quiet, (silent, unanswered)) => judged?,
        () = talk(arena, &mouth) => unreachable!("the talk never ends"),
    }
    // From the one that has talked, so that nothing of its talk comes later.
    let bye = arena.token();
    witness.send_text(bye.as_str());
    for client in [&mut witness, &mut quiet] {
        while client.text("the last word").await? != reply_to(&bye) {}
    }
    let last = quiet.ping().await.map_err(|trouble| missing(&quiet, trouble))?;
    // One a beat and no more, however many others there are.
    if let Some(first) = quiet.pings.first() {
        heartbeat::beats::on_the_average(arena, &quiet, last - *first, quiet.pings.len() - 1)?;
    }
    // Behind its pong, which is no message.
    let text = arena.token();
    quiet.send_text(text.as_str());
    all_hear(&mut [witness, quiet], &text).await
}

/// Says something several times a beat.
async fn talk(arena: &Arena, mouth: &Mouth) {
    let mut pace = heartbeat::metronome(arena.beat / 4);
    loop {
        mouth.say(Frame::new(OpCode::Data(Data::Text), "small talk"));
        pace.tick().await;
    }
}

async fn amid_talk(
    arena: &Arena,
    leaver: Client,
    witness: &mut Client,
    quiet: &mut Client,
    (mut silent, unanswered): (Client, Instant),
) -> Checked {
    let dropped = heartbeat::drops::dropped_on_time(arena, witness, &mut silent, unanswered).await;
    dropped.map_err(in_a_busy_room)?;
    // No more than the drop does its leaving stop anybody's heart.
    arena.leave(leaver).await;
    while quiet.pings.len() < 6 {
        quiet.ping().await.map_err(|trouble| missing(quiet, trouble))?;
    }
    Ok(())
}

fn in_a_busy_room(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Failed(failure) if failure.kind == Kind::Silence => {
            Trouble::from(*failure).amid("in a room where somebody talks, ").in_company()
        }
        other => other,
    }
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
