//! A client's close frame is answered with a close frame that has the same code, then the TCP
//! connection ends. Also in the middle of a fragmented message; a close frame without a code may be
//! answered without one or with 1000; the answer is a legal control frame whatever the reason was.

use rand::RngExt;

use super::WELCOMED;
use crate::{Check, MINIMUM, check};
use harness::client::{
    Client, ClientEvent, Expectation, Received, any_close, close as close_frame, close_without_code,
};
use harness::context::TestContext;
use harness::evidence::MinimumEvidence;
use harness::exercise::Exercise::Echo;
use harness::failure::echo::EchoCause;
use harness::verdict::{CheckResult, ResultExt};
use harness::wire::frame::{Control, Data, Frame, OpCode};

pub(super) const CHECK: Check = Check {
    explained_by: &["echo::welcome", "echo::concurrent"],
    requires: WELCOMED,
    minimum: MinimumEvidence { closes: 8, ends: 8, ..MINIMUM },
    ..check("echo::close", Echo, include_str!("close.md"), |ctx| Box::pin(close_after(ctx, 0)))
};

/// Checks the closing handshake after a few exchanges.
///
/// A server may send a ping right at opening. If the close frame arrives first, a library like
/// tungstenite refuses the ping, and a simple loop ends on that error before the close frame is
/// answered. The contract allows that race, which is over after some turns of the loop.
pub(crate) async fn close_after(ctx: &mut TestContext, exchanges: usize) -> CheckResult {
    for closing in closings(ctx) {
        let mut client = ctx.join().await?;
        for text in ctx.tokens(exchanges) {
            client.exchange(&text).await?;
        }
        client.stop_answering_pings();
        closing.frames.into_iter().for_each(|frame| client.send(frame));
        client.expect(closing.answer).await.context(closing.when)?;
        expect_end(&mut client).await.context(closing.when)?;
    }
    Ok(())
}

/// A way to close a connection.
struct Closing {
    when: &'static str,
    frames: Vec<Frame>,
    answer: Expectation,
}

impl Closing {
    fn with_code(code: u16, reason: &str, when: &'static str) -> Self {
        Closing { when, frames: vec![Frame::close(code, reason)], answer: close_frame(code) }
    }
}

fn closings(ctx: &mut TestContext) -> Vec<Closing> {
    // Codes of libraries and frameworks, and of applications (section 7.4.2).
    let registered = ctx.rng.random_range(3_000..4_000);
    let private = ctx.rng.random_range(4_000..5_000);
    let longest = "with a reason of 123 bytes, the longest";
    vec![
        Closing::with_code(1_000, "", ""),
        Closing::with_code(1_001, "going away", ""),
        Closing::with_code(registered, "as agreed", "with a close code for libraries"),
        Closing::with_code(private, "as agreed", "with a close code for applications"),
        without_code(),
        within_a_message(ctx),
        // In characters of one byte, and of four: the answer may shorten the reason, but not cut a
        // character.
        Closing::with_code(1_000, &"r".repeat(LONGEST_REASON), longest),
        Closing::with_code(1_000, &("🦀".repeat(LONGEST_REASON / 4) + "end"), longest),
    ]
}

/// A control frame has at most 125 bytes, two of which are the code (sections 5.5 and 5.5.1).
const LONGEST_REASON: usize = 123;

/// A close frame needs no code (section 5.5.1).
fn without_code() -> Closing {
    let frame = Frame::new(OpCode::Control(Control::Close), []);
    Closing { when: "", frames: vec![frame], answer: close_without_code() }
}

/// A control frame may come between two fragments (section 5.4). The message stays unfinished. A
/// server may take that for an error, so any code is right. `echo::payloads` judges an answer to
/// the fragment.
fn within_a_message(ctx: &mut TestContext) -> Closing {
    let fragment = Frame::unfinished(OpCode::Data(Data::Text), ctx.token());
    Closing {
        when: "in the middle of a fragmented message",
        frames: vec![fragment, Frame::close(1_000, "")],
        answer: any_close().skip_texts(),
    }
}

/// Fails unless the TCP connection ends after the close frame, with no message before its end.
async fn expect_end(client: &mut Client) -> CheckResult {
    client.expect_disconnect().await?;
    let is_message = |received: &Received| {
        matches!(received.event, ClientEvent::Text(_) | ClientEvent::Binary(_))
    };
    let Some(message) = client.drain().into_iter().find(is_message) else { return Ok(()) };
    Err(client.fails(EchoCause::MessageAfterClose(message.event.clone()), &message))
}
