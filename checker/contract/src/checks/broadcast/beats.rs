//! Heartbeats in company.

use std::time::{Duration, Instant};

use futures_util::future::join3;

use crate::arena::Arena;
use crate::checks::heartbeat;
use crate::client::{Client, Heard, Mouth, reply_to};
use crate::verdict::{Checked, Kind, Trouble};
use crate::wire::frame::{Data, Frame, OpCode};
use crate::wire::transcript::quoted;

pub(super) async fn beats(arena: &mut Arena) -> Checked {
    let leaver = arena.join().await?;
    let mut witness = arena.join().await?;
    // Between two that are looked at, so that who is dropped along with it is one of them.
    let mut silent = arena.join_mute().await?;
    let mut quiet = arena.join().await?;
    let opened = Instant::now();
    let fading = arena.join().await?;
    let mut late = arena.join_mute().await?;
    let hello = arena.token();
    witness.exchange(&hello).await?;
    quiet.expect_reply(&hello).await?;
    // Messages go to the dead as to all others, and are no sign of life, nor are their own; nor do they change anybody's
    // beat.
    let mouths = [witness.mouth(), fading.mouth()];
    let judged = async {
        heartbeat::beats::first_ping(arena, &mut quiet, opened).await?;
        let (silent, fading, late) = join3(
            async {
                let unanswered = heartbeat::drops::asked(&mut silent).await?;
                heartbeat::drops::dropped_on_time(arena, &mut witness, &mut silent, unanswered).await
            },
            fades_away(arena, fading),
            heartbeat::drops::answering_late(arena, &mut late),
        )
        .await;
        silent.and(fading).map_err(in_a_busy_room)?;
        late?;
        once_some_are_gone(arena, leaver, &mut quiet).await
    };
    tokio::select! {
        judged = judged => judged?,
        () = talk(arena, &mouths) => unreachable!("the talk never ends"),
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
    heartbeat::beats::as_many(&witness, quiet.pings.len(), "a client that talks")
}

/// A client that answers once and then no more, and goes on talking, is dropped.
async fn fades_away(arena: &Arena, mut fading: Client) -> Checked<Duration> {
    let mut witness = arena.join().await?;
    fading.ping().await?;
    fading.stop_answering_pings();
    let unanswered = fading.unanswered_ping().await?;
    let dropped = heartbeat::drops::dropped_on_time(arena, &mut witness, &mut fading, unanswered).await;
    dropped.map_err(|trouble| trouble.amid("it talked on, and had answered before: "))
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

/// Some say something several times a beat.
async fn talk(arena: &Arena, mouths: &[Mouth]) {
    let mut pace = heartbeat::metronome(arena.beat / 4);
    loop {
        mouths.iter().for_each(|mouth| mouth.say(Frame::new(OpCode::Data(Data::Text), SMALL_TALK)));
        pace.tick().await;
    }
}

/// No more than the drop does somebody's leaving stop anybody's heart.
async fn once_some_are_gone(arena: &Arena, leaver: Client, quiet: &mut Client) -> Checked {
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
