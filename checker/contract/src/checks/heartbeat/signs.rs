//! What is a sign of life, and for how long.

use std::time::Duration;

use futures_util::future::{join_all, try_join};

use super::beats::if_understood;
use super::drops::{dropped_alive, dropped_on_time, judged};
use super::metronome;
use crate::arena::Arena;
use crate::client::Client;
use crate::verdict::{Checked, Trouble};
use crate::wire::frame::{Control, Data, Frame, OpCode};

pub(super) async fn relapse(arena: &mut Arena) -> Checked {
    let (mut witness, mut fading) = try_join(arena.join(), arena.join()).await?;
    fades_away(arena, &mut witness, &mut fading, dropped_alive).await.map(|_| ())
}

/// A client that answers for a while, and more often than it is asked, and then no more: how long after the first ping that
/// it left unanswered it was dropped. What goes wrong before is told as `unasked` tells it.
pub(in crate::checks) async fn fades_away(
    arena: &Arena,
    witness: &mut Client,
    fading: &mut Client,
    unasked: impl Fn(&Client, Trouble) -> Trouble,
) -> Checked<Duration> {
    let asked = async {
        let (_, payload) = fading.ping_and_payload().await?;
        // Pongs can't be saved up. No more of them with the next ping: on their way for long, they could answer the one
        // after.
        for _ in 0..3 {
            fading.send(Frame::new(OpCode::Control(Control::Pong), payload.as_slice()));
        }
        fading.ping().await?;
        fading.stop_answering_pings();
        fading.unanswered_ping().await
    };
    let unanswered = asked.await.map_err(|trouble| unasked(fading, trouble))?;
    dropped_on_time(arena, witness, fading, unanswered).await
}

pub(super) async fn chatter(arena: &mut Arena) -> Checked {
    let talk = arena.token();
    let text = Frame::new(OpCode::Data(Data::Text), talk.as_str());
    let kinds = [
        vec![text.clone()],
        // Nor are those in binary, those in fragments, or a ping of the client's own.
        vec![Frame::new(OpCode::Data(Data::Binary), talk)],
        vec![Frame { fin: false, ..text }, Frame::new(OpCode::Data(Data::Continue), "")],
        vec![Frame::new(OpCode::Control(Control::Ping), "are you there?")],
    ];
    let arena = &*arena;
    let talkers = kinds.iter().map(|frames| async move {
        let (mut witness, mut talker) = try_join(arena.join(), arena.join_mute()).await?;
        let judged = talking_in_vain(arena, &mut witness, &mut talker, frames).await;
        if_understood(arena, frames, judged).await
    });
    // All are waited for, so that it is not chance which failure is told.
    join_all(talkers).await.into_iter().collect()
}

/// A client that says this again and again, and never answers a ping, is dropped.
async fn talking_in_vain(
    arena: &Arena,
    witness: &mut Client,
    client: &mut Client,
    what: &[Frame],
) -> Checked {
    let mut pace = metronome(arena.beat / 5);
    let mouth = client.mouth();
    let talk = async {
        loop {
            what.iter().for_each(|frame| mouth.say(frame.clone()));
            pace.tick().await;
        }
    };
    tokio::select! {
        judged = judged(arena, witness, client) => judged.map(|_| ()),
        () = talk => unreachable!("the talk never ends"),
    }
}
