//! A message that is sent right after a newcomer's welcome reaches the newcomer.

use std::io;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use futures_util::future::{join, try_join_all};
use tokio::runtime::Builder;
use tokio::task::block_in_place;

use harness::client::{
    Client, FrameSender, RESPONSE_TIMEOUT, any_text, reply_to, timeout_on_busy_host,
};
use harness::context::TestContext;
use harness::failure::room::RoomCause;
use harness::verdict::{CheckError, CheckResult, Failure};
use harness::wire::frame::{Data, Frame, OpCode};
use harness::wire::transcript::Highlight;

/// A server that subscribes a client after its welcome misses a message in a few microseconds only.
/// Two clients that join at a time, beside some that contend for the channel's lock, meet that
/// moment most often: about 2 in 100 do.
const JOINS: usize = 400;
const JOINS_AT_A_TIME: usize = 2;
const MEMBERS: usize = 30;

/// Each of many newcomers receives the message that is sent as soon as it has received its welcome.
/// They use a server of their own: another check judges whether they may leave.
pub(super) async fn all_newcomers_receive(ctx: &mut TestContext) -> CheckResult {
    let texts = ctx.tokens(JOINS);
    let server = ctx.second_server().await?;
    let _members = server.join_many(MEMBERS).await?;
    // Among the tasks of other checks, the message would be sent too late.
    let received = on_own_thread(join_and_receive(&server, &texts));
    received.map_err(|error| error.recorded_by(&server.recorder))
}

async fn join_and_receive(ctx: &TestContext, texts: &[String]) -> CheckResult {
    let speaker = ctx.join().await?;
    let speech = &Speech { sender: speaker.frame_sender(), texts, count: AtomicUsize::new(0) };
    let joining = (0..JOINS_AT_A_TIME).map(|_| async move {
        let mut before: Option<Client> = None;
        for _ in 0..JOINS / JOINS_AT_A_TIME {
            let leaving = async {
                if let Some(before) = before.take() {
                    ctx.leave(before).await;
                }
            };
            let (newcomer, ()) = join(receives_at_once(ctx, speech), leaving).await;
            before = newcomer?;
            if before.is_none() {
                break;
            }
        }
        Ok::<_, CheckError>(())
    });
    try_join_all(joining).await.map(|_| ())
}

/// The messages of one client to all newcomers. Later texts arrive later.
struct Speech<'a> {
    sender: FrameSender,
    texts: &'a [String],
    count: AtomicUsize,
}

impl Speech<'_> {
    /// Sends the next text. Returns its place, or `None` if there is no text left.
    fn send_next(&self) -> Option<usize> {
        let n = self.count.fetch_add(1, Relaxed);
        let frame = Frame::new(OpCode::Data(Data::Text), self.texts.get(n)?.as_str());
        self.sender.send(frame);
        Some(n)
    }

    /// Returns true if this is the reply to a text after the n-th.
    fn is_later(&self, text: &str, n: usize) -> bool {
        self.texts[n + 1..].iter().any(|later| text == reply_to(later))
    }
}

/// Joins, and fails if the newcomer misses the text that is sent at once, but none of those after
/// it. Returns no client if something else is wrong, which other checks judge.
async fn receives_at_once(ctx: &TestContext, speech: &Speech<'_>) -> CheckResult<Option<Client>> {
    let Ok(mut newcomer) = ctx.join().await else { return Ok(None) };
    let Some(first) = speech.send_next() else { return Ok(Some(newcomer)) };
    let Err((later, mark)) = receive(&mut newcomer, speech, first).await else {
        return Ok(Some(newcomer));
    };
    // A server that loses messages at other times too does not do so because of the welcome.
    for _ in 0..8 {
        let Some(n) = speech.send_next() else { return Ok(None) };
        if receive(&mut newcomer, speech, n).await.is_err() {
            return Ok(None);
        }
    }
    let expected = reply_to(&speech.texts[first]);
    let cause = RoomCause::MissedAfterWelcome { expected, later };
    Err(Failure::caused(cause).at(mark).into())
}

/// Waits for text `n`. If it does not come, returns the first later text, if there is any, and its
/// place in the conversation.
async fn receive(
    newcomer: &mut Client,
    speech: &Speech<'_>,
    n: usize,
) -> Result<(), (Option<String>, Highlight)> {
    let expected = reply_to(&speech.texts[n]);
    let mut later = None;
    loop {
        // A text that had only been overtaken arrives soon after.
        let limit = if later.is_some() { RESPONSE_TIMEOUT / 8 } else { RESPONSE_TIMEOUT / 4 };
        let next = newcomer.expect(any_text("the message after the welcome"));
        let Some(Ok(received)) = timeout_on_busy_host(limit, next).await else {
            let last = Highlight::Last { connection: newcomer.number() };
            return Err(later.unwrap_or((None, last)));
        };
        match received.text() {
            Some(text) if text == expected => return Ok(()),
            Some(text) if speech.is_later(text, n) => {
                let later_text = (Some(text.to_string()), newcomer.mark(&received));
                later.get_or_insert(later_text);
            }
            _ => {}
        }
    }
}

/// Runs a future on a thread with a runtime of its own.
fn on_own_thread<T: Send>(future: impl Future<Output = CheckResult<T>> + Send) -> CheckResult<T> {
    let run = || Ok(Builder::new_current_thread().enable_all().build()?.block_on(future));
    let joined = block_in_place(|| thread::scope(|scope| scope.spawn(run).join()));
    match joined {
        Ok(done) => done.map_err(|error: io::Error| CheckError::from(error))?,
        Err(panic) => resume_unwind(panic),
    }
}
