//! Heartbeats in company.

use std::time::Instant;

use futures_util::future::try_join;

use crate::arena::Arena;
use crate::checks::heartbeat;
use crate::client::{Client, Heard, Mouth, reply_to};
use crate::verdict::{Checked, Kind, Trouble};
use crate::wire::frame::{Data, Frame, OpCode};
use crate::wire::transcript::quoted;

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
    let last = quiet.ping().await.map_err(|trouble| missing(&quiet, trouble))?;
    // One a beat and no more, however many others there are.
    if let Some(first) = quiet.pings.first() {
        heartbeat::beats::on_the_average(arena, &quiet, last - *first, quiet.pings.len() - 1)?;
    }
    // Behind its pong, which is no message.
    let bye = arena.token();
    quiet.send_text(bye.as_str());
    for client in [&mut witness, &mut quiet] {
        nothing_but_talk(client, &bye).await?;
    }
    Ok(())
}

/// Until the last word has come, a client hears what others say, and nothing else.
async fn nothing_but_talk(client: &mut Client, last: &str) -> Checked {
    loop {
        let moment = client.next_but_heartbeats("the last word").await?;
        let Heard::Text(text) = &moment.heard else { return Err(client.instead(&moment, "the last word")) };
        if *text == reply_to(last) {
            return Ok(());
        }
        if *text != reply_to(SMALL_TALK) {
            let failure = client.failure(Kind::Unexpected, "a message came that nobody sent").at(client.mark(&moment));
            return Err(failure.expected("what somebody says, and nothing else", quoted(text)).into());
        }
    }
}

const SMALL_TALK: &str = "small talk";

/// Says something several times a beat.
async fn talk(arena: &Arena, mouth: &Mouth) {
    let mut pace = heartbeat::metronome(arena.beat / 4);
    loop {
        mouth.say(Frame::new(OpCode::Data(Data::Text), SMALL_TALK));
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
    no_ping(trouble, "in a room where somebody talks, ", |other| other)
}

/// Here no other check looks at whether pings go on.
fn missing(client: &Client, trouble: Trouble) -> Trouble {
    let dropped = |other| heartbeat::drops::dropped_alive(client, other);
    no_ping(trouble, "once a client was dropped and another had left, ", dropped)
}

/// Says when it was that no ping came; what else went wrong is for `otherwise` to say.
fn no_ping(trouble: Trouble, when: &str, otherwise: impl FnOnce(Trouble) -> Trouble) -> Trouble {
    match &trouble {
        Trouble::Failed(failure) if failure.kind == Kind::Silence => trouble.amid(when).in_company(),
        _ => otherwise(trouble),
    }
}
